"""The demo's job: real files, counted by several interpreters, with nothing copied and by other ways.

`crossbuf demo` shows it, and the benchmark times it.
"""
