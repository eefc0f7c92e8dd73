"""Every key of a spec under values of every wrong kind: one message in our words, never in pydantic's."""

from __future__ import annotations

import datetime
import math
import re
from typing import get_args, get_origin

import pytest
import yaml

from sinkrisk import cli, config, running, shapes
from sinkrisk.errors import InputError

WRONG = {
    "text": "many",
    "number": 7.5,
    "list": [[1.5]],
    "mapping": {"a": {"b": 1}},
    "negative": -1,
    "not_a_number": math.nan,
    "infinite": math.inf,
    "true": True,
    "nothing": None,
}
NEEDED = {
    "portfolios": {"total": {"near_term": 1.0}},
    "target": {"net_removal": 10.0},
    "decision": {"carbon_value": 100.0},
    "adapt": {"candidates": ["phased", "balanced"]},
}
PYDANTIC = re.compile(
    r"input should|input could|field required|extra inputs|value error|validation|keys should|unable to|"
    r"valid (number|integer|string|list|dict|boolean|tuple)|greater than or|less than or|should have at",
    re.IGNORECASE,
)


def keys() -> list[tuple[str, ...]]:
    """Return every key of a spec that holds a value, and one inside every mapping."""
    found = [(name,) for name in config.RunSpec.model_fields]
    for section, model in config.sections().items():
        for name, field in model.model_fields.items():
            found.append((section, name))
            kinds = {get_origin(a) or a for a in (field.annotation, *get_args(field.annotation))}
            if dict in kinds:
                found.append((section, name, "near_term"))
            if list in kinds:
                found.append((section, name, 0))
    return found


def data_with(path, value):
    data = {"title": "t", "seed": 1}
    if len(path) == 1:
        return {**data, path[0]: value}
    section = dict(NEEDED.get(path[0], {}))
    inner = value
    if len(path) == 3:
        inner = {path[2]: value} if isinstance(path[2], str) else [value]
    return {**data, path[0]: {**section, path[1]: inner}}


def load(data, tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return config.load_spec(path)


def problems_with(data, tmp_path):
    try:
        load(data, tmp_path)
    except InputError as error:
        return error.problems
    return ()


@pytest.mark.parametrize("path", keys(), ids=lambda path: ".".join(map(str, path)))
def test_wrong_kinds_are_told_in_our_words(path, tmp_path):
    accepted = []
    for kind, value in WRONG.items():
        problems = problems_with(data_with(path, value), tmp_path)
        accepted += [] if problems else [kind]
        for problem in problems:
            assert not PYDANTIC.search(str(problem)), problem
            assert problem.file, problem
            assert problem.row, problem
            assert (problem.key or "").startswith(".".join(map(str, path[:2]))), problem
            assert problem.allowed is not None, problem
            assert problem.what == "missing key" or "got" in str(problem), problem
    assert len(accepted) < len(WRONG), f"{path} takes everything"
    # 1 and 0 are written with digits; true stands only where true or false is asked for.
    options = shapes._at(config.RunSpec, path)
    kinds = shapes._kinds(options)
    assert ("true" in accepted) == ("bool" in kinds)
    if not kinds & {"str", "Literal"}:
        assert "text" not in accepted


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            ("rank", "weights"),
            {"total_cost": "much"},
            r"key 'rank\.weights\.total_cost': not a number: got 'much'; allowed: a finite number above 0",
        ),
        (
            ("rank", "weights"),
            {"total_cost": -1},
            r"key 'rank\.weights\.total_cost': below its range: got -1; allowed: a finite number above 0",
        ),
        (
            ("rank", "weights"),
            "equal",
            r"key 'rank\.weights': nothing that may stand here: got 'equal'; allowed: 'uniform' or a mapping "
            r"of names to finite numbers above 0 or a list of texts",
        ),
        (("rank", "weights"), [1, 2], r"key 'rank\.weights\.0': not text: got 1;.*'rank\.weights\.1'"),
        (
            ("portfolios", "total"),
            {"near_term": "1 Gt", "mid_term": True, "long_term": -2},
            r"'portfolios\.total\.mid_term': not a number: got True.*"
            r"'portfolios\.total\.near_term': not a number: got '1 Gt';.*write the number alone.*"
            r"'portfolios\.total\.long_term': below its range: got -2",
        ),
        (
            ("portfolios", "total"),
            5,
            r"key 'portfolios\.total': not a mapping.*got 5;.*write keys with values",
        ),
        (("portfolios", "total"), {2030: 5.0}, r"key 'portfolios\.total\.2030': a key that is not text"),
        (
            ("portfolios", "total"),
            {"near_term": 1.0, "mid_term": 1.0e300},
            r"key 'portfolios\.total\.mid_term': above its range: got 1e\+300; allowed: a finite number "
            r"from 0 to 1000000; the air holds a few thousand GtCO2 in all: is the unit right\?",
        ),
        (("target", "year"), "1e3", r"key 'target\.year': not a whole number: got '1e3';.*write 1000"),
        (("portfolios", "file"), datetime.date(2024, 1, 1), r"key 'portfolios\.file': not text.*in quotes"),
        (("adapt", "signals"), ["nois"], r"key 'adapt\.signals\.0': unknown signal: got 'nois'"),
        (
            ("sobol", "most"),
            128,
            r"key 'sobol\.most': 'most' is below 'n', 256.*got 128; allowed: 256 or more",
        ),
        (("budget", "model"), "closd", r"key 'budget\.model'.*did you mean 'closed'"),
    ],
)
def test_the_message_says_where_and_what_may_stand_there(path, value, said, tmp_path):
    with pytest.raises(InputError) as caught:
        load(data_with(path, value), tmp_path)
    assert re.search(said, str(caught.value), re.DOTALL), str(caught.value)


