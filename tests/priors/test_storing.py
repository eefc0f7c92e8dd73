"""Stored fits: up to date, equal to fits from scratch, ignored where the claims differ."""

import math
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from sinkrisk import files, priors
from sinkrisk.errors import InputError
from sinkrisk.priors import elicitation, readings, selecting, storing

HASH_RULES = ("low", "high", "central", "sd", "unit", "interval", "basis", "source", "id")


@pytest.fixture
def another_file(tmp_path, monkeypatch):
    """A stored file of the test's own, in place of the library's."""
    path = tmp_path / "elicited.csv"
    path.write_bytes(files.data_path("priors", "elicited.csv").read_bytes())
    monkeypatch.setattr(storing, "_path", lambda: path)
    return path


def test_the_stored_file_is_up_to_date():
    late = storing.out_of_date(priors.load_claims())
    assert late == [], "run: python -m sinkrisk.priors.storing"


def test_fits_from_scratch_equal_the_stored_ones():
    """Everything is elicited again; parameters agree to 1e-7, far below what a claim means."""
    claims = priors.load_claims()
    stored = priors.load_table("elicited").set_index(["pathway", "quantity", "basis", "claim"])
    fresh = pd.DataFrame(list(storing.fitted_rows(claims)))
    fresh = fresh.set_index(["pathway", "quantity", "basis", "claim"])
    assert list(fresh.index) == list(stored.index)
    for column in ("weight", "first", "second", "lower", "upper", "low", "high", "mass", "reached"):
        expected = fresh[column].replace([math.inf, -math.inf], math.nan)
        np.testing.assert_allclose(stored[column], expected, rtol=1e-7, atol=1e-12, err_msg=column)
    for column in ("family", "reading", "shortfall", "hash"):
        assert stored[column].tolist() == fresh[column].tolist()


def test_stored_and_fitted_distributions_are_the_same():
    claims, u = priors.load_claims(), np.array([0.001, 0.05, 0.5, 0.95, 0.999])
    kept, fresh = priors.elicit_all(claims), priors.elicit_all(claims, stored=False)
    assert kept.keys() == fresh.keys()
    for key, one in kept.items():
        assert one.from_stored, key
        assert not fresh[key].from_stored
        np.testing.assert_allclose(one.ppf(u), fresh[key].ppf(u), rtol=1e-7, err_msg=str(key))
        pd.testing.assert_frame_equal(one.used, fresh[key].used, rtol=1e-7)


def test_the_file_is_written_the_same_twice():
    claims = priors.load_claims()
    assert storing.text_of(claims) == storing.text_of(claims)


@pytest.mark.parametrize("change", ["value", "source", "added", "removed", "mass", "one_sided"])
def test_other_claims_or_options_are_fitted_anew(change):
    claims, options = priors.load_claims(), {}
    ids = claims.loc[(claims["pathway"] == "beccs") & (claims["quantity"] == "cost"), "id"]
    first = claims.index[claims["id"] == ids.iloc[0]][0]
    if change == "value":
        claims.loc[first, "high"] = 900.0
    elif change == "source":
        claims.loc[first, "source"] = "bach2023"
    elif change == "added":
        extra = claims.loc[[first]].assign(id="more", low=50.0, high=60.0)
        claims = pd.concat([claims, extra], ignore_index=True)
    elif change == "removed":
        claims = claims.drop(index=first)
    elif change == "mass":
        options = {"mass": 0.8}
    else:
        options = {"one_sided": "entropy"}
    got = priors.elicit(claims, "beccs", "cost", **options)
    scratch = priors.elicit(claims, "beccs", "cost", **options, stored=False)
    assert not got.from_stored
    np.testing.assert_array_equal(got.ppf([0.1, 0.9]), scratch.ppf([0.1, 0.9]))
    pd.testing.assert_frame_equal(got.used, scratch.used)
    if change in ("value", "added", "removed"):
        usual = priors.elicit(priors.load_claims(), "beccs", "cost")
        assert np.abs(got.ppf([0.1, 0.9]) / usual.ppf([0.1, 0.9]) - 1.0).max() > 1e-3


