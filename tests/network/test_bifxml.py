"""BIFXML as others write it, and what is refused of it; round trips are in test_exchange.py."""

from __future__ import annotations

import numpy as np
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import network_from_tables, query
from sinkrisk.network.bifxml import read_bifxml, save_bifxml

# The document type and the network "dog problem" of the specification (Cozman 1998, XMLBIF 0.3).
DOG = """<?xml version="1.0"?>
<!DOCTYPE BIF [
  <!ELEMENT BIF ( NETWORK )*>
        <!ATTLIST BIF VERSION CDATA #REQUIRED>
  <!ELEMENT NETWORK ( NAME, ( PROPERTY | VARIABLE | DEFINITION )* )>
  <!ELEMENT NAME (#PCDATA)>
  <!ELEMENT VARIABLE ( NAME, ( OUTCOME |  PROPERTY )* ) >
        <!ATTLIST VARIABLE TYPE (nature|decision|utility) "nature">
  <!ELEMENT TABLE (#PCDATA)>
]>
<BIF VERSION="0.3">
<NETWORK>
<NAME>Dog-Problem</NAME>
<VARIABLE TYPE="nature">
  <NAME>light-on</NAME><OUTCOME>true</OUTCOME><OUTCOME>false</OUTCOME>
  <PROPERTY>position = (218, 195)</PROPERTY>
</VARIABLE>
<VARIABLE><NAME> family-out </NAME><OUTCOME>true</OUTCOME><OUTCOME>false</OUTCOME></VARIABLE>
<VARIABLE TYPE="nature"><NAME>bowel</NAME><OUTCOME>a</OUTCOME><OUTCOME>b</OUTCOME>
<OUTCOME>c</OUTCOME></VARIABLE>
<VARIABLE TYPE="nature"><NAME>dog-out</NAME><OUTCOME>true</OUTCOME><OUTCOME>false</OUTCOME></VARIABLE>
<DEFINITION>
  <FOR>light-on</FOR><GIVEN>family-out</GIVEN>
  <TABLE>0.6 0.4 <!-- family out --> 0.05
   0.95</TABLE>
</DEFINITION>
<DEFINITION><FOR>family-out</FOR><TABLE>0.15 0.85</TABLE></DEFINITION>
<DEFINITION><FOR>bowel</FOR><TABLE>0.2 0.3 0.5</TABLE></DEFINITION>
<DEFINITION>
  <FOR>dog-out</FOR><GIVEN>bowel</GIVEN><GIVEN>family-out</GIVEN>
  <TABLE>0.99 0.01 0.97 0.03 0.9 0.1 0.3 0.7 0.5 0.5 0.6 0.4</TABLE>
</DEFINITION>
</NETWORK>
</BIF>
"""


