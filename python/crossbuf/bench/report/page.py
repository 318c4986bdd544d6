"""One page of everything a record has, in one file that needs no network: `write(record, path)`."""

import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from ..record import Record, Series
from ..routes import ROUTES
from . import grid, looks, plots
from .grid import Cell, Grid
from .looks import Look
from .svg import FONT, HALO, swatch
from .units import readable

_INTRODUCTION = """<p>How long arrays and messages take from one Python interpreter or process to another: by crossbuf, by the other ways
there are, and what the machine takes at least. Samples were taken in turns, in one run on one machine; compare ratios, not microseconds,
with other machines.</p>
<p>crossbuf's routes are blue: filled marks lead to an interpreter, hollow ones to a process. Dotted grey lines are floors, which carry
nothing to anybody.</p>"""
_PLACES = {"here": "nobody", "interpreter": "an interpreter", "process": "a process"}


def write(record: Record, path: Path, meanings: Mapping[str, str] | None = None) -> None:
    """The page as a file. `meanings` says of workloads what they measure, in a sentence or two."""
    path.write_text(render(record, meanings or {}))


def render(record: Record, meanings: Mapping[str, str]) -> str:
    """The page."""
    style = f"{looks.variables()}\nbody{{font-family:{FONT}}}\n{HALO}\n{Path(__file__).with_name('page.css').read_text()}"
    how = looks.of(record)
    workloads = list(record.workloads())
    sections = [_ratios(record), *(_workload(record, name, how, meanings.get(name, "")) for name in workloads), _routes(record, how)]
    links = [("ratios", "Ratios"), *((plots.anchor(name), name.capitalize()) for name in workloads), ("routes", "Routes")]
    return "\n".join(
        [
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">',
            f"<title>crossbuf bench, {escape(record.about.get('date', ''))}</title><style>{style}</style></head><body>",
            "<header><h1>crossbuf bench</h1>",
            _INTRODUCTION,
            _about(record),
            f'<nav aria-label="Sections"><ul>{"".join(f'<li><a href="#{to}">{escape(text)}</a></li>' for to, text in links)}</ul></nav>',
            f"</header><main>{''.join(sections)}</main>",
            "</body></html>\n",
        ]
    )


def _about(record: Record) -> str:
    items = (f"<div><dt>{escape(what)}</dt><dd>{escape(value)}</dd></div>" for what, value in record.about.items())
    return f'<dl class="about">{"".join(items)}</dl>'


def _ratios(record: Record) -> str:
    plot = plots.of_ratios(record)
    if plot is None:
        body = "<p>None of the pairs that are compared was measured.</p>"
    else:
        intro = (
            "<p>What crossbuf means to reach, in grey the same of floors and what ended early. A bar to the left of 1 says that it takes "
            "less; the stroke across is the bound.</p>"
        )
        body = intro + _figure(plot, {}) + _table("ratios", grid.of_ratios(record), {})
    return f'<section id="ratios"><h2>Ratios</h2>{body}</section>'


def _workload(record: Record, name: str, how: Mapping[str, Look], meaning: str) -> str:
    parts = [f'<section id="{plots.anchor(name)}"><h2>{escape(name.capitalize())}</h2>']
    if meaning:
        parts.append(f"<p>{escape(meaning)}</p>")
    if name in grid.SINGLE_TRIPS:
        parts.append("<p>Each trip is timed by itself. A quantile is given where at least one trip was slower.</p>")
    parts += [_figure(plot, how) for plot in plots.of(record, name)]
    parts += [_table(name, one, how) for one in grid.of(record, name)]
    samples = _table(name, _samples(record.of(name)), {})
    parts.append(f"<details><summary>The samples of {escape(name)}</summary>{samples}</details></section>")
    return "".join(parts)


def _figure(plot: plots.Plot, how: Mapping[str, Look]) -> str:
    legend = ""
    if plot.routes:
        items = (f"<li>{swatch(how[route])}{escape(route)}</li>" for route in plot.routes)
        legend = f'<ul class="legend{" labelled" if plot.labelled else ""}" aria-hidden="true">{"".join(items)}</ul>'
    variants = (svg.replace("<svg ", f'<svg class="{kind}" ', 1) for kind, svg in (("wide", plot.wide), ("narrow", plot.narrow)))
    return f"<figure><figcaption>{escape(plot.title)}</figcaption>{''.join(variants)}{legend}</figure>"


