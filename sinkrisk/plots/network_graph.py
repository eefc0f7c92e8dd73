"""One region's network as a picture: what depends on what, and the probabilities of every state."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.errors import Problems
from sinkrisk.network.building import Network, Node
from sinkrisk.network.conditions import Evidence
from sinkrisk.network.inference import marginals
from sinkrisk.plots import style
from sinkrisk.plots.labels import readable, sentence_case
from sinkrisk.plots.network_drawing import (
    BELOW,
    GROUP_COLOURS,
    NOTE,
    TITLE,
    TOP,
    Box,
    Painter,
    key_of,
    wrapped_to_box,
)
from sinkrisk.plots.network_layout import Key, Layout, layout_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CAPTION_LINE = 0.168
_CHARACTERS = 118


def plot_network_region(
    net: Network,
    region: str,
    *,
    period: str | None = None,
    evidence: Evidence | None = None,
    do: Mapping[str, str] | None = None,
    cls: str | Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw one region's part of a network with the exact marginal of every node.

    Parameters
    ----------
    net : Network
        With regional nodes, as `network.load` returns.
    region : str
        Drawn with its class nodes and the global nodes.
    period : str, optional
        One period; all of them when left out, each a strip of every state's bar.
    evidence, do : mapping, optional
        As in `network.marginals`; the nodes are marked, and arrows into nodes set by `do` left out.
    cls : str or sequence of str, optional
        Draw these classes alone.
    ax : Axes, optional
        Draw into these axes, text scaled with them; a new figure of one A4 or letter page otherwise.

    Returns
    -------
    Figure
        Boxes in rows by depth: global nodes left, regional ones right, classes below in columns.
        Numbers are percentages. What a node takes from the period before stands below its bars.

    Raises
    ------
    InputError
        For a region, period or class that the network has not, and as `network.marginals` does.
    """
    regions, periods, classes = (
        list(dict.fromkeys(value for node in net.nodes.values() if (value := getattr(node, attribute))))
        for attribute in ("region", "period", "cls")
    )
    wanted = [cls] if isinstance(cls, str) else list(classes if cls is None else cls)
    found = Problems()
    for what, given, there in (
        ("region", [region], regions),
        ("period", [] if period is None else [period], periods),
        ("class", wanted, classes),
    ):
        for value in given:
            if value not in there:
                found.add(f"the network has no such {what}", got=value, allowed=there or "(none)", key=what)
    found.raise_if_any()
    drawn = periods if period is None else [period]
    nodes = {
        name: node
        for name, node in net.nodes.items()
        if node.region in (None, region)
        and node.period in (None, *drawn)
        and (node.cls is None or node.cls in wanted)
    }
    boxes = _boxes(net, nodes, drawn, evidence or {}, do or {})
    edges = _edges(nodes, do or {})
    with style.styled():
        layout = layout_of(
            {key: _kind(box.node) for key, box in boxes.items()},
            {key: box.height for key, box in boxes.items()},
            edges,
            classes=[name for name in classes if name in wanted],
            top=TOP,
            below=BELOW,
        )
        if ax is None:
            figure, axes = _page(layout, _caption(nodes, drawn, evidence or {}, do or {}))
            scale = 1.0
        else:
            figure, axes = ax.figure.get_figure(root=True), ax
            size = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
            scale = min(size.width / layout.width, size.height / layout.height)
            axes.set_aspect("equal")
        axes.set_xlim(0.0, layout.width)
        axes.set_ylim(layout.height, 0.0)
        axes.set_axis_off()
        painter = Painter(axes, scale)
        painter.blocks(layout, region, drawn)
        for (parent, child), points in layout.arrows.items():
            painter.arrow(points, GROUP_COLOURS.get(boxes[parent].node.group, style.GREY), child)
        for key, box in boxes.items():
            painter.box(box, layout.boxes[key])
    return figure


def _kind(node: Node) -> str:
    return "class" if node.cls is not None else "regional" if node.region is not None else "global"