def refusal(path, text) -> str:
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_bifxml(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_the_specifications_own_file_is_read(tmp_path):
    path = tmp_path / "dog.xml"
    path.write_text(DOG)
    net = read_bifxml(path)
    assert net.name == "Dog-Problem"
    assert net.nodes["dog-out"].parents == ("bowel", "family-out")
    # Own states fastest, then the last of the given: P(dog out | bowel a, family not out) = 0.97.
    np.testing.assert_array_equal(net.tables["light-on"], [[0.6, 0.4], [0.05, 0.95]])
    np.testing.assert_array_equal(net.tables["dog-out"][..., 0], [[0.99, 0.97], [0.9, 0.3], [0.5, 0.6]])
    # By hand: 0.15 * 0.6 / (0.15 * 0.6 + 0.85 * 0.05).
    seen = query(net, "family-out", {"light-on": "true"})["family-out"]["true"]
    assert seen == pytest.approx(0.09 / 0.1325, abs=1e-15)


def test_names_of_any_words_are_kept(tmp_path):
    states = {"the sea, west": ["very high", "<5 & more"], "1": ["0", "1"]}
    tables = {"the sea, west": [0.25, 0.75], "1": [[0.1, 0.9], [0.3, 0.7]]}
    net = network_from_tables(states, {"1": ["the sea, west"]}, tables, name="two words")
    again = read_bifxml(save_bifxml(net, tmp_path / "x.xml"))
    assert again.name == "two words"
    assert dict(again.states) == {name: tuple(values) for name, values in states.items()}
    np.testing.assert_array_equal(again.tables["1"], tables["1"])


def test_names_that_xml_cannot_hold_are_refused_together(tmp_path):
    net = network_from_tables({" a": ["b\n", "c"]}, {}, {" a": [0.5, 0.5]}, name="")
    with pytest.raises(InputError) as caught:
        save_bifxml(net, tmp_path / "x.xml")
    message = str(caught.value)
    assert message.startswith("3 problems")
    assert "node name cannot stand in BIFXML: got ' a'" in message
    assert "node ' a': state cannot stand in BIFXML: got 'b\\n'" in message


def test_every_fault_is_told_at_once_with_its_line(tmp_path):
    text = DOG
    for old, new in (
        ('VERSION="0.3">\n<N', 'VERSION="0.2">\n<N'),
        ('<VARIABLE TYPE="nature"><NAME>bowel', '<VARIABLE TYPE="decision"><NAME>bowel'),
        ("<GIVEN>family-out</GIVEN>\n  <TABLE>0.6", "<GIVEN>family-in</GIVEN>\n  <TABLE>0.6"),
        ("<TABLE>0.15 0.85<", "<TABLE>0.15 0.95<"),
        ("<TABLE>0.2 0.3 0.5</TABLE>", ""),
        ("0.6 0.4</TABLE>", "0.6</TABLE>"),
        ("</NETWORK>", "<DEFINITION><FOR>bowell</FOR></DEFINITION>\n</NETWORK>"),
        ("<DEFINITION><FOR>bowel<", "<DEFINITION><FOR>dog-out</FOR></DEFINITION>\n<DEFINITION><FOR>bowel<"),
    ):
        assert old in text, old
        text = text.replace(old, new, 1)
    message = refusal(tmp_path / "x.xml", text)
    for part in (
        "row 11: BIFXML file: version: got '0.2'; allowed: 0.3",
        "row 19, key 'bowel': node 'bowel': type of variable: got 'decision'; allowed: nature",
        "row 14, key 'light-on': node 'light-on': unknown parent: got 'family-in'; allowed: family-out",
        "row 27, key 'family-out': node 'family-out': probabilities do not sum to one: got 1.1",
        "row 19, key 'bowel': node 'bowel' has no table",
        "row 30, key 'dog-out': node 'dog-out': definition given twice; the first is on line 28",
        "row 34: definition of an unknown node: got 'bowell'",
        "did you mean 'bowel'?",
        "did you mean 'family-out'?",
    ):
        assert part in message, part
    # The table that would be too short belongs to the second definition, which is refused as a whole.
    assert "8 problems" in message
    assert "node 'dog-out' has no table" in message


def test_wrong_number_of_probabilities_names_the_shape(tmp_path):
    message = refusal(tmp_path / "x.xml", DOG.replace("0.6 0.4</TABLE>", "0.6</TABLE>"))
    assert "row 31, key 'dog-out': node 'dog-out': wrong number of probabilities: got 11" in message
    assert "allowed: 12: 3 x 2 x 2, parents' states times its own" in message


def test_a_row_that_does_not_sum_to_one_is_named_by_its_parents_states(tmp_path):
    message = refusal(tmp_path / "x.xml", DOG.replace("0.3 0.7", "0.3 0.8").replace("0.5 0.5", "0.5 0.6"))
    assert "got 1.1; allowed: 1; for bowel=b, family-out=false, and 1 more rows" in message


def test_a_cycle_is_refused_with_its_line(tmp_path):
    text = DOG.replace("<FOR>family-out</FOR>", "<FOR>family-out</FOR><GIVEN>light-on</GIVEN>").replace(
        "<TABLE>0.15 0.85<", "<TABLE>0.15 0.85 0.2 0.8<"
    )
    message = refusal(tmp_path / "x.xml", text)
    assert "cycle: got " in message
    assert "light-on -> family-out" in message or "family-out -> light-on" in message
    assert "row 14" in message or "row 18" in message


def test_a_node_given_twice_is_refused(tmp_path):
    twice = "<VARIABLE><NAME>bowel</NAME><OUTCOME>a</OUTCOME></VARIABLE>\n</NETWORK>"
    message = refusal(tmp_path / "x.xml", DOG.replace("</NETWORK>", twice))
    assert "row 33, key 'bowel': node given twice: got 'bowel'; the first is on line 19" in message
