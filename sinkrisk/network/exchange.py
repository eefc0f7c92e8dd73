"""The network in files that other programs read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from sinkrisk import files

if TYPE_CHECKING:
    from sinkrisk.network.building import Network

_COLUMN, _ROW = 190, 90
"""Distance of node boxes in the drawing, in pixels."""
_PER_COLUMN = 24


def save_xdsl(net: Network, path: str | os.PathLike[str]) -> Path:
    """Write the stated tables as XDSL, the format of GeNIe and SMILE; pgmpy reads it too.

    Written here and not by pgmpy's `XDSLWriter`, which rounds to 16 decimals and places nodes at
    random: equal networks give equal files, and each probability is read back to the last bit.

    Parameters
    ----------
    net : Network
    path : path

    Returns
    -------
    Path
        The file written.
    """
    root = ElementTree.Element("smile", version="1.0", id=net.name, numsamples="10000", discsamples="10000")
    nodes = ElementTree.SubElement(root, "nodes")
    for name, node in net.nodes.items():
        entry = ElementTree.SubElement(nodes, "cpt", id=name)
        for state in node.states:
            ElementTree.SubElement(entry, "state", id=state)
        if node.parents:
            ElementTree.SubElement(entry, "parents").text = " ".join(node.parents)
        # Own state fastest, then the last parent: the order our tables already have.
        values = net.tables[name].ravel()
        ElementTree.SubElement(entry, "probabilities").text = " ".join(repr(float(v)) for v in values)
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
    target = Path(path)
    files.write_text(target, '<?xml version="1.0" encoding="UTF-8"?>\n' + text + "\n")
    return target
