"""The network as XDSL, the format of GeNIe and SMILE.

Written and read here and not by pgmpy: its `XDSLWriter` rounds to 16 decimals and places nodes at
random, and its `XDSLReader` checks nothing and stops at a second blank between two numbers.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree

from sinkrisk import files
from sinkrisk.errors import Problems
from sinkrisk.network.assembly import WrittenNode, assembled, read_numbers
from sinkrisk.network.building import Network
from sinkrisk.network.conditions import require_network
from sinkrisk.network.properties import PREFIX, Labels, decoded, properties_of
from sinkrisk.network.safe_xml import Element, parse_xml

_COLUMN, _ROW = 190, 90
"""Distance of node boxes in the drawing, in pixels."""
_PER_COLUMN = 24
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PURPOSE = "XDSL file"
_CONVERT = "in GeNIe, change the type of the node to General, which has a full table, and save again"


def save_xdsl(net: Network, path: str | os.PathLike[str]) -> Path:
    """Write a network as XDSL, which GeNIe, SMILE and pgmpy read.

    Equal networks give equal files. Probabilities are read back to the last bit, and the labels
    that XDSL does not know (group, rationale, source, doubt, ...) stand as user properties of the
    nodes, for `read_xdsl`.

    Parameters
    ----------
    net : Network
    path : path

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        For names of the network, of nodes or states that are no identifiers of SMILE: a letter,
        then letters, digits and underscores.

    Examples
    --------
    >>> import tempfile
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables({"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_xdsl(net, folder + "/rain.xdsl").name
    'rain.xdsl'
    """
    require_network(net)
    target = files.require_target(path, purpose="XDSL file")
    _check_names(net)
    root = ElementTree.Element("smile", version="1.0", id=net.name, numsamples="10000", discsamples="10000")
    nodes = ElementTree.SubElement(root, "nodes")
    properties = properties_of(net)
    for name, node in net.nodes.items():
        entry = ElementTree.SubElement(nodes, "cpt", id=name)
        for state in node.states:
            ElementTree.SubElement(entry, "state", id=state)
        if node.parents:
            ElementTree.SubElement(entry, "parents").text = " ".join(node.parents)
        # Own state fastest, then the last parent: the order our tables already have.
        values = net.tables[name].ravel()
        ElementTree.SubElement(entry, "probabilities").text = " ".join(repr(float(v)) for v in values)
        for key, text in properties[name]:
            ElementTree.SubElement(entry, "property", id=key).text = text
    extensions = ElementTree.SubElement(root, "extensions")
    genie = ElementTree.SubElement(extensions, "genie", version="1.0", app="sinkrisk", name=net.name)
    for index, name in enumerate(net.order):
        entry = ElementTree.SubElement(genie, "node", id=name)
        ElementTree.SubElement(entry, "name").text = name.replace("__", " ").replace("_", " ")
        left, top = (index // _PER_COLUMN) * _COLUMN, (index % _PER_COLUMN) * _ROW
        ElementTree.SubElement(entry, "interior", color="e5f6f7")
        ElementTree.SubElement(entry, "outline", color="000080")
        ElementTree.SubElement(entry, "font", color="000000", name="Arial", size="8")
        ElementTree.SubElement(entry, "position").text = f"{left} {top} {left + 150} {top + 54}"
    ElementTree.indent(root, space=" ")
    text = ElementTree.tostring(root, encoding="unicode", xml_declaration=False)
    files.write_text(target, '<?xml version="1.0" encoding="UTF-8"?>\n' + text + "\n")
    return target


def _check_names(net: Network) -> None:
    found = Problems()

    def check(what: str, name: str, key: str | None = None) -> None:
        if not _IDENTIFIER.fullmatch(name):
            found.add(
                f"{what} is no identifier, which XDSL asks for",
                got=name,
                allowed="a letter, then letters, digits and underscores",
                key=key,
                hint="rename it, or write BIFXML, which takes any name",
            )

    check("name of the network", net.name)
    for name, node in net.nodes.items():
        check("node name", name)
        for state in node.states:
            check(f"node '{name}': state", state, name)
    found.raise_if_any()


def read_xdsl(path: str | os.PathLike[str]) -> Network:
    """Read an XDSL file, ours or another's.

    Nodes of type ``cpt`` and ``deterministic`` are read. Files without our user properties get
    plain labels: every node global, its table certain, the last state the favourable end.

    Parameters
    ----------
    path : path
        UTF-8, or Latin-1 when the file says so; at most 64 MiB.

    Returns
    -------
    Network
        Nodes in the order of the file where parents precede children there; probabilities to the
        last bit where they sum to one within 1e-9, and divided by their sum within 1e-5.

    Raises
    ------
    InputError
        Every fault with node, file and line: not XML or not XDSL, node types other than the two,
        missing tables, wrong numbers of probabilities, rows that do not sum to one, unknown
        parents, cycles, nodes given twice, entities.

    Examples
    --------
    >>> import tempfile
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables({"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = read_xdsl(save_xdsl(net, folder + "/rain.xdsl"))
    >>> again.tables["rain"].tolist()
    [0.8, 0.2]
    """
    root = parse_xml(path, purpose=_PURPOSE)
    found = Problems(file=str(path))
    nodes = root.first("nodes")
    if root.tag != "smile" or nodes is None:
        found.add(
            f"{_PURPOSE}: not a network of GeNIe or SMILE",
            got=f"<{root.tag}>",
            allowed="<smile> with <nodes> in it",
            row=root.line,
        )
        found.raise_if_any()
    assert nodes is not None
    dynamic = root.first("dynamic")
    if dynamic is not None:
        found.add(
            f"{_PURPOSE}: a dynamic network is not read",
            row=dynamic.line,
            hint="unroll it in GeNIe and save the unrolled network",
        )
    written: list[WrittenNode] = []
    refused: list[str] = []
    for entry in nodes.children:
        name = entry.attributes.get("id", "")
        if entry.tag in ("cpt", "deterministic"):
            written.append(_written(entry, name, found))
        else:
            refused.append(name)
            found.add(
                f"node '{name}': type of node",
                got=entry.tag,
                allowed=("cpt", "deterministic"),
                row=entry.line,
                key=name,
                hint=_CONVERT if entry.tag.startswith("noisy") else None,
            )
    return assembled(written, name=root.attributes.get("id", "network"), found=found, elsewhere=refused)


def _written(entry: Element, name: str, found: Problems) -> WrittenNode:
    states = [state.attributes.get("id", "") for state in entry.all("state")]
    above = entry.first("parents")
    parents = above.text.split() if above is not None else []
    table = entry.first("probabilities" if entry.tag == "cpt" else "resultingstates")
    numbers: list[float] | None = None
    if table is not None:
        if entry.tag == "cpt":
            numbers = read_numbers(table.text, name, table.line, found)
        else:
            numbers = _certain(table, states, name, found)
    labels, lines = {}, {}
    for item in entry.all("property"):
        key = item.attributes.get("id", "")
        if key.startswith(PREFIX):
            labels[key.removeprefix(PREFIX)] = decoded(item.text)
            lines[key.removeprefix(PREFIX)] = item.line
    return WrittenNode(
        name, entry.line, states, parents, numbers, table.line if table else entry.line,
        told=table is not None and numbers is None, labels=Labels(labels, lines),
    )  # fmt: skip


def _certain(table: Element, states: list[str], name: str, found: Problems) -> list[float] | None:
    """The table of a deterministic node, from the state that each combination of parents gives."""
    results = table.text.split()
    unknown = [state for state in results if state not in states]
    for state in dict.fromkeys(unknown):
        found.add(f"node '{name}': unknown state", got=state, allowed=states, row=table.line, key=name)
    return None if unknown else [float(own == state) for state in results for own in states]
