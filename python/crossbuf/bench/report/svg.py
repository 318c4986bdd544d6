"""matplotlib's SVG, made fit for a page: colours are CSS variables, text has the page's font, and names do not clash with other plots'.

```text
placeholder("ink") ─▶ matplotlib ─▶ style="fill: #fe0002" ─▶ style="fill: var(--ink)"
```
"""

import io
import re
from html import escape

import matplotlib
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path as Outline
from matplotlib.transforms import Affine2D

from .looks import COLOURS, Look, variables

FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
#: Text keeps clear of the lines that it stands on.
HALO = "svg text{stroke:var(--paper);stroke-width:3px;stroke-linejoin:round;paint-order:stroke}"
#: A figure's inch has as many points, and a point is a pixel of the plot.
INCH = 72
_PLACEHOLDERS = {name: f"#fe{at:04x}" for at, name in enumerate(COLOURS)}


def placeholder(colour: str) -> str:
    """What matplotlib draws with."""
    return _PLACEHOLDERS[colour]


def drawn(figure: Figure, name: str, title: str, description: str) -> str:
    """The plot as an `<svg>` for a page that has the variables. `name` is unique in the page."""
    out = io.StringIO()
    # The salt makes the same plot the same text.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "crossbuf"}):
        figure.savefig(out, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    body = re.sub(r"^.*?<svg[^>]*>", "", out.getvalue(), count=1, flags=re.DOTALL)
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    for colour, stand_in in _PLACEHOLDERS.items():
        body = body.replace(stand_in, f"var(--{colour})")
    body = re.sub(r"\s*font-family:[^;\"]*;?", "", body)
    # Only what is referred to needs a name.
    used = set(re.findall(r"(?:href=\"|url\()#([^\")]+)", body))
    body = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", body)
    body = re.sub(r'(href="|url\()#', rf"\1#{name}-", body)
    body = re.sub(r"\n\s*", "\n", body)
    width, height = (round(side * INCH) for side in figure.get_size_inches())
    heading = f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="{name}-title" aria-describedby="{name}-desc">{heading}{body.strip()}\n'
    )


def alone(plot: str) -> str:
    """The same as a file of its own, with its colours and its paper."""
    (sides,) = re.findall(r'viewBox="0 0 (\d+) (\d+)"', plot)
    style = f"<style>{variables()}svg{{font-family:{FONT}}}{HALO}</style>"
    paper = '<rect width="100%" height="100%" rx="8" style="fill: var(--paper)"/>'
    opened, rest = plot.split("</desc>", 1)
    return f"{opened}</desc>{style}{paper}{rest}".replace("<svg ", f'<svg width="{sides[0]}" height="{sides[1]}" ', 1)


def swatch(look: Look) -> str:
    """A route's line and mark, small, for legends and tables."""
    mark = MarkerStyle(look.mark)
    outline = mark.get_path().transformed(Affine2D(mark.get_transform().get_matrix()).scale(8, -8).translate(14, 7))
    dashes = f' stroke-dasharray="{",".join(map(str, look.dashes))}"' if look.dashes else ""
    fill = "var(--paper)" if look.hollow else f"var(--{look.colour})"
    return (
        '<svg class="swatch" viewBox="0 0 28 14" preserveAspectRatio="xMidYMid slice" aria-hidden="true" '
        f'style="stroke:var(--{look.colour})">'
        f'<path d="M1 7H27" fill="none" stroke-width="{2.2 if look.ours else 1.4}"{dashes}/>'
        f'<path d="{_path(outline)}" stroke-width="1.2" style="fill:{fill}"/></svg>'
    )


def _path(outline: Outline) -> str:
    letters = {Outline.MOVETO: "M", Outline.LINETO: "L", Outline.CURVE3: "Q", Outline.CURVE4: "C", Outline.CLOSEPOLY: "Z"}
    return "".join(
        letters[code] + ("" if code == Outline.CLOSEPOLY else " ".join(f"{number:.1f}" for number in vertices))
        for vertices, code in outline.iter_segments()
    )
