from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import Network, load
from sinkrisk.network.events import counts_of, parent_names, read_events, row_label

PLATES = Path(__file__).parents[1] / "data" / "network_plates.yaml"
LATER = "support__north__later"


@pytest.fixture(scope="module")
def net() -> Network:
    return load(PLATES)


def _written(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "seen.csv"
    path.write_text(text, encoding=encoding)
    return path


def _problems(net: Network, table) -> str:
    with pytest.raises(InputError) as caught:
        read_events(net, table)
    assert caught.value.exit_code == 2
    return str(caught.value)


def _row(**changes) -> pd.DataFrame:
    row = {
        "node": LATER,
        "given": "ambition=low; support@previous=stable",
        "state": "rising",
        "count": 3,
        "source": "poll",
        "locator": "table 1",
    }
    return pd.DataFrame([row | changes])


def test_one_row_says_the_same_in_every_form(net, tmp_path):
    forms = [
        f"node,given,state,count\n{LATER},ambition=low; support@previous=stable,rising,3\n",
        f"node,given,state,count\n{LATER},support__north__now = stable;ambition__later = low ;,rising,3\n",
        f"node,ambition,support@previous,state,count\n{LATER},low,stable,rising,3\n",
        f"node,ambition,given,state,count\n{LATER},low,support@previous=stable,rising,3.0\n",
    ]
    for text in forms:
        path = _written(tmp_path, text)
        counts = counts_of(net, path)
        assert list(counts) == [LATER]
        expected = np.zeros((2, 3, 3), dtype=int)
        expected[0, 1, 2] = 3
        np.testing.assert_array_equal(counts[LATER], expected)
        frame = read_events(net, path)
        assert frame.loc[0, "given"] == "ambition=low; support@previous=stable"
        assert frame.loc[0, "source"] == "seen.csv"
        assert frame.attrs["path"] == str(path)
    again = read_events(net, frame)
    pd.testing.assert_frame_equal(again, frame)
    assert again["count"].dtype == "int64"


def test_the_same_cell_from_two_sources_adds_up_and_noughts_are_kept(net):
    both = pd.concat([_row(), _row(source="census"), _row(state="stable", count=0)])
    counts = counts_of(net, both)[LATER]
    assert counts[0, 1, 2] == 6
    assert counts.sum() == 6


def test_a_byte_order_mark_and_an_accented_source_do_no_harm(net, tmp_path):
    text = "node,given,state,count,source,locator\nambition__now,,low,2,Évaluation,p. 3\n"
    frame = read_events(net, _written(tmp_path, text, "utf-8-sig"))
    assert frame.loc[0, ["node", "given", "count", "source"]].tolist() == [
        "ambition__now", "", 2, "Évaluation",
    ]  # fmt: skip


def test_names_of_parents(net):
    assert parent_names(net, "ambition__now") == {}
    names = parent_names(net, LATER)
    assert list(names) == ["ambition", "support@previous", "ambition__later", "support__north__now"]
    assert parent_names(net, "fuss__west__now")["trust"] == (
        "trust__land__west__now",
        "trust__ocean__west__now",
    )
    assert (
        row_label(net, "fuss__west__now", (0, 1))
        == "trust__land__west__now=rejecting; trust__ocean__west__now=accepting"
    )


MESSAGES = {
    "node": (
        {"node": "suport__north__later"},
        "row 1, key 'node': no such node in the network: got 'suport__north__later'; allowed: "
        "support__north__later,",
    ),
    "near": ({"node": "suport__north__later"}, "did you mean 'support__north__later'?"),
    "state": (
        {"state": "risign"},
        f"row 1, key 'state': node '{LATER}': no such state: got 'risign'; "
        "allowed: declining, stable, rising; did you mean 'rising'?",
    ),
    "parent": (
        {"given": "ambitoin=low; support@previous=stable"},
        f"row 1, key 'given': node '{LATER}': no such parent: got 'ambitoin'; allowed: ambition, "
        "support@previous, ambition__later, support__north__now; did you mean 'ambition'?",
    ),
    "parent_state": (
        {"given": "ambition=lwo; support@previous=stable"},
        "row 1, key 'given': no such state of parent 'ambition': got 'lwo'; allowed: low, high; "
        "did you mean 'low'?",
    ),
    "missing": (
        {"given": "ambition=low"},
        f"row 1, key 'given': node '{LATER}': the state of a parent is missing: got 'ambition=low'; "
        "allowed: support@previous=...; without it the row says nothing of one row of the table alone",
    ),
    "none": (
        {"given": ""},
        "the state of a parent is missing: got ''; allowed: ambition=..., support@previous=...;",
    ),
    "twice": (
        {"given": "ambition=low; support@previous=stable; ambition__later=high"},
        f"row 1, key 'given': node '{LATER}': parent given twice: got 'ambition__later=high'",
    ),
    "no_equals": (
        {"given": "low, stable"},
        "row 1, key 'given': not a parent's state: got 'low, stable'; allowed: 'parent=state', joined by ';'",
    ),
    "root": (
        {"node": "ambition__now", "state": "low", "given": "support=stable"},
        "node 'ambition__now': no such parent: got 'support'; allowed: (none)",
    ),
    "ambiguous": (
        {"node": "fuss__west__now", "state": "some", "given": "trust=rejecting"},
        "row 1, key 'given': node 'fuss__west__now': several parents of this name: got 'trust'; "
        "allowed: trust__land__west__now, trust__ocean__west__now",
    ),
    "negative": (
        {"count": -1},
        "row 1, key 'count': count out of range: got -1.0; allowed: at least 0 and at most 1e+12",
    ),
    "huge": ({"count": 1e300}, "row 1, key 'count': count out of range: got 1e+300"),
    "fraction": ({"count": 2.5}, "row 1, key 'count': not a whole number: got '2.5'"),
    "text": ({"count": "many"}, "row 1, key 'count': not a number: got 'many'"),
    "infinite": ({"count": np.inf}, "row 1, key 'count': not a finite number: got 'inf'"),
    "empty": ({"count": None}, "row 1, key 'count': empty cell"),
    "no_node": ({"node": None}, "row 1, key 'node': empty cell"),
    "reason": ({"source": "assumption"}, "row 1, key 'note': an assumption needs its reason"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_message(net, name):
    changes, expected = MESSAGES[name]
    assert expected in _problems(net, _row(**changes))


def test_an_unknown_column_names_the_parents_it_may_mean(net):
    message = _problems(net, _row().assign(ambitoin="low"))
    assert "events: unknown column: got 'ambitoin'" in message
    assert "did you mean 'ambition'?" in message


def test_a_missing_column(net, tmp_path):
    path = _written(tmp_path, "node,given,state\nambition__now,,low\n")
    assert _problems(net, path) == (
        f"{path}, row 1, key 'count': events: missing column: got 'node, given, state'"
    )
    frame = _row().drop(columns="state")
    assert "key 'state': events: missing column" in _problems(net, frame)


def test_a_row_given_twice_names_the_first(net):
    message = _problems(net, pd.concat([_row(), _row(state="stable"), _row(count=9)]))
    assert message == (
        f"row 3: row given twice: got '{LATER}, ambition=low; support@previous=stable, rising, poll, "
        "table 1'; the first is row 1; equal rows are told apart by source and locator"
    )


def test_every_problem_of_a_file_at_once_with_its_line(net, tmp_path):
    path = _written(
        tmp_path,
        "node,given,state,count\n"
        'ambition__now,,low,"1\n"\n'
        "ambition__nwo,,low,1\n"
        "ambition__now,,hihg,-2\n"
        "ambition__now,,low,1\n",
    )
    message = _problems(net, path)
    assert message.startswith("4 problems:")
    for line, what in ((4, "no such node"), (5, "no such state"), (5, "out of range"), (6, "given twice")):
        assert any(what in text and f"{path}, row {line}" in text for text in message.splitlines()), (
            f"{what} in line {line}: {message}"
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "events: empty; it needs the columns node, state, count"),
        ("node,given,state,count\n", "events: no rows; the file holds a header only"),
        (
            "node;given;state;count\n",
            "row 1: events: not separated by commas: got 'node;given;state;count'; "
            "save it with commas between the cells, and quote a 'given' that holds one",
        ),
        (
            f"node,given,state,count\n{LATER},a=b,c=d,rising,1\n",
            "row 2: events: wrong number of cells: got 5",
        ),
    ],
)
def test_files_of_no_use(net, tmp_path, text, expected):
    assert expected in _problems(net, _written(tmp_path, text))


def test_things_that_are_no_table(net, tmp_path):
    assert "events: not a table: got 'list'; allowed: a path or a DataFrame" in _problems(net, [1])
    assert "events: no such file" in _problems(net, tmp_path / "nothing.csv")
    doubled = pd.concat([_row(), _row()[["state"]]], axis=1)
    assert "key 'state': events: column given twice" in _problems(net, doubled)
    assert "events: no rows" in _problems(net, _row().iloc[:0])