def test_the_row_of_a_key_that_is_no_text_is_told(tmp_path):
    with pytest.raises(InputError, match=r"row 5, key 'portfolios\.total\.2030': a key that is not text"):
        load(data_with(("portfolios", "total"), {2030: 5.0}), tmp_path)


def test_the_closed_model_tells_all_it_does_not_have(tmp_path):
    data = data_with(("budget", "model"), "closed")
    data["budget"] |= {"errors": "iid", "series": "members"}
    said = r"key 'budget\.errors': the closed model has no 'errors': got 'iid'.*key 'budget\.series'"
    with pytest.raises(InputError, match=f"(?s){said}"):
        load(data, tmp_path)


def test_everything_comes_at_once_and_ends_with_two(tmp_path, capsys):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "title: t\nseed: 1\nportfolios:\n  total: {near_term: much}\ntarget: {net_removal: -1}\n"
        "rank:\n  weights: {total_cost: [1]}\nsobol: {n: true}\n"
    )
    with pytest.raises(SystemExit) as stopped:
        cli.main(["run", str(spec), "--out", str(tmp_path / "run")])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    for row, key in [
        (4, "portfolios.total.near_term"),
        (5, "target.net_removal"),
        (7, "rank.weights.total_cost"),
        (8, "sobol.n"),
    ]:
        assert f"row {row}, key '{key}'" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("weights", "key"), [("[total_costs]", "0"), ("{total_costs: 2}", "total_costs")])
def test_an_unknown_criterion_is_told_where_it_stands(weights, key, tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "title: t\nseed: 1\ndraws: 64\nportfolios:\n  total: {near_term: 1, mid_term: 1, long_term: 1}\n"
        f"target: {{net_removal: 1}}\nrank:\n  weights: {weights}\n"
    )
    with pytest.raises(InputError) as caught:
        running.prepare(config.load_spec(spec))
    said = (
        rf"row 8, key 'rank\.weights\.{key}': unknown criterion: got 'total_costs'.*did you mean 'total_cost'"
    )
    assert re.search(said, str(caught.value))
