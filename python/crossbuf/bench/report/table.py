"""Tables for a terminal, 120 columns wide at most where words can be wrapped and columns go below each other."""

import textwrap
from collections.abc import Iterator, Sequence

from ..record import Record
from . import grid
from .grid import Cell, Grid

WIDTH = 120
#: Heads of rows and of columns are wrapped when they are longer.
_ROW_HEAD, _COLUMN_HEAD = 44, 11


def workload(record: Record, name: str) -> str:
    """The tables of one workload."""
    return "\n\n".join(f"{name}, {_written(one)}" for one in grid.of(record, name))


def ratios(record: Record) -> str:
    """What crossbuf means to reach, and whether it does; empty when nothing of it was measured."""
    found = grid.of_ratios(record)
    return _written(found) if found.rows else ""


def skipped(record: Record) -> str:
    """Which routes could not run here, and why; empty when all could."""
    reasons: dict[str, list[str]] = {}
    for route, why in record.skipped.items():
        reasons.setdefault(why, []).append(route)
    lines = (_wrapped(f"{'; '.join(routes)}: {why}", "  ") for why, routes in reasons.items())
    return "\n".join(["skipped", *lines]) if reasons else ""


def _written(found: Grid) -> str:
    notes = [_wrapped(note, f"[{number}] ") for number, note in enumerate(found.notes, 1)]
    pieces = ["\n".join(lines) for lines in _pieces(found)]
    return f"{found.title}\n" + "\n\n".join(pieces + ["\n".join(notes)] * bool(notes))


def _pieces(found: Grid) -> Iterator[Sequence[str]]:
    """The table, cut between columns where it is too wide."""
    marks = [max((len(_mark(row.cells[at])) for row in found.rows if at < len(row.cells)), default=0) for at in range(len(found.columns))]
    texts = [
        [cell.text + f"{_mark(cell):{width}}" for cell, width in zip(row.cells, marks, strict=False)]
        + [""] * (len(found.columns) - len(row.cells))
        for row in found.rows
    ]
    heads = [textwrap.wrap(column, _COLUMN_HEAD, break_long_words=False) or [""] for column in found.columns]
    widths = [max(map(len, [*head, *(row[at] for row in texts)])) for at, head in enumerate(heads)]
    names = [textwrap.wrap(row.name, _ROW_HEAD) for row in found.rows]
    name_width = max(len(line) for lines in [[found.corner], *names] for line in lines)

    def line(name: str, cells: Sequence[str], columns: Sequence[int]) -> str:
        padded = (f"{cells[at]:{'<' if at in found.words else '>'}{widths[at]}}" for at in columns)
        return "  ".join((f"{name:<{name_width}}", *padded)).rstrip()

    for columns in _cuts(widths, WIDTH - name_width):
        depth = max(len(heads[at]) for at in columns)
        # Heads stand on the line below them.
        lifted = [[""] * (depth - len(head)) + head for head in heads]
        lines = [
            line(found.corner if level == depth - 1 else "", [head[level] if level < len(head) else "" for head in lifted], columns)
            for level in range(depth)
        ]
        lines.append("─" * max(name_width + sum(widths[at] + 2 for at in columns), len(lines[-1])))
        for name, row in zip(names, texts, strict=True):
            lines += [*(line(part, [""] * len(row), columns) for part in name[:-1]), line(name[-1], row, columns)]
        yield lines


def _cuts(widths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Columns that fit beside each other."""
    columns: list[int] = []
    for at, width in enumerate(widths):
        if columns and sum(widths[one] + 2 for one in columns) + width + 2 > room:
            yield columns
            columns = []
        columns.append(at)
    yield columns


def _mark(cell: Cell) -> str:
    return f" [{cell.note}]" if cell.note else ""


def _wrapped(text: str, before: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=before, subsequent_indent=" " * len(before))
