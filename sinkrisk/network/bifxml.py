"""The network as BIFXML 0.3, the XML form of the Bayesian network interchange format.

Read by pgmpy, pyAgrum, JavaBayes and Weka. The specification is that of Cozman (1998, "The
Interchange Format for Bayesian Networks", XMLBIF 0.3): in a TABLE the node's own states change
fastest, then the last GIVEN.
"""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

from sinkrisk import files
from sinkrisk.errors import Problems
from sinkrisk.network.assembly import WrittenNode, assembled, read_numbers
from sinkrisk.network.building import Network
from sinkrisk.network.conditions import require_network
from sinkrisk.network.properties import PREFIX, Labels, decoded, properties_of
from sinkrisk.network.safe_xml import Element, parse_xml

_PURPOSE = "BIFXML file"


def save_bifxml(net: Network, path: str | os.PathLike[str]) -> Path:
    """Write a network as BIFXML 0.3.

    Equal networks give equal files, and `read_bifxml` gives back every probability to the last
    bit and every label: those that BIFXML does not know stand as PROPERTY elements.

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
        For names that XML cannot hold: empty, with control characters, or blanks at the ends.

    Examples
    --------
    >>> import tempfile
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables({"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_bifxml(net, folder + "/rain.xml").name
    'rain.xml'
    """
    require_network(net)
    target = files.require_target(path, purpose="BIFXML file")
    _check_names(net)
    root = ElementTree.Element("BIF", VERSION="0.3")
    network = ElementTree.SubElement(root, "NETWORK")
    ElementTree.SubElement(network, "NAME").text = net.name
    properties = properties_of(net)
    for name, node in net.nodes.items():
        variable = ElementTree.SubElement(network, "VARIABLE", TYPE="nature")
        ElementTree.SubElement(variable, "NAME").text = name
        for state in node.states:
            ElementTree.SubElement(variable, "OUTCOME").text = state
        for key, text in properties[name]:
            ElementTree.SubElement(variable, "PROPERTY").text = f"{key} = {text}"
    for name, node in net.nodes.items():
        definition = ElementTree.SubElement(network, "DEFINITION")
        ElementTree.SubElement(definition, "FOR").text = name
        for parent in node.parents:
            ElementTree.SubElement(definition, "GIVEN").text = parent
        values = net.tables[name].ravel()
        ElementTree.SubElement(definition, "TABLE").text = " ".join(repr(float(v)) for v in values)
    ElementTree.indent(root, space=" ")
    text = ElementTree.tostring(root, encoding="unicode", xml_declaration=False)
    files.write_text(target, '<?xml version="1.0" encoding="UTF-8"?>\n' + text + "\n")
    return target


def _check_names(net: Network) -> None:
    found = Problems()
    for what, name in [
        ("name of the network", net.name),
        *(("node name", name) for name in net.nodes),
        *((f"node '{name}': state", state) for name, node in net.nodes.items() for state in node.states),
    ]:
        if not name or name != name.strip() or not name.isprintable():
            found.add(
                f"{what} cannot stand in BIFXML",
                got=name,
                allowed="printable characters, no blanks at the ends",
            )
    found.raise_if_any()


def read_bifxml(path: str | os.PathLike[str]) -> Network:
    """Read a BIFXML 0.3 file, ours or another's.

    Files without our properties get plain labels: every node global, its table certain, the last
    state the favourable end.

    Parameters
    ----------
    path : path
        UTF-8, or Latin-1 when the file says so; at most 64 MiB.

    Returns
    -------
    Network
        Probabilities to the last bit where they sum to one within 1e-9, and divided by their sum
        within 1e-5.

    Raises
    ------
    InputError
        Every fault with node, file and line: not XML or not BIFXML, variables other than chance
        nodes, definitions missing or given twice, wrong numbers of probabilities, rows that do
        not sum to one, unknown parents, cycles, nodes given twice, entities.

    Examples
    --------
    >>> import tempfile
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables({"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = read_bifxml(save_bifxml(net, folder + "/rain.xml"))
    >>> again.nodes["rain"].states
    ('no', 'yes')
    """
    root = parse_xml(path, purpose=_PURPOSE)
    found = Problems(file=str(path))
    network = root.first("NETWORK")
    if root.tag != "BIF" or network is None:
        found.add(
            f"{_PURPOSE}: not BIFXML",
            got=f"<{root.tag}>",
            allowed="<BIF> with <NETWORK> in it",
            row=root.line,
        )
        found.raise_if_any()
    assert network is not None
    if root.attributes.get("VERSION", "0.3") != "0.3":
        found.add(f"{_PURPOSE}: version", got=root.attributes["VERSION"], allowed="0.3", row=root.line)
    definitions: dict[str, Element] = {}
    for definition in network.all("DEFINITION"):
        name = _text(definition.first("FOR"))
        if name in definitions:
            found.add(
                f"node '{name}': definition given twice",
                row=definition.line,
                key=name,
                hint=f"the first is on line {definitions[name].line}",
            )
        definitions.setdefault(name, definition)
    written: list[WrittenNode] = []
    for variable in network.all("VARIABLE"):
        name = _text(variable.first("NAME"))
        kind = variable.attributes.get("TYPE", "nature")
        if kind != "nature":
            found.add(
                f"node '{name}': type of variable", got=kind, allowed="nature", row=variable.line, key=name
            )
        written.append(_written(variable, name, definitions.get(name), found))
    names = [node.name for node in written]
    for name, definition in definitions.items():
        if name not in names:
            found.add("definition of an unknown node", got=name, allowed=names, row=definition.line)
    return assembled(written, name=_text(network.first("NAME")) or "network", found=found)


def _text(element: Element | None) -> str:
    return element.text.strip() if element is not None else ""


def _written(variable: Element, name: str, definition: Element | None, found: Problems) -> WrittenNode:
    states = [_text(outcome) for outcome in variable.all("OUTCOME")]
    parents = [_text(given) for given in definition.all("GIVEN")] if definition is not None else []
    table = definition.first("TABLE") if definition is not None else None
    numbers = read_numbers(table.text, name, table.line, found) if table is not None else None
    labels, lines = {}, {}
    for item in variable.all("PROPERTY"):
        key, _, value = item.text.partition("=")
        if key.strip().startswith(PREFIX):
            labels[key.strip().removeprefix(PREFIX)] = decoded(value.strip())
            lines[key.strip().removeprefix(PREFIX)] = item.line
    return WrittenNode(
        name, variable.line, states, parents, numbers, table.line if table else variable.line,
        told=table is not None and numbers is None, labels=Labels(labels, lines),
    )  # fmt: skip