def test_a_note_may_change_without_a_new_fit():
    claims = priors.load_claims()
    claims["note"] = "rephrased"
    assert priors.elicit(claims, "daccs", "cost").from_stored


def test_the_hash_sees_every_cell_a_fit_depends_on():
    row = dict.fromkeys(HASH_RULES, 1.0) | {"id": "c", "unit": "1", "basis": "net", "source": "s"}
    rule = readings.rule_of("cost")
    base = storing.hash_of_claims([row], rule, 0.9, "spread")
    changed = {
        storing.hash_of_claims(
            [row | {name: "x" if isinstance(row[name], str) else 2.0}], rule, 0.9, "spread"
        )
        for name in HASH_RULES
    }
    changed |= {storing.hash_of_claims([row], readings.rule_of("energy"), 0.9, "spread")}
    changed |= {storing.hash_of_claims([row], rule, 0.8, "spread")}
    changed |= {storing.hash_of_claims([row], rule, 0.9, "entropy")}
    changed |= {storing.hash_of_claims([row, row], rule, 0.9, "spread")}
    assert len(changed) == len(HASH_RULES) + 4
    assert base not in changed


def test_a_stale_file_is_passed_over(another_file):
    text = another_file.read_text()
    line = next(line for line in text.splitlines() if line.startswith("daccs,cost,unspecified"))
    cells = line.split(",")
    cells[6] = "9.9"
    another_file.write_text(text.replace(line, ",".join(cells)).replace(cells[-1], "0" * 16))
    got = priors.elicit(priors.load_claims(), "daccs", "cost")
    scratch = priors.elicit(priors.load_claims(), "daccs", "cost", stored=False)
    assert not got.from_stored
    np.testing.assert_array_equal(got.ppf([0.1, 0.9]), scratch.ppf([0.1, 0.9]))
    late = storing.out_of_date(priors.load_claims())
    assert storing.Key("daccs", "cost", "unspecified") in late


def test_a_missing_file_is_no_problem_and_a_broken_one_is_named(another_file, monkeypatch):
    another_file.write_text(another_file.read_text().replace(",lognormal,", ",lognorml,", 1))
    with pytest.raises(InputError, match=r"elicited\.csv, row \d+, key 'family'.*did you mean 'lognormal'"):
        priors.elicit(priors.load_claims(), "daccs", "cost")

    def none():
        raise InputError("no such packaged data")

    monkeypatch.setattr(storing, "_path", none)
    assert not priors.elicit(priors.load_claims(), "daccs", "cost").from_stored


def test_a_stored_shortfall_warns_like_a_fresh_one(another_file):
    claims = priors.load_claims()
    rows = selecting.rows_by_quantity(claims, "cost")["cost"]
    chosen = selecting.select(rows, "daccs", readings.rule_of("cost"))
    text = another_file.read_text()
    line = next(line for line in text.splitlines() if f",{chosen.rows[0]['id']}," in line)
    head, _, digest = line.rpartition(",")
    another_file.write_text(text.replace(line, f"{head.removesuffix(',')},reached too little,{digest}"))
    with pytest.warns(elicitation.ElicitationWarning, match="reached too little"):
        assert priors.elicit(claims, "daccs", "cost").from_stored


def test_the_command_checks_without_writing(tmp_path):
    path = files.data_path("priors", "elicited.csv")
    before = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "sinkrisk.priors.storing", "--check"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert path.read_bytes() == before
    assert storing.main(["--wrong"]) == 2


def test_eliciting_from_stored_parameters_is_quick():
    """Far above the 0.02 s measured, so that a busy machine passes: a lost cache would not."""
    claims = priors.load_claims()
    priors.elicit_all(claims)
    start = time.perf_counter()
    priors.elicit_all(claims)
    assert time.perf_counter() - start < 0.5
