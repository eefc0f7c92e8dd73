"""Round trips through files are exact; other programs read ours, and we read theirs."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import Network, network_from_tables, query, save_xdsl, table_bank
from sinkrisk.network.bifxml import read_bifxml, save_bifxml
from sinkrisk.network.exchange import read_xdsl
from sinkrisk.network.tables import TableRule
from sinkrisk.network.updating import updated

FORMATS = {"xdsl": (save_xdsl, read_xdsl), "xml": (save_bifxml, read_bifxml)}
CHAIN = {"a": ["n", "y"], "b": ["n", "y"]}


def pgmpy_io(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from pgmpy import readwrite
    return getattr(readwrite, name)


def _read(path):
    return pgmpy_io("XDSLReader")(path=str(path)).get_model()


def assert_same(read: Network, net: Network) -> None:
    """Names, order, labels and rules equal; every probability equal bit for bit."""
    assert (read.name, read.description, read.order) == (net.name, net.description, net.order)
    assert dict(read.nodes) == dict(net.nodes)
    for name in net.order:
        assert read.tables[name].shape == net.tables[name].shape
        assert read.tables[name].tobytes() == net.tables[name].tobytes(), name
    assert list(read.rules) == list(net.rules)
    for name, rule in net.rules.items():
        for field in dataclasses.fields(TableRule):
            if field.name != "mean":
                assert getattr(read.rules[name], field.name) == getattr(rule, field.name), (name, field.name)


def labelled(net: Network, rng: np.random.Generator) -> Network:
    """The network with labels of all kinds, awkward ones among them."""
    texts = [
        "",
        "plain",
        'a = b; 50% of <c> & "d"',
        " edges \n and\ttabs ",
        "Zürich, 中国",
        "%3D",
        "\x07\x85",
    ]
    nodes = []
    for name, node in net.nodes.items():
        nodes.append(
            dataclasses.replace(
                node,
                base=name.upper(),
                kind=str(rng.choice(["global", "regional", "class"])),
                region=None if rng.random() < 0.5 else str(rng.choice(["north", "open_ocean"])),
                period=None if rng.random() < 0.5 else "near_term",
                cls=None if rng.random() < 0.5 else "nature",
                group=str(rng.choice(["policy", "market", "acceptance", "deployment", "climate"])),
                favourable=str(rng.choice(["first", "last"])),
                rationale=texts[rng.integers(len(texts))],
                source=texts[rng.integers(len(texts))],
                locator=texts[rng.integers(len(texts))],
                equivalent_sample_size=float(rng.choice([np.inf, 1 / 3 + 1, 20.0])),
            )
        )
    rules = {
        name: TableRule(str(rng.choice(["stream", name])), rule.mean, float(rng.choice([np.inf, 7.1])), 0.1)
        for name, rule in net.rules.items()
    }
    return Network(nodes, rules, name="net", description=texts[rng.integers(len(texts))])


@pytest.mark.parametrize("suffix", FORMATS)
def test_round_trip_of_random_networks_is_exact(tmp_path, random_network, suffix):
    save, read = FORMATS[suffix]
    for seed in range(60):
        rng = np.random.default_rng(seed)
        net = random_network(rng)
        net = labelled(net, rng) if seed % 2 else net
        assert_same(read(save(net, tmp_path / f"{seed}.{suffix}")), net)


@pytest.mark.parametrize("suffix", FORMATS)
def test_round_trip_of_the_governance_network_keeps_its_doubt_too(tmp_path, governance, suffix):
    save, read = FORMATS[suffix]
    again = read(save(governance, tmp_path / f"g.{suffix}"))
    assert_same(again, governance)
    first, second = table_bank(governance, 3, rng=5), table_bank(again, 3, rng=5)
    for rule, draws in first.draws.items():
        np.testing.assert_array_equal(second.draws[rule], draws)


@pytest.mark.parametrize("suffix", FORMATS)
def test_one_draw_of_a_bank_round_trips(tmp_path, governance, suffix):
    # Tables that plates share differ in no draw, but each node then has a rule of its own.
    save, read = FORMATS[suffix]
    drawn = governance.with_tables(table_bank(governance, 2, rng=3).tables(1))
    assert_same(read(save(drawn, tmp_path / f"d.{suffix}")), drawn)


@pytest.mark.parametrize("suffix", FORMATS)
def test_equal_networks_give_equal_files_without_properties_where_all_is_plain(tmp_path, suffix):
    save, read = FORMATS[suffix]
    tables = {"a": [1 / 3, 2 / 3], "b": [[0.1, 0.9], [1e-12, 1 - 1e-12]]}
    net = network_from_tables(CHAIN, {"b": ["a"]}, tables)
    first, second = save(net, tmp_path / f"1.{suffix}"), save(net, tmp_path / f"2.{suffix}")
    assert first.read_bytes() == second.read_bytes()
    assert b"sinkrisk_" not in first.read_bytes()
    assert read(first).tables["b"][1, 0] == 1e-12


@pytest.mark.parametrize(("suffix", "reader"), [("xdsl", "XDSLReader"), ("xml", "XMLBIFReader")])
def test_pgmpy_reads_our_files_and_answers_alike(tmp_path, random_network, suffix, reader):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from pgmpy.inference import VariableElimination
    save, _ = FORMATS[suffix]
    for seed in range(8):
        rng = np.random.default_rng(100 + seed)
        net = labelled(random_network(rng, zeros=False), rng)
        model = pgmpy_io(reader)(path=str(save(net, tmp_path / f"{seed}.{suffix}"))).get_model()
        for name, node in net.nodes.items():
            cpd = model.get_cpds(name)
            assert cpd.variables == [name, *node.parents]
            assert cpd.state_names == {n: list(net.states[n]) for n in (name, *node.parents)}
            np.testing.assert_array_equal(np.moveaxis(cpd.values, 0, -1), net.tables[name])
        last, first = net.order[-1], net.order[0]
        factor = VariableElimination(model).query([first], evidence={last: "s0"}, show_progress=False)
        np.testing.assert_allclose(factor.values, query(net, first, {last: "s0"})[first], atol=1e-12)


@pytest.mark.parametrize(("suffix", "writer"), [("xdsl", "XDSLWriter"), ("xml", "XMLBIFWriter")])
def test_we_read_what_pgmpy_writes(tmp_path, random_network, suffix, writer):
    _, read = FORMATS[suffix]
    for seed in range(8):
        net = random_network(np.random.default_rng(200 + seed))
        path = tmp_path / f"{seed}.{suffix}"
        pgmpy_io(writer)(net.model).write(str(path))
        again = read(path)
        for name, node in net.nodes.items():
            assert again.nodes[name].states == node.states
            assert set(again.nodes[name].parents) == set(node.parents)
            axes = [again.nodes[name].parents.index(p) for p in node.parents]
            # pgmpy writes XDSL with 16 decimals.
            np.testing.assert_allclose(
                again.tables[name].transpose(*axes, again.tables[name].ndim - 1),
                net.tables[name],
                rtol=0.0,
                atol=1e-15,
            )


def test_xdsl_is_read_back_by_pgmpy_to_the_last_bit(tmp_path, governance):
    model = _read(save_xdsl(governance, tmp_path / "network.xdsl"))
    assert set(model.nodes()) == set(governance.order)
    for name, node in governance.nodes.items():
        cpd = model.get_cpds(name)
        assert cpd.variables == [name, *node.parents]
        assert cpd.state_names[name] == list(node.states)
        np.testing.assert_array_equal(np.moveaxis(cpd.values, 0, -1), governance.tables[name])


def test_a_table_edited_elsewhere_is_read_as_a_full_one_of_its_own(tmp_path, governance):
    path = save_xdsl(governance, tmp_path / "g.xdsl")
    rules = [node.rule for node in governance.nodes.values()]
    rule = next(r for r in rules if governance.rules[r].ranked and rules.count(r) > 2)
    first, second, *_ = [name for name, node in governance.nodes.items() if node.rule == rule]
    table = governance.tables[first]

    def text_of(values):
        return " ".join(repr(float(v)) for v in values.ravel())

    uniform = np.full_like(table, 1 / table.shape[-1])
    text = path.read_text()
    at = text.index(f'<cpt id="{first}">')
    path.write_text(text[:at] + text[at:].replace(text_of(table), text_of(uniform), 1))
    again = read_xdsl(path)
    own = again.rules[again.nodes[first].rule]
    np.testing.assert_array_equal(again.tables[first], uniform)
    assert own.ranked is None
    assert own.equivalent_sample_size == governance.rules[rule].equivalent_sample_size
    # The others keep what they share, parameters included.
    assert again.nodes[second].rule == rule
    assert again.rules[rule].ranked == governance.rules[rule].ranked
    # Edited in every node, the table no longer follows from its parameters anywhere.
    path.write_text(text.replace(text_of(table), text_of(uniform)))
    again = read_xdsl(path)
    assert again.nodes[first].rule == again.nodes[second].rule == rule
    assert again.rules[rule].ranked is None
    np.testing.assert_array_equal(again.tables[second], uniform)


def refusal(read, path, text) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


# Each entity is ten of the one before: the last would be a thousand million laughs.
LAUGHS = "\n".join(
    [
        '<?xml version="1.0"?>',
        "<!DOCTYPE {root} [",
        '<!ENTITY e0 "ha">',
        *(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10}">' for k in range(1, 10)),
        "]>",
        "<{root}>&e9;</{root}>",
    ]
)


@pytest.mark.parametrize(("suffix", "root"), [("xdsl", "smile"), ("xml", "BIF")])
def test_unsafe_and_broken_xml_is_refused(tmp_path, suffix, root):
    path, read = tmp_path / f"x.{suffix}", FORMATS[suffix][1]
    message = refusal(read, path, LAUGHS.format(root=root))
    assert "row 3" in message
    assert "declares an entity: got 'e0'" in message
    (tmp_path / "secret").write_text("secret")
    outside = f'<!DOCTYPE {root} [<!ENTITY x SYSTEM "secret">]>\n<{root}>&x;</{root}>'
    assert "declares an entity: got 'x'" in refusal(read, path, outside)
    parameter = f'<!DOCTYPE {root} [<!ENTITY % x SYSTEM "secret"> %x;]>\n<{root}/>'
    assert "declares an entity: got 'x'" in refusal(read, path, parameter)
    unread = f'<!DOCTYPE {root} SYSTEM "secret">\n<{root}>&y;</{root}>'
    assert "row 2: " in refusal(read, path, unread)
    assert "an entity that the file does not define: got 'y'" in refusal(read, path, unread)
    assert "not well-formed XML" in refusal(read, path, "network { }")
    assert "row 2: " in refusal(read, path, f"<{root}>\n</nodes>")
    assert "not well-formed XML" in refusal(read, path, "")
    assert "nested too deeply" in refusal(read, path, f"<{root}>" + "<a>" * 50)
    assert "not UTF-8 text" in refusal(read, path, f"<{root}>\xe9</{root}>".encode("latin-1"))
    assert "not UTF-8 text" in refusal(read, path, f"<{root}/>".encode("utf-16"))
    assert "got '<html>'" in refusal(read, path, "<html><body/></html>")
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / f"none.{suffix}")


def test_size_and_number_of_elements_are_limited(tmp_path, monkeypatch):
    path = tmp_path / "x.xdsl"
    monkeypatch.setattr("sinkrisk.network.safe_xml.MAX_ELEMENTS", 100)
    assert "too many XML elements; allowed: up to 100" in refusal(
        read_xdsl, path, "<a>" + "<b/>" * 100 + "</a>"
    )
    monkeypatch.setattr("sinkrisk.files.MAX_TEXT_BYTES", 100)
    assert "file too large" in refusal(read_xdsl, path, "<a>" + " " * 200 + "</a>")
    latin = '<?xml version="1.0" encoding="ISO-8859-1"?><a>' + " " * 200 + "</a>"
    assert "file too large" in refusal(read_xdsl, path, latin)


def xdsl(nodes: str) -> str:
    return f'<?xml version="1.0"?>\n<smile version="1.0" id="x">\n<nodes>\n{nodes}\n</nodes>\n</smile>'


def cpt(name: str, parents: str = "", numbers: str | None = "0.5 0.5", more: str = "") -> str:
    above = f"<parents>{parents}</parents>" if parents else ""
    table = f"<probabilities>{numbers}</probabilities>" if numbers is not None else ""
    return f'<cpt id="{name}"><state id="n"/><state id="y"/>{above}{table}{more}</cpt>'


def test_every_fault_of_an_xdsl_file_is_told_at_once_with_its_line(tmp_path):
    nodes = [
        cpt("rain"),
        cpt("rain"),
        cpt("wet", "rian", "0.5 0.5 0.5 0.5"),
        cpt("dry", "rain", None),
        cpt("cold", "rain", "0.5 0.5 0.5"),
        cpt("warm", "rain", "0.5 0.5 0.5 0.6"),
        cpt("hot", "", "1.5 -0.5"),
        cpt("odd", "", "half 0.5"),
        cpt("p", "q", "0.5 0.5 0.5 0.5"),
        cpt("q", "p", "0.5 0.5 0.5 0.5"),
        '<cpt id="none"><probabilities>1</probabilities></cpt>',
        '<cpt id="twin"><state id="a"/><state id="a"/><probabilities>0.5 0.5</probabilities></cpt>',
        '<noisymax id="max"><state id="a"/><parents>rain</parents></noisymax>',
        '<utility id="gain"/>',
        cpt("under", "max", "0.5 0.5"),
        cpt("not_a_number", "", "nan 0.5"),
    ]  # fmt: skip
    message = refusal(read_xdsl, tmp_path / "x.xdsl", xdsl("\n".join(nodes)))
    for part in (
        "row 5, key 'rain': node given twice: got 'rain'; the first is on line 4",
        "row 6, key 'wet': node 'wet': unknown parent: got 'rian'; allowed: rain",
        "row 7, key 'dry': node 'dry' has no table",
        "row 8, key 'cold': node 'cold': wrong number of probabilities: got 3; allowed: 4: 2 x 2",
        "row 9, key 'warm': node 'warm': probabilities do not sum to one: got 1.1; allowed: 1; for rain=y",
        "row 10, key 'hot': node 'hot': probability out of range: got 1.5",
        "row 11, key 'odd': node 'odd': not a number in its table: got 'half'",
        "cycle: got ",
        "row 14, key 'none': node 'none': no states",
        "row 15, key 'twin': node 'twin': state given twice: got 'a'",
        "row 16, key 'max': node 'max': type of node: got 'noisymax'; allowed: cpt, deterministic; in GeNIe",
        "row 17, key 'gain': node 'gain': type of node: got 'utility'",
        "row 19, key 'not_a_number': node 'not_a_number': probability out of range",
    ):
        assert part in message, part
    # What follows from another fault is no fault of its own.
    assert message.startswith("13 problems")
    assert "'under'" not in message
    assert "did you mean 'rain'?" in message


def test_a_dynamic_network_and_an_empty_one_are_refused(tmp_path):
    path = tmp_path / "x.xdsl"
    text = xdsl(cpt("a")).replace("</smile>", '<dynamic numslices="5"/></smile>')
    assert "a dynamic network is not read; unroll it in GeNIe" in refusal(read_xdsl, path, text)
    assert "no nodes in the file" in refusal(read_xdsl, path, xdsl(""))


def test_a_table_too_large_to_lay_out_is_told_from_its_length(tmp_path):
    roots = [f"r{i}" for i in range(60)]
    nodes = [cpt(name) for name in roots] + [cpt("child", " ".join(roots))]
    message = refusal(read_xdsl, tmp_path / "x.xdsl", xdsl("\n".join(nodes)))
    assert f"node 'child': wrong number of probabilities: got 2; allowed: {2**61}" in message


def test_deterministic_nodes_of_genie_are_read(tmp_path):
    table = (
        '<deterministic id="both"><state id="no"/><state id="yes"/><parents>a b</parents>'
        "<resultingstates>no no no yes</resultingstates></deterministic>"
    )
    path = tmp_path / "x.xdsl"
    path.write_text(xdsl("\n".join([cpt("a"), cpt("b", "", "0.25 0.75"), table])))
    net = read_xdsl(path)
    np.testing.assert_array_equal(net.tables["both"][..., 1], [[0.0, 0.0], [0.0, 1.0]])
    assert query(net, "both")["both"]["yes"] == pytest.approx(0.375, abs=1e-15)
    wrong = table.replace("no no no yes", "no no no yess")
    message = refusal(read_xdsl, path, xdsl("\n".join([cpt("a"), cpt("b"), wrong])))
    assert "node 'both': unknown state: got 'yess'; allowed: no, yes; did you mean 'yes'?" in message


def test_the_last_parent_changes_fastest_as_genie_has_it(tmp_path):
    # Dyspnoea of the network Asia (Lauritzen and Spiegelhalter 1988, J. R. Stat. Soc. B 50, 157-224) as
    # GeNIe saves it: P(no | either no, bronchitis yes) = 0.2, P(no | either yes, bronchitis no) = 0.3.
    numbers = "0.9 0.1 0.2 0.8 0.3 0.7 0.1 0.9"
    path = tmp_path / "x.xdsl"
    path.write_text(xdsl("\n".join([cpt("either"), cpt("bronc"), cpt("dysp", "either bronc", numbers)])))
    np.testing.assert_array_equal(read_xdsl(path).tables["dysp"][..., 0], [[0.9, 0.2], [0.3, 0.1]])


def test_files_of_other_programs_get_plain_labels_and_rows_of_few_digits_are_mended(tmp_path):
    path = tmp_path / "x.xdsl"
    text = xdsl(cpt("a", "", "0.333333 0.666666", '<property id="author">Ägir</property>'))
    path.write_bytes(text.replace('"1.0"?>', '"1.0" encoding="ISO-8859-1"?>').encode("latin-1"))
    net = read_xdsl(path)
    node = net.nodes["a"]
    assert (node.kind, node.group, node.favourable, node.region, node.source) == (
        "global",
        "policy",
        "last",
        None,
        "",
    )
    assert node.equivalent_sample_size == np.inf
    assert node.rule == "a"
    assert net.tables["a"].sum() == pytest.approx(1.0, abs=1e-15)
    assert net.tables["a"][0] == pytest.approx(0.333333 / 0.999999, abs=1e-15)


def test_wrong_properties_of_ours_are_refused(tmp_path):
    more = "".join(
        f'<property id="sinkrisk_{key}">{text}</property>\n'
        for key, text in [
            ("kind", "regionall"),
            ("equivalent_sample_size", "-3"),
            ("rule_definition", '{"ranked": {"parents": 3}}'),
        ]
    )
    message = refusal(read_xdsl, tmp_path / "x.xdsl", xdsl(cpt("a", "", "0.5 0.5", more)))
    assert "row 4, key 'a': node 'a': property 'sinkrisk_kind': got 'regionall'" in message
    assert "did you mean 'regional'?" in message
    assert "row 5, key 'a': node 'a': property 'sinkrisk_equivalent_sample_size': got '-3'" in message
    assert "row 6, key 'a': node 'a': property 'sinkrisk_rule_definition' cannot be read" in message
    for wrong in ("[1]", "{", '{"correlation": 3}', '{"correlation": "x"}', "[" * 100_000):
        more = f'<property id="sinkrisk_rule_definition">{wrong}</property>'
        message = refusal(read_xdsl, tmp_path / "x.xdsl", xdsl(cpt("a", "", "0.5 0.5", more)))
        assert "'sinkrisk_rule_definition' cannot be read" in message
        assert "delete the property" in message


def test_names_that_xdsl_cannot_hold_are_refused_together(tmp_path):
    net = network_from_tables({"1st": ["very high", "low"]}, {}, {"1st": [0.5, 0.5]}, name="my net")
    with pytest.raises(InputError) as caught:
        save_xdsl(net, tmp_path / "x.xdsl")
    for got in ("my net", "1st", "very high"):
        assert f"is no identifier, which XDSL asks for: got '{got}'" in str(caught.value)
    assert not (tmp_path / "x.xdsl").exists()


@pytest.mark.parametrize("suffix", FORMATS)
def test_sizes_of_rows_after_an_update_round_trip(tmp_path, suffix):
    save, read = FORMATS[suffix]
    prior = network_from_tables(
        {"dry": ["no", "yes"], "fire": ["none", "large"]},
        {"fire": ["dry"]},
        {"dry": [0.7, 0.3], "fire": [[0.9, 0.1], [0.5, 0.5]]},
        equivalent_sample_size=8.0,
    )
    seen = pd.DataFrame({"node": ["fire"], "given": ["dry=yes"], "state": ["large"], "count": [7]})
    net = updated(prior, seen)
    again = read(save(net, tmp_path / f"u.{suffix}"))
    np.testing.assert_array_equal(again.rules["fire"].row_sizes, [8.0, 15.0])
    assert again.rules["dry"].row_sizes is None
    drawn = (table_bank(one, 50, rng=1).draws["fire"] for one in (net, again))
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize("sizes", ["[8.0]", "[8.0, -1.0]", "[8.0, null]", '"many"'])
def test_sizes_of_rows_that_are_none_are_refused(tmp_path, sizes):
    definition = '{"row_sizes": ' + sizes + "}"
    more = f'<property id="sinkrisk_rule_definition">{definition}</property>'
    path = tmp_path / "sizes.xdsl"
    path.write_text(xdsl(cpt("dry") + cpt("fire", "dry", "0.5 0.5 0.1 0.9", more)))
    with pytest.raises(InputError, match=r"fire.*rule_definition.*cannot be read"):
        read_xdsl(path)
