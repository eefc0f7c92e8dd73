"""Boxes, bars and arrows of a network as they are painted: sizes of text, colours, lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sinkrisk.network.building import Node
from sinkrisk.plots import style
from sinkrisk.plots.labels import readable, sentence_case
from sinkrisk.plots.network_layout import GUTTER, PITCH, Key, Layout, Placed

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

GROUP_COLOURS: dict[str, str] = {
    "policy": style.BLUE,
    "market": "#A66F00",
    "acceptance": "#A8527D",
    "deployment": style.INK,
    "climate": "#00785A",
}
"""Colour of the outline and the outgoing arrows by group; dark enough for thin lines."""

_HELPS, _BETWEEN, _HINDERS = "#8FC3E8", "#DCE3E8", "#F3B98A"
TITLE, STATE, NOTE = 7.2, 6.2, 6.0
"""Sizes of text, points."""
_TITLE_LINE, _STATE_LINE, _NOTE_LINE, _PAD = 0.118, 0.122, 0.104, 0.03
"""Heights of lines, inches."""
TOP, BELOW = 0.56, 0.24


@dataclass
class Box:
    """What one box says: a title, a row of bars per state, and notes below."""

    node: Node
    title: list[str]
    values: NDArray[np.float64]
    notes: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    set_: bool = False
    shown: list[int] = field(default_factory=list)
    """Strips whose numbers are written; all when empty."""

    @property
    def height(self) -> float:
        """Height in inches."""
        lines = _TITLE_LINE * len(self.title) + _STATE_LINE * len(self.node.states)
        return 2.5 * _PAD + lines + _NOTE_LINE * (len(self.notes) + len(self.marks))


def key_of(node: Node) -> Key:
    """Return what a node is drawn under: its name in the file and its class."""
    return node.base, node.cls or ""


def _width(text: str, size: float, weight: str = "normal") -> float:
    """Width of a text in inches, with the tenth that rounding to a screen's pixels can add."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    points, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return 1.1 * float(points) / 72.0


def wrapped_to_box(text: str, size: float, weight: str = "normal") -> list[str]:
    """Return the lines of a text, none wider than a box.

    Examples
    --------
    >>> wrapped_to_box("institutional compatibility", TITLE, "bold")
    ['institutional', 'compatibility']
    """
    room = PITCH - GUTTER - 2.0 * _PAD
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer, size, weight) <= room:
            lines[-1] = longer
        else:
            lines.append(_shortened(word, size, room, weight))
    return lines


def _shortened(text: str, size: float, room: float, weight: str = "normal") -> str:
    """The text, or as much of it as has room, and an ellipsis."""
    if _width(text, size, weight) <= room:
        return text
    return next(
        (
            cut
            for end in range(len(text) - 1, 0, -1)
            if _width(cut := text[:end].rstrip() + "…", size, weight) <= room
        ),
        "…",
    )