def _table(of: str, found: Grid, how: Mapping[str, Look]) -> str:
    """With a name that tells it from the tables of other workloads."""
    heads = "".join(
        f'<th scope="col"{" class=words" if at in found.words else ""}>{_head(column, how)}</th>' for at, column in enumerate(found.columns)
    )
    rows = "".join(_row(row, found, how) for row in found.rows)
    notes = "".join(f"<li>{escape(note)}</li>" for note in found.notes)
    title = escape(found.title)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(of)}, {title}"><table><caption>{title}</caption>'
        f'<thead><tr><th scope="col">{found.corner}</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        + (f'<ol class="notes">{notes}</ol>' if notes else "")
    )


def _row(row: grid.Row, found: Grid, how: Mapping[str, Look]) -> str:
    look = how.get(row.name)
    cells = [*row.cells, *[Cell()] * (len(found.columns) - len(row.cells))]
    texts = "".join(_cell(cell, words=at in found.words) for at, cell in enumerate(cells))
    return f'<tr><th scope="row"{" class=ours" if look and look.ours else ""}>{_head(row.name, how)}</th>{texts}</tr>'


def _head(name: str, how: Mapping[str, Look]) -> str:
    """A row's or column's name; a route has its swatch before it."""
    if len(name) <= 12:
        text = escape(name).replace(" ", "\N{NO-BREAK SPACE}")
    else:
        # A word that is longer than a phone has room for is cut before its capitals.
        text = re.sub(r"\w{16,}", lambda word: re.sub("(?<=[a-z])(?=[A-Z])", "<wbr>", word[0]), escape(name))
    return f'<span class="route">{swatch(how[name])}<span>{text}</span></span>' if name in how else text


def _cell(cell: Cell, *, words: bool) -> str:
    classes = " ".join(["words"] * words + ["no"] * (cell.text == "no"))
    text = escape(cell.text)
    if cell.text in ("met", "not met"):
        text = f'<span class="{"good" if cell.text == "met" else "bad"}">{text}</span>'
    note = f"<sup>{cell.note}</sup>" if cell.note else ""
    return f"<td{f' class="{classes}"' if classes else ''}>{text}{note}</td>"


def _samples(series: list[Series]) -> Grid:
    """How the samples of each series are spread."""
    rows = []
    for one in series:
        if one.samples:
            spread = [readable(one.quantile(share), one.unit) for share in (0, 0.25, 0.5, 0.75, 1)]
            texts = [one.route, f"{len(one.samples):,}", f"{one.number:,}", *spread]
            rows.append(grid.Row(one.case, [Cell(text) for text in texts]))
    columns = ["route", "samples", "operations in each", "least", "lower quartile", "median", "upper quartile", "most"]
    return Grid("the samples", "case", columns, rows, [], words=(0,))


def _routes(record: Record, how: Mapping[str, Look]) -> str:
    body = "".join(_route_rows(record, how))
    heads = "".join(f'<th scope="col" class="words">{head}</th>' for head in ("route", "to", "how it is done"))
    return (
        '<section id="routes"><h2>Routes</h2><p>Each in the best way known for it.</p><div class="scroll" role="region" tabindex="0" '
        f'aria-label="Routes"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div></section>'
    )


def _route_rows(record: Record, how: Mapping[str, Look]) -> Iterator[str]:
    known = {route.name: route for route in ROUTES}
    taken = {series.route for series in record.series}
    for name in dict.fromkeys([*known, *record.skipped]):
        if name not in taken and name not in record.skipped:
            continue
        route = known.get(name)
        done = escape(route.how) if route else ""
        if why := record.skipped.get(name):
            done += f'{"<br>" if done else ""}<span class="bad">Skipped:</span> {escape(why)}'
        place = _PLACES[route.place] if route else ""
        ours = " class=ours" if looks.is_ours(name) else ""
        yield f'<tr><th scope="row"{ours}>{_head(name, how)}</th><td class="words">{place}</td><td class="wrapped">{done}</td></tr>'
