"""What is made of a record: tables for a terminal, and one page with plots.

```text
record ─▶ grid ─────────────▶ table   text
            └───────────────▶ page    HTML, with page.css
record ─▶ plots ─▶ figures ─▶ svg ─┘  matplotlib's, its colours left to CSS; `looks` says which route has which
```
"""
