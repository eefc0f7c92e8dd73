"""BIF as several programs write it, and what is refused of it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import query
from sinkrisk.network.bif import read_bif

# The network "dog problem" as JavaBayes writes BIF 0.15: quoted names, properties, own states slowest.
DOG = """// Bayesian network
network "Dog-Problem" { //5 variables and 5 probability distributions
    property "credal-set constant-density-bounded 1.1" ;
}
variable  "light-on" { //2 values
    type discrete[2] {  "true"  "false" };
    property "position = (218, 195)" ;
}
variable  "dog-out" {
    type discrete[2] {  "true"  "false" };
}
variable  "bowel-problem" {
    type discrete[3] {  "a"  "b" "c; or }" };
}
variable  "family-out" { type discrete[2] {  "true"  "false" }; }
/* several
   lines */ probability (  "light-on"  "family-out" ) { //2 variable(s) and 4 values
    table 0.6 0.05 0.4 0.95 ;
}
probability (  "dog-out" | "bowel-problem",  "family-out" ) {
    table 0.99 0.97 0.9 0.3 0.5 0.6
    0.01 0.03 0.1 0.7 0.5 0.4;
}
probability (  "bowel-problem" ) { table 0.2, 0.3, 5e-1; }
probability (  "family-out" ) { table 0.15 0.85 ; }
"""

# As bnlearn writes it; rows in any order, a name with signs of comparison.
ROWS = """network unknown {
}
variable age {
  type discrete [ 3 ] { <5, 5-10, 12+ };
}
variable smoker {
  type discrete [ 2 ] { True, very rarely };
}
variable ill {
  type discrete [ 2 ] { no, yes };
}
probability ( age ) {
  table 0.2, 0.3, 0.5;
}
probability ( smoker ) {
  table 0.4, 0.6;
}
probability ( ill | age, smoker ) {
  (<5, True) 0.9, 0.1;
  (12+, True) 0.7, 0.3;
  (5-10, very rarely) 0.6, 0.4;
  default 0.25, 0.75;
}
"""


def read(path, text):
    path.write_text(text)
    return read_bif(path)


def refusal(path, text) -> str:
    with pytest.raises(InputError) as caught:
        read(path, text)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_table_runs_over_the_parents_fastest(tmp_path):
    net = read(tmp_path / "dog.bif", DOG)
    assert net.name == "Dog-Problem"
    assert net.states["bowel-problem"] == ("a", "b", "c; or }")
    np.testing.assert_array_equal(net.tables["light-on"], [[0.6, 0.4], [0.05, 0.95]])
    np.testing.assert_array_equal(net.tables["dog-out"][..., 0], [[0.99, 0.97], [0.9, 0.3], [0.5, 0.6]])
    np.testing.assert_array_equal(net.tables["dog-out"][..., 1], [[0.01, 0.03], [0.1, 0.7], [0.5, 0.4]])
    # By hand: 0.15 * 0.6 / (0.15 * 0.6 + 0.85 * 0.05).
    seen = query(net, "family-out", {"light-on": "true"})["family-out"]["true"]
    assert seen == pytest.approx(0.09 / 0.1325, abs=1e-15)


def test_rows_are_placed_by_their_states_and_the_default_fills_the_rest(tmp_path):
    net = read(tmp_path / "rows.bif", ROWS)
    assert net.states["smoker"] == ("True", "very rarely")
    # age by smoker; 0.25 is the default's.
    np.testing.assert_array_equal(net.tables["ill"][..., 0], [[0.9, 0.25], [0.25, 0.6], [0.7, 0.25]])
    assert net.nodes["ill"].parents == ("age", "smoker")
    assert net.nodes["ill"].equivalent_sample_size == np.inf


def test_we_read_what_pgmpy_writes(tmp_path, random_network):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from pgmpy.readwrite import BIFWriter
    for seed in range(20):
        net = random_network(np.random.default_rng(300 + seed))
        path = tmp_path / f"{seed}.bif"
        BIFWriter(net.model).write(str(path))
        again = read_bif(path)
        assert set(again.order) == set(net.order)
        for name, node in net.nodes.items():
            assert again.nodes[name].states == node.states
            axes = [again.nodes[name].parents.index(p) for p in node.parents]
            np.testing.assert_array_equal(
                again.tables[name].transpose(*axes, len(node.parents)), net.tables[name]
            )


def test_every_fault_is_told_at_once_with_its_line(tmp_path):
    text = ROWS
    for old, new in (
        ("discrete [ 2 ] { no, yes }", "discrete [ 3 ] { no, yes }"),
        ("table 0.2, 0.3, 0.5", "table 0.2, 0.3, 0.6"),
        ("table 0.4, 0.6", "table 0.4, O.6"),
        ("(<5, True)", "(<6, True)"),
        ("(12+, True)", "(12+)"),
        ("rarely) 0.6, 0.4", "rarely) 0.6, 0.3, 0.1"),
        ("default 0.25", "default 0.25, 0.1"),
    ):
        assert old in text, old
        text = text.replace(old, new, 1)
    text += "variable extra { type discrete [2] { a, b }; }\nprobability ( extras ) { table 0.5, 0.5; }\n"
    text += "variable x { type continuous [1] { a }; }\nprobability (x | y) { (n) 1; }\n"
    text += "probability ( age ) { table 1, 0, 0; }\nvariable age { type discrete [1] { a }; }\n"
    message = refusal(tmp_path / "x.bif", text)
    for part in (
        "row 10, key 'ill': node 'ill': number of states: got '3'; allowed: 2, as many as are listed",
        "row 12, key 'age': node 'age': probabilities do not sum to one: got 1.1",
        "row 16, key 'smoker': node 'smoker': not a number in its table: got 'O.6'",
        "row 19, key 'ill': node 'ill': unknown state of parent 'age': got '<6'; allowed: <5, 5-10, 12+",
        "row 20, key 'ill': node 'ill': wrong number of parents' states in a row: got '12+'; allowed: 2",
        "row 21, key 'ill': node 'ill': wrong number of probabilities: got 3; allowed: 2, one per state",
        "row 22, key 'ill': node 'ill': wrong number of probabilities: got 3",
        "row 24, key 'extra': node 'extra' has no table",
        "row 25: probabilities of an unknown node: got 'extras'",
        "row 26, key 'x': node 'x': type of variable: got 'continuous'; allowed: discrete",
        "row 26, key 'x': node 'x': unknown parent: got 'y'",
        "row 28, key 'age': node 'age': probabilities given twice; the first are on line 12",
        "row 29, key 'age': node given twice: got 'age'; the first is on line 3",
    ):
        assert part in message, part
    assert message.startswith("13 problems")


def test_combinations_without_a_row_or_with_two_are_refused(tmp_path):
    text = ROWS.replace("  default 0.25, 0.75;\n", "")
    message = refusal(tmp_path / "x.bif", text)
    assert (
        "node 'ill': no row for a combination of its parents: got 'age=<5, smoker=very rarely and 2 more'"
        in message
    )
    text = ROWS.replace("(12+, True) 0.7", "(<5, True) 0.7")
    assert "row 20, key 'ill': node 'ill': two rows for one combination" in refusal(tmp_path / "x.bif", text)
    text = ROWS.replace("default 0.25, 0.75;", "table 0.25, 0.75;")
    assert "a table, and rows or a default beside it" in refusal(tmp_path / "x.bif", text)
    text = ROWS.replace("default 0.25, 0.75;", "default 0.25, 0.75; default 0.3, 0.7;")
    assert "row 22, key 'ill': node 'ill': 'default' given twice" in refusal(tmp_path / "x.bif", text)
    text = ROWS.replace("  table 0.4, 0.6;\n", "")
    assert "node 'smoker' has no table" in refusal(tmp_path / "x.bif", text)


def test_a_cycle_is_refused_with_its_line(tmp_path):
    text = ROWS.replace(
        "probability ( age ) {\n  table 0.2, 0.3, 0.5;",
        "probability ( age | ill ) {\n  default 0.2, 0.3, 0.5;",
    )
    message = refusal(tmp_path / "x.bif", text)
    assert "cycle: got" in message
    assert "row 3, key 'age'" in message or "row 9, key 'ill'" in message


def test_what_is_no_bif_is_refused_with_its_line(tmp_path):
    path = tmp_path / "x.bif"
    for text, part in (
        ("hello", "row 1: BIF file: not understood: got 'hello'; allowed: network, variable or probability"),
        ("network a {\n}\nvariable b {\n", "row 3: BIF file: ends within a block"),
        ('network "a {\n}', "row 1: BIF file: a quote or a comment that is not closed"),
        ("network a {\n} /* b", "row 2: BIF file: a quote or a comment that is not closed"),
        ("variable b { kind discrete [2] { a, b }; }", "got 'kind'; allowed: type, property or '}'"),
        ("variable my node { }", "name of a node: got 'my node'; allowed: one word, or several in quotes"),
        ("variable b { type discrete (2) { a, b }; }", "got '('; allowed: '['"),
        ("variable b { type discrete [2] { a, b; }", "got ';'; allowed: '}'"),
        ("variable b { }\nprobability ( | b ) { }", "row 2: BIF file: name of a node: got ''"),
        ("variable b { }\nprobability ( b ) {\n 0.5 0.5 }", "row 3: BIF file: not understood: got '0.5'"),
        ("", "no nodes in the file"),
    ):  # fmt: skip
        assert part in refusal(path, text), text
    path.write_bytes(b"network \xff { }")
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_bif(path)


def test_a_default_row_fills_no_table_of_absurd_size(tmp_path):
    names = [f"v{i}" for i in range(40)]
    text = "".join(f"variable {n} {{ type discrete [2] {{ a, b }}; }}\n" for n in [*names, "child"])
    text += "".join(f"probability ( {n} ) {{ table 0.5, 0.5; }}\n" for n in names)
    text += f"probability ( child | {', '.join(names)} ) {{ default 0.5, 0.5; }}\n"
    message = refusal(tmp_path / "x.bif", text)
    assert (
        f"node 'child': combinations of its parents' states: got {2**40}; allowed: up to 10000000" in message
    )
    message = refusal(
        tmp_path / "x.bif", text.replace("default 0.5, 0.5;", f"({', '.join('a' * 40)}) 0.5, 0.5;")
    )
    assert f"and {2**40 - 2} more'" in message
