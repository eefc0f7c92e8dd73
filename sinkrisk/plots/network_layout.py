"""Where the boxes of one region's network stand and how its arrows run between them.

Pure geometry, in inches from the top left corner. Nodes stand in rows by depth: global nodes left,
regional ones right of them, and below both one column for each class. An arrow that passes rows
runs through the gutters between boxes, never behind a box, each source in a lane of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Key = tuple[str, str]
"""A node as drawn: its name in the file, and its class ('' where it has none)."""
Point = tuple[float, float]

PITCH = 1.51
"""Width of a column, gutter included."""
GUTTER = 0.14
MARGIN = 0.05
ROW_GAP = 0.40
"""Height left between rows for the arrows."""
LEAST_COLUMNS = 5
"""So that few nodes are not spread wider than many: five columns fit an A4 or a letter page."""
_LANE = 0.03
_SPREAD = 0.7
"""Share of a box's width over which arrows arrive."""


@dataclass
class Placed:
    """A box in its place: row and column, then its left, top, width and height."""

    row: int
    column: int
    height: float
    left: float = 0.0
    top: float = 0.0
    width: float = PITCH - GUTTER

    @property
    def centre(self) -> float:
        """Horizontal middle."""
        return self.left + self.width / 2.0

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.top + self.height


@dataclass
class Layout:
    """Boxes, arrows and the size of the whole.

    An arrow runs straight from its first point to the second, curved to the third, straight to the
    fourth and so on. `blocks` are the left, top, right and bottom of groups of boxes.
    """

    boxes: dict[Key, Placed]
    arrows: dict[tuple[Key, Key], list[Point]]
    width: float
    height: float
    blocks: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)


def layout_of(
    kinds: Mapping[Key, str],
    heights: Mapping[Key, float],
    edges: Sequence[tuple[Key, Key]],
    *,
    classes: Sequence[str],
    top: float,
    below: float,
) -> Layout:
    """Place boxes and route arrows.

    Parameters
    ----------
    kinds : mapping of key to str
        ``global``, ``regional`` or ``class``, parents before children.
    heights : mapping of key to float
        Height of each box, inches.
    edges : sequence of (key, key)
        From parent to child, without cycles.
    classes : sequence of str
        Order of the columns of the classes.
    top, below : float
        Room for headings above the first row and below the last one, inches.

    Returns
    -------
    Layout
    """
    rows = _rows(kinds, edges, classes)
    columns = max(LEAST_COLUMNS, *(1 + column for row in rows for column in row.values()))
    boxes = {
        key: Placed(index, column, heights[key])
        for index, row in enumerate(rows)
        for key, column in row.items()
    }
    y = top
    for row in rows:
        tallest = max(heights[key] for key in row)
        for key, column in row.items():
            boxes[key].left = MARGIN + column * PITCH + GUTTER / 2.0
            boxes[key].top = y
        y += tallest + ROW_GAP
    layout = Layout(boxes, {}, 2.0 * MARGIN + columns * PITCH, y - ROW_GAP + below)
    for kind in ("global", "regional"):
        layout.blocks[kind] = _block([boxes[key] for key in kinds if kinds[key] == kind])
    for name in classes:
        layout.blocks[name] = _block([boxes[key] for key in kinds if key[1] == name])
    layout.arrows = _routed(boxes, edges, rows, columns)
    return layout


def _block(boxes: Sequence[Placed]) -> tuple[float, float, float, float]:
    if not boxes:
        return (0.0, 0.0, 0.0, 0.0)
    return (
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.left + box.width for box in boxes),
        max(box.bottom for box in boxes),
    )


def _rows(
    kinds: Mapping[Key, str], edges: Sequence[tuple[Key, Key]], classes: Sequence[str]
) -> list[dict[Key, int]]:
    """Rows of nodes by depth, each node with its column; a crowded depth takes several rows."""
    parents: dict[Key, list[Key]] = {key: [] for key in kinds}
    for parent, child in edges:
        parents[child].append(parent)
    depth: dict[Key, int] = {}
    below: set[Key] = set()
    for key in kinds:
        if kinds[key] == "class" or any(parent in below for parent in parents[key]):
            below.add(key)
        else:
            depth[key] = max((depth[parent] + 1 for parent in parents[key]), default=0)
    # Classes stand below everything that does not hang on them.
    first = max(depth.values(), default=-1) + 1
    for key in kinds:
        if key in below:
            depth[key] = max([first, *(depth[parent] + 1 for parent in parents[key])])
    children = {key: [child for parent, child in edges if parent == key] for key in kinds}
    for key in reversed(list(kinds)):
        # A node without parents stands just above its first child, so that its arrows are short.
        if key not in below and not parents[key] and children[key]:
            depth[key] = max(depth[key], min(depth[child] for child in children[key]) - 1)
            depth[key] = min(depth[key], first - 1)
    lanes = _widths(kinds, depth, len(classes))
    rows: list[dict[Key, int]] = []
    for level in range(max(depth.values()) + 1):
        level_rows: list[dict[Key, int]] = []
        for kind, (start, count) in lanes.items():
            here = [key for key in kinds if depth[key] == level and kinds[key] == kind]
            here.sort(key=lambda key: _pull(key, parents, rows))
            for number, key in enumerate(here):
                if kind == "class":
                    column = classes.index(key[1])
                    step = sum(other[1] == key[1] for other in here[:number])
                else:
                    step, place = divmod(number, count)
                    wide = min(count, len(here) - step * count)
                    column = start + (place if kind == "global" else count - wide + place)
                while len(level_rows) <= step:
                    level_rows.append({})
                level_rows[step][key] = column
        rows.extend(row for row in level_rows if row)
    return rows


