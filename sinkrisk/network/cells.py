"""Cells of deployment: which classes and regions questions about deployment count

The network has a node for every class in every region. Where none of a class's pathways can be built
(land-based classes in the open ocean) that node says nothing, and is left out unless asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Literal

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network, Node
from sinkrisk.network.telling import near_names

if TYPE_CHECKING:
    import pandas as pd

MODE = "deployment_mode"
MODES = ("full", "throttled", "passive_redundancy", "collapse")
"""The states of a deployment node, best first, as the simulation knows them."""
FALLEN = ("passive_redundancy", "collapse")

Cells = Collection[tuple[str, str]] | Literal["possible", "all"]
"""Pairs (class, region); or those where a pathway is possible; or all."""


def possible_cells(
    pathways: pd.DataFrame | None = None, suitability: pd.DataFrame | None = None
) -> set[tuple[str, str]]:
    """Return the classes and regions in which some pathway of the class is possible.

    Parameters
    ----------
    pathways : DataFrame, optional
        The priors' table: pathway, classes (separated by ";"), creditable.
    suitability : DataFrame, optional
        The priors' table: pathway, region, high (0 where the pathway is impossible).

    Returns
    -------
    set of (class, region)

    Examples
    --------
    >>> cells = possible_cells()
    >>> ("ocean", "open_ocean") in cells, ("land_based", "open_ocean") in cells
    (True, False)
    """
    import pandas as pd

    from sinkrisk.priors import load_table

    pathways = load_table("pathways") if pathways is None else pathways
    suitability = load_table("suitability") if suitability is None else suitability
    able = suitability[pd.to_numeric(suitability["high"]) > 0.0]
    regions = able.groupby("pathway")["region"].agg(list).to_dict()
    counted = pathways[pathways["creditable"].astype(str).str.lower() == "true"]
    return {
        (name.strip(), str(region))
        for pathway, classes in zip(counted["pathway"], counted["classes"], strict=True)
        for name in str(classes).split(";")
        for region in regions.get(pathway, [])
    }


def deployment_nodes(net: Network, cells: Cells = "all") -> tuple[list[Node], str]:
    """Return the deployment nodes of the cells asked for, and those cells in words.

    Parameters
    ----------
    net : Network
    cells : collection of (class, region), or "possible" or "all"
        "possible" keeps a class or region of which the priors know nothing whole.

    Raises
    ------
    InputError
        For a network without deployment nodes, deployment nodes of other states, pairs that it has
        not, or none.
    """
    if not isinstance(net, Network):
        allowed = "what network.load returns"
        raise InputError(Problem("not a network", got=type(net).__name__, allowed=allowed))
    require_deployment_modes(net)
    nodes = [node for node in net.nodes.values() if node.base == MODE]
    have = list(dict.fromkeys((str(node.cls), str(node.region)) for node in nodes))
    if isinstance(cells, str):
        if cells not in ("possible", "all"):
            raise InputError(Problem("cells", got=cells, allowed=["possible", "all"], key="cells"))
        if cells == "all":
            return nodes, f"all {len(have)} cells (class, region), possible or not"
        possible = possible_cells()
        classes, regions = {cls for cls, _ in possible}, {region for _, region in possible}
        kept = [cell for cell in have if cell in possible or cell[0] not in classes or cell[1] not in regions]
        if not kept:
            raise InputError(
                Problem("no cell in which a pathway is possible", allowed="cells='all' counts every cell")
            )
        words = f"the {len(kept)} of {len(have)} cells (class, region) in which a pathway is possible"
    else:
        kept = _named(cells, have)
        words = f"{len(kept)} of {len(have)} cells (class, region), as asked for"
    wanted = set(kept)
    return [node for node in nodes if (str(node.cls), str(node.region)) in wanted], words


def _named(cells: Iterable[tuple[str, str]], have: list[tuple[str, str]]) -> list[tuple[str, str]]:
    found = Problems()
    if not isinstance(cells, Iterable):
        raise InputError(Problem("cells", got=cells, allowed="pairs (class, region)", key="cells"))
    given = list(cells)
    if not given:
        raise InputError(
            Problem("no cells asked for", got=given, allowed="pairs (class, region)", key="cells")
        )
    classes = list(dict.fromkeys(cls for cls, _ in have))
    regions = list(dict.fromkeys(region for _, region in have))
    for cell in given:
        if isinstance(cell, str) or not isinstance(cell, Iterable) or len(tuple(cell)) != 2:
            found.add("not a cell", got=cell, allowed="pairs (class, region)", key="cells")
        elif tuple(cell) not in have:
            cls, region = cell
            before = len(found.found)
            if cls not in classes:
                found.add("no deployment node of such a class", got=cls, allowed=classes, key="cells")
            if region not in regions:
                near = near_names(str(region), regions) or regions
                found.add("no deployment node in such a region", got=region, allowed=near, key="cells")
            if len(found.found) == before:
                found.add("no deployment node of the class in the region", got=cell, key="cells")
    found.raise_if_any()
    return [(str(cls), str(region)) for cls, region in given]


def require_deployment_modes(net: Network) -> None:
    """Raise unless the network says how far each class is deployed, in the states a run knows.

    A run reads the nodes `deployment_mode`; without them it would count as if no policy existed.

    Parameters
    ----------
    net : Network

    Raises
    ------
    InputError
        When there is no node ``deployment_mode``, or one whose states are not full, throttled,
        passive_redundancy, collapse in this order.

    Examples
    --------
    >>> from sinkrisk.network import load
    >>> require_deployment_modes(load(regions=["arid_zones"], periods=["near_term"]))
    """
    modes = [node for node in net.nodes.values() if node.base == MODE]
    if not modes:
        bases = sorted({node.base for node in net.nodes.values()})
        near = near_names(MODE, bases)
        hint = f"is it '{near[0]}'?" if near else f"the network '{net.name}' has {', '.join(bases[:8])}"
        raise InputError(
            Problem(f"no deployment node: the simulation needs a node '{MODE}'", hint=hint, key="nodes")
        )
    for states in {node.states for node in modes}:
        if states != MODES:
            raise InputError(
                Problem(
                    f"states of '{MODE}' are not those the simulation knows, in order",
                    got=", ".join(states),
                    allowed=", ".join(MODES),
                    key=f"nodes.{MODE}.states",
                )
            )
