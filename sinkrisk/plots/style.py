"""The look all figures share: colours, sizes, captions, and writing a figure as the same bytes twice.

Colours are those of Okabe and Ito (2008), which stay apart under the common colour-vision
deficiencies; where a picture needs more, families of pathways share a hue and differ in hatching,
so that nothing depends on colour alone.
"""

from __future__ import annotations

import contextlib
import io
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinkrisk import files
from sinkrisk.plots.labels import readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, LIGHT, INK = "#767676", "#D0D0D0", "#222222"

WIDTH = 9.0
"""Width of a figure, inches: the text column of the report."""

COMPONENT_COLOURS: dict[str, str] = {
    "fossil": GREY,
    "land_use": ORANGE,
    "atmosphere": SKY,
    "ocean": BLUE,
    "land": GREEN,
    "cement": PURPLE,
}

MODE_STYLES: dict[str, tuple[str, str]] = {
    "full": (BLUE, ""),
    "throttled": (SKY, ""),
    "passive_redundancy": ("#F3DFA2", ""),
    "collapse": (VERMILION, "////"),
}
"""Colour and hatch of each deployment mode, from the best to the worst."""

PATHWAY_STYLES: dict[str, tuple[str, str]] = {
    "forests": ("#006D4E", ""),
    "wetlands": ("#009E73", ""),
    "croplands": ("#4DBE9B", ""),
    "grasslands": ("#9ADBC6", ""),
    "deserts": ("#4DBE9B", "////"),
    "urban": ("#9ADBC6", "////"),
    "coastal_blue_carbon": ("#009E73", "...."),
    "biochar": ("#8A5A00", ""),
    "beccs": ("#E69F00", ""),
    "enhanced_weathering": ("#CC79A7", ""),
    "industrial_carbonation": ("#E5BCD3", "////"),
    "daccs": ("#555555", ""),
    "point_source_ccs": ("#B5B5B5", "////"),
    "oae": ("#0072B2", ""),
    "oif": ("#8CC4E8", "////"),
}
"""Colour and hatch by pathway: greens nature, browns land-based, pinks mineral, greys geological,
blues ocean."""

_CAPTION = "caption"

_SPARE: tuple[str, ...] = (VERMILION, PURPLE, YELLOW, SKY, GREEN, ORANGE, BLUE, GREY)

_RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "grid.color": "#E3E3E3",
    "hatch.linewidth": 0.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "sinkrisk",
    "svg.image_inline": True,
}


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Draw with the shared look, whatever the user's own settings; they are restored afterwards."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)  # type: ignore[arg-type]
        yield


def new_figure(height: float, *, width: float = WIDTH) -> Figure:
    """Return an empty figure, `width` x `height` inches, laid out so that nothing is clipped."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def caption(figure: Figure, text: str, *, characters: int = 146) -> None:
    """Write what the marks mean under the figure: intervals' kind and mass, units, scope."""
    lines = textwrap.fill(text, characters, break_on_hyphens=False)
    label = figure.supxlabel(lines, x=0.012, ha="left", fontsize=8.5, color="#444444", linespacing=1.35)
    label.set_gid(_CAPTION)


def without_caption(figure: Figure, svg: str) -> tuple[str, str]:
    """Return a drawn figure's SVG cut off above its caption, and the caption, to be set as text.

    Parameters
    ----------
    figure : Figure
    svg : str
        What `svg_text` returned for it: drawing it has put the caption in its place.

    Returns
    -------
    svg, caption : str
        The SVG as it was and an empty caption where the figure has none.
    """
    import re

    labels = [text for text in figure.texts if text.get_gid() == _CAPTION]
    frame = re.search(r'height="([\d.]+)pt" viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    if not labels or frame is None:
        return svg, ""
    # The caption is the lowest part of the figure; what is cut off is only hidden, because its glyphs may
    # be used above.
    kept = float(frame[3]) * (1.0 - float(labels[0].get_window_extent().y1 / figure.bbox.height))
    cut = f'height="{kept:.6g}pt" viewBox="0 0 {frame[2]} {kept:.6g}"'
    return svg.replace(frame[0], cut, 1), labels[0].get_text().replace("\n", " ")


def light_grid(axes: Axes, axis: str) -> None:
    """Draw guide lines across one axis (``x`` or ``y``) behind the marks."""
    axes.grid(True, axis=axis)  # type: ignore[arg-type]
    axes.tick_params(axis="both", length=0)


def few_ticks(axes: Axes, count: int = 5) -> None:
    """Keep tick labels of a horizontal axis apart: few of them, thousands set apart by a thin space."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(count))

    def text(value: float, _: int | None) -> str:
        return f"{value:,.6g}".replace(",", "\u2009").replace("-", "−")

    axes.xaxis.set_major_formatter(FuncFormatter(text))


def colour_of(name: str, known: dict[str, str], position: int) -> str:
    """Return the colour of a name, or a spare one by position for a name not known here."""
    return known.get(name, _SPARE[position % len(_SPARE)])


def style_of(name: str, known: dict[str, tuple[str, str]], position: int) -> tuple[str, str]:
    """Return colour and hatch of a name, or spare ones by position."""
    hatches = ("", "////", "....", "xxxx")
    spare = (_SPARE[position % len(_SPARE)], hatches[(position // len(_SPARE)) % len(hatches)])
    return known.get(name, spare)


def ink_on(colour: str) -> str:
    """Return black or white, whichever is read more easily on `colour` (WCAG relative luminance)."""
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "black"


def wrapped(names: Sequence[object], characters: int = 22) -> list[str]:
    """Return readable names broken over lines, for tick labels."""
    return ["\n".join(textwrap.wrap(readable(name), characters)) for name in names]


def svg_text(figure: Figure) -> str:
    """Return a figure as SVG text; equal figures give equal text (no date, fixed identifiers)."""
    out = io.StringIO()
    with styled():
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": "sinkrisk"})
    # Matplotlib leaves trailing spaces in paths; without them the files diff cleanly.
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def save_svg(figure: Figure, path: str | Path) -> Path:
    """Write a figure as SVG, atomically, and return the path."""
    files.write_text(Path(path), svg_text(figure))
    return Path(path)
