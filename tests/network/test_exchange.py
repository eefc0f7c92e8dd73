from __future__ import annotations

import warnings

import numpy as np

from sinkrisk.network import network_from_tables, save_xdsl


def _read(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from pgmpy.readwrite import XDSLReader
    return XDSLReader(path=str(path)).get_model()


def test_xdsl_is_read_back_by_pgmpy_to_the_last_bit(tmp_path, governance):
    model = _read(save_xdsl(governance, tmp_path / "network.xdsl"))
    assert set(model.nodes()) == set(governance.order)
    for name, node in governance.nodes.items():
        cpd = model.get_cpds(name)
        assert cpd.variables == [name, *node.parents]
        assert cpd.state_names[name] == list(node.states)
        np.testing.assert_array_equal(np.moveaxis(cpd.values, 0, -1), governance.tables[name])


def test_equal_networks_give_equal_files(tmp_path):
    tables = {"a": [1 / 3, 2 / 3], "b": [[0.1, 0.9], [1e-12, 1 - 1e-12]]}
    net = network_from_tables({"a": ["n", "y"], "b": ["n", "y"]}, {"b": ["a"]}, tables)
    first, second = save_xdsl(net, tmp_path / "1.xdsl"), save_xdsl(net, tmp_path / "2.xdsl")
    assert first.read_bytes() == second.read_bytes()
    assert _read(first).get_cpds("b").values[0, 1] == 1e-12