def _boxes(
    net: Network, nodes: Mapping[str, Node], periods: Sequence[str], evidence: Evidence, do: Mapping[str, str]
) -> dict[Key, Box]:
    """One box per node of the file and class, in an order of parents before children."""
    table = marginals(net, evidence=evidence, do=do)
    values = table.groupby("node", sort=False)["probability"].agg(list)
    members: dict[Key, list[Node]] = {}
    for node in nodes.values():
        members.setdefault(key_of(node), []).append(node)
    told = _told(nodes, periods, evidence, do)
    boxes: dict[Key, Box] = {}
    for key in _before_children(members, nodes):
        last = members[key][-1]
        title = wrapped_to_box(sentence_case(last.base), TITLE, weight="bold")
        box = Box(last, title, np.array([values[node.name] for node in members[key]]))
        strips = [node.period for node in members[key]]
        box.shown = [at for at, strip in enumerate(strips) if strip in told or strip not in periods]
        for node in members[key]:
            when = f", {readable(node.period)}" if len(periods) > 1 and node.period else ""
            if node.name in do:
                box.marks += wrapped_to_box(f"SET: {readable(do[node.name])}{when}", NOTE, weight="bold")
                box.set_ = True
            elif isinstance(evidence.get(node.name), str):
                text = f"SEEN: {readable(evidence[node.name])}{when}"
                box.marks += wrapped_to_box(text, NOTE, weight="bold")
            elif node.name in evidence:
                box.marks.append(f"SOFT EVIDENCE{when}")
        box.notes = wrapped_to_box(_elsewhere(net, members[key], nodes), NOTE)
        boxes[key] = box
    return boxes


def _told(
    nodes: Mapping[str, Node], periods: Sequence[str], evidence: Evidence, do: Mapping[str, str]
) -> list[str]:
    """The periods whose numbers are written: the first, the last, and those of what is seen or set."""
    asked = {nodes[name].period for name in (*evidence, *do) if name in nodes}
    return [period for period in periods if period in (periods[0], periods[-1]) or period in asked]


def _before_children(members: Mapping[Key, Sequence[Node]], nodes: Mapping[str, Node]) -> list[Key]:
    import graphlib

    graph: dict[Key, list[Key]] = {key: [] for key in members}
    for parent, child in _edges(nodes, {}):
        graph[child].append(parent)
    return list(graphlib.TopologicalSorter(graph).static_order())


def _edges(nodes: Mapping[str, Node], do: Mapping[str, str]) -> list[tuple[Key, Key]]:
    """Edges within a period, each once, less those that `do` cuts."""
    found: dict[tuple[Key, Key], None] = {}
    for node in nodes.values():
        for parent in node.parents:
            above = nodes.get(parent)
            if above is not None and node.name not in do and above.period in (None, node.period):
                found[key_of(above), key_of(node)] = None
    return list(found)


def _elsewhere(net: Network, members: Sequence[Node], nodes: Mapping[str, Node]) -> str:
    """What a node takes from the period before, or from nodes that are not drawn."""
    own = key_of(members[0])
    before: dict[str, set[str]] = {}
    hidden = 0
    for node in members:
        for parent in node.parents:
            above = net.nodes[parent]
            if above.period not in (None, node.period) and above.region in (None, node.region):
                before.setdefault("itself" if key_of(above) == own else readable(above.base), set()).add(
                    above.cls or ""
                )
            elif parent not in nodes:
                hidden += 1
    parts = [name + (f" ({len(of)} classes)" if len(of) > 1 else "") for name, of in before.items()]
    text = "↶ " + ", ".join(parts) if parts else ""
    return text + ("; " if text and hidden else "") + (f"{hidden} parents not drawn" if hidden else "")


def _caption(
    nodes: Mapping[str, Node], periods: Sequence[str], evidence: Evidence, do: Mapping[str, str]
) -> str:
    text = (
        "Each bar is the exact probability of a state, in per cent, under the network's central tables; blue "
        "states help deployment, orange ones hinder it. "
    )
    if len(periods) > 1:
        text += (
            f"The strips of a bar are the periods from the top ({', '.join(map(readable, periods))}); the "
            f"numbers belong to {', '.join(map(readable, _told(nodes, periods, evidence, do)))}. "
        )
    text += (
        "Arrows run from cause to effect within a period, in the colour of the cause's group; ↶ names what "
        "is carried over from the period before."
    )
    if evidence or do:
        several = " in the periods set" if len(periods) > 1 else ""
        soft = any(not isinstance(value, str) for value in evidence.values())
        seen = "seen or is hinted at (soft evidence)" if soft else "seen"
        text += (
            f" Thick outlines: solid where a state was {seen}, "
            f"dashed where it is set (arrows into it are cut{several})."
        )
    absent = [name for name in (*evidence, *do) if name not in nodes]
    if absent:
        named = ", ".join(readable(name).replace("  ", ", ") for name in absent[:3])
        text += f" Also seen or set, not drawn: {named}" + (", ..." if len(absent) > 3 else "") + "."
    return text


def _page(layout: Layout, caption: str) -> tuple[Figure, Axes]:
    room = _CAPTION_LINE * len(textwrap.wrap(caption, _CHARACTERS)) + 0.12
    height = layout.height + room
    figure = style.new_figure(height, width=layout.width)
    # Boxes stand where the layout says; a layout engine has nothing to arrange and warns of it.
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.0, room / height, 1.0, layout.height / height))
    style.caption(figure, caption, characters=_CHARACTERS)
    return figure, axes