@dataclass
class Painter:
    """Draws in inches of the layout; `scale` shrinks text and lines with the axes."""

    axes: Axes
    scale: float

    def text(self, x: float, y: float, text: str, size: float, **more: Any) -> None:
        """Write a line of text, `y` its middle."""
        more.setdefault("color", style.INK)
        self.axes.text(x, y, text, fontsize=size * self.scale, va="center", **more)

    def blocks(self, layout: Layout, region: str, periods: Sequence[str]) -> None:
        """Draw the headings, the ground of each class and the legend of the groups."""
        from matplotlib.patches import FancyBboxPatch

        when = readable(periods[0]) if len(periods) == 1 else ""
        headings = {"global": "Global", "regional": sentence_case(region)}
        for name, (left, top, right, bottom) in layout.blocks.items():
            if right <= left:
                continue
            if name in headings:
                text = headings[name] + (f", {when}" if when and name == "regional" else "")
                self.text(left, top - 0.11, text, 9.0, weight="bold")
                continue
            patch = FancyBboxPatch(
                (left - 0.03, top - 0.03),
                right - left + 0.06,
                bottom - top + 0.23,
                boxstyle="round,pad=0,rounding_size=0.05",
                facecolor="#F2F2F2",
                edgecolor="none",
                zorder=0,
            )
            self.axes.add_patch(patch)
            middle = (left + right) / 2.0
            self.text(middle, bottom + 0.1, sentence_case(name), 8.0, weight="bold", ha="center")
        x = 0.13
        for group, colour in GROUP_COLOURS.items():
            self.axes.plot([x, x + 0.22], [0.12, 0.12], color=colour, linewidth=2.0 * self.scale)
            self.text(x + 0.28, 0.12, readable(group), TITLE, gid="legend")
            x += 1.05

    def arrow(self, points: Sequence[tuple[float, float]], colour: str, child: Key) -> None:
        """Draw one arrow along the points of its layout."""
        from matplotlib.patches import FancyArrowPatch
        from matplotlib.path import Path

        vertices, codes = [points[0]], [Path.MOVETO]
        for number, (x, y) in enumerate(points[1:], start=1):
            before_x, before_y = points[number - 1]
            if number % 2 == 1:
                vertices.append((x, y))
                codes.append(Path.LINETO)
                continue
            bend = 0.5 * (y - before_y)
            vertices += [(before_x, before_y + bend), (x, y - bend), (x, y)]
            codes += [Path.CURVE4] * 3
        patch = FancyArrowPatch(
            path=Path(vertices, codes),
            arrowstyle="-|>,head_length=2.6,head_width=1.3",
            color=colour,
            linewidth=0.7 * self.scale,
            alpha=0.75,
            mutation_scale=self.scale,
            shrinkA=0.0,
            shrinkB=0.0,
            zorder=1,
            gid=f"arrow:{'/'.join(child)}",
        )
        self.axes.add_patch(patch)

    def box(self, box: Box, place: Placed) -> None:
        """Draw one node: outline, title, a bar per state with its percentage, notes."""
        from matplotlib.patches import FancyBboxPatch, Rectangle

        thick = bool(box.marks)
        self.axes.add_patch(
            FancyBboxPatch(
                (place.left, place.top),
                place.width,
                place.height,
                boxstyle="round,pad=0,rounding_size=0.04",
                facecolor="white",
                edgecolor=GROUP_COLOURS.get(box.node.group, style.GREY),
                zorder=2,
                linewidth=(2.2 if thick else 0.8) * self.scale,
                linestyle=(0, (3, 1.2)) if box.set_ else "-",
                gid=f"box:{'/'.join(key_of(box.node))}",
            )
        )
        left, right = place.left + _PAD, place.left + place.width - _PAD
        y = place.top + _PAD + _TITLE_LINE / 2.0
        for line in box.title:
            self.text(left, y, line, TITLE, weight="bold", zorder=4)
            y += _TITLE_LINE
        y += _STATE_LINE / 2.0 - _TITLE_LINE / 2.0 + 0.02
        strips = len(box.values)
        numbers = [
            "→".join(f"{100.0 * box.values[strip, state]:.0f}" for strip in box.shown or range(strips))
            for state in range(len(box.node.states))
        ]
        # Bars end where the numbers begin, so that neither runs through the other, in all boxes alike.
        length = right - left - _width("→".join(["100"] * len(box.shown or range(strips))), STATE) - 0.03
        for state, name in enumerate(box.node.states):
            upper, tall = y - 0.9 * _STATE_LINE / 2.0, 0.9 * _STATE_LINE / strips
            colour = _tint(state, len(box.node.states), box.node.favourable)
            for strip in range(strips):
                size = length * box.values[strip, state]
                self.axes.add_patch(
                    Rectangle(
                        (left, upper + strip * tall),
                        size,
                        tall,
                        facecolor=colour,
                        edgecolor="white",
                        linewidth=0.3 * self.scale,
                        zorder=3,
                        gid=f"bar:{name}",
                    )
                )
            room = right - left - 0.03 - _width(numbers[state], STATE)
            self.text(left + 0.01, y, _shortened(readable(name), STATE, room), STATE, zorder=4)
            self.text(right, y, numbers[state], STATE, ha="right", zorder=4)
            y += _STATE_LINE
        y += _NOTE_LINE / 2.0 - _STATE_LINE / 2.0 + 0.01
        for line, weight in [
            *((mark, "bold") for mark in box.marks),
            *((note, "normal") for note in box.notes),
        ]:
            self.text(left, y, line, NOTE, weight=weight, color="#444444", zorder=4)
            y += _NOTE_LINE


def _tint(state: int, states: int, favourable: str) -> tuple[float, float, float]:
    """Colour of a state's bar: orange where it hinders, over grey, to blue where it helps."""
    from matplotlib.colors import LinearSegmentedColormap

    share = state / (states - 1) if states > 1 else 0.5
    if favourable == "first":
        share = 1.0 - share
    red, green, blue, _ = LinearSegmentedColormap.from_list("t", [_HINDERS, _BETWEEN, _HELPS])(share)
    return float(red), float(green), float(blue)