def _widths(kinds: Mapping[Key, str], depth: Mapping[Key, int], classes: int) -> dict[str, tuple[int, int]]:
    """First column and number of columns of each kind."""
    levels = range(max(depth.values()) + 1)
    most = {
        kind: max(sum(depth[key] == level and kinds[key] == kind for key in kinds) for level in levels)
        for kind in ("global", "regional")
    }
    whole = max(LEAST_COLUMNS, classes)
    left = min(most["global"], whole // 2) if most["regional"] else min(most["global"], whole)
    right = min(most["regional"], whole - left)
    return {"global": (0, left), "regional": (whole - right, right), "class": (0, classes)}


def _pull(key: Key, parents: Mapping[Key, Sequence[Key]], rows: Sequence[Mapping[Key, int]]) -> float:
    """Mean column of the parents placed so far: what keeps arrows from crossing."""
    placed = [row[parent] for row in rows for parent in parents[key] if parent in row]
    return sum(placed) / len(placed) if placed else 0.0


def _routed(
    boxes: Mapping[Key, Placed],
    edges: Sequence[tuple[Key, Key]],
    rows: Sequence[Mapping[Key, int]],
    columns: int,
) -> dict[tuple[Key, Key], list[Point]]:
    tops = [min(boxes[key].top for key in row) for row in rows]
    bottoms = [max(boxes[key].bottom for key in row) for row in rows]
    passes: dict[tuple[Key, Key], list[tuple[int, float]]] = {}
    lanes: dict[tuple[int, float], list[Key]] = {}
    for parent, child in edges:
        start, end = boxes[parent], boxes[child]
        through: list[tuple[int, float]] = []
        x = start.centre
        for row in range(start.row + 1, end.row):
            share = 1.0 / (end.row - row + 1)
            ideal = x + share * (end.centre - x)
            gap = min(_gaps(rows[row], columns), key=lambda at: (abs(at - ideal), at))
            through.append((row, gap))
            lanes.setdefault((row, gap), [])
            if parent not in lanes[row, gap]:
                lanes[row, gap].append(parent)
            x = gap
        passes[parent, child] = through
    arrivals: dict[Key, list[tuple[float, Key]]] = {}
    for (parent, child), through in passes.items():
        arrivals.setdefault(child, []).append((through[-1][1] if through else boxes[parent].centre, parent))
    arrows: dict[tuple[Key, Key], list[Point]] = {}
    for (parent, child), through in passes.items():
        start, end = boxes[parent], boxes[child]
        ports = sorted(arrivals[child])
        port = [key for _, key in ports].index(parent)
        toward = (through[0][1] if through else end.centre) - start.centre
        leave = start.centre + max(-0.4 * start.width, min(0.4 * start.width, 0.25 * toward))
        # Straight down past taller neighbours first; curves stay between the rows.
        points = [(leave, start.bottom), (leave, bottoms[start.row])]
        for row, gap in through:
            sources = sorted(lanes[row, gap], key=lambda key: (boxes[key].centre, boxes[key].top))
            offset = (sources.index(parent) - (len(sources) - 1) / 2.0) * min(
                _LANE, (GUTTER - 0.03) / len(sources)
            )
            points += [(gap + offset, tops[row]), (gap + offset, bottoms[row])]
        across = ((port + 0.5) / len(ports) - 0.5) * _SPREAD * end.width
        points.append((end.centre + across, end.top))
        arrows[parent, child] = points
    return arrows


def _gaps(row: Mapping[Key, int], columns: int) -> list[float]:
    """Where an arrow may pass a row: between columns, and through the middle of empty ones."""
    between = [MARGIN + index * PITCH for index in range(columns + 1)]
    taken = set(row.values())
    return between + [MARGIN + (index + 0.5) * PITCH for index in range(columns) if index not in taken]
