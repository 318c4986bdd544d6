"""The command `crossbuf`: each subcommand is a module of this package, imported when it is asked for."""

import argparse
from collections.abc import Sequence

from .. import __version__
from ..errors import Error


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line; the exit status."""
    parser = argparse.ArgumentParser(prog="crossbuf", description="Arrays between Python interpreters, without copying them.")
    parser.add_argument("--version", action="version", version=f"crossbuf {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="count the lines of real files in several interpreters at once, and compare")
    demo.add_argument("files", nargs="*", metavar="FILE", help="default: every source file of the standard library")
    demo.add_argument("--workers", type=int, metavar="N", help="interpreters beside the main one (default: one for each CPU, 2 to 8)")

    commands.add_parser("doctor", help="say what this machine offers to crossbuf")

    options = parser.parse_args(arguments)
    try:
        if options.command == "doctor":
            from .doctor import examine

            return examine()
        from .demo import run

        return run(options.files, options.workers)
    except (Error, OSError, ValueError) as trouble:
        parser.exit(1, f"crossbuf {options.command}: {trouble}\n")
    except KeyboardInterrupt:
        return 130
