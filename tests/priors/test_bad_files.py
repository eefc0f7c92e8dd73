"""One broken file per message: each names file, row and key, what was found and what is allowed."""

from pathlib import Path

import pytest

from sinkrisk import priors
from sinkrisk.errors import InputError

BAD = Path(__file__).parents[1] / "data" / "bad"

# file -> the problems it must raise: (row, key, words of the message).
CASES = {
    "observations_negative_sd.csv": [(3, "sd", "sd out of range: got -0.4; allowed: above 0")],
    "observations_unknown_unit.csv": [(3, "unit", "unknown unit: got 'GtCyr'; allowed: GtC/yr, PgC/yr")],
    "observations_reversed_window.csv": [
        (3, "end", "window ends before it starts: got 1970; allowed: at least 1979")
    ],
    "observations_not_a_number.csv": [(3, "value", "not a number: got 'about 1.5'")],
    "observations_missing_column.csv": [(1, "sd", "missing column: got 'component, geography")],
    "observations_unknown_component.csv": [(2, "component", "did you mean 'ocean'?")],
    "observations_unknown_method.csv": [(2, "method", "did you mean 'assessment'?")],
    "observations_no_value.csv": [(2, "value", "no value and no bound")],
    "observations_reversed_interval.csv": [(2, "low", "low lies above high: got 3.1; allowed: at most 2.3")],
    "observations_interval_without_mass.csv": [(2, "interval", "an interval needs the mass it holds")],
    "observations_row_twice.csv": [(3, None, "row given twice: got 'ocean, global, assessment, GCB2024")],
    "observations_wrong_cells.csv": [(2, None, "wrong number of cells: got 18; allowed: 17")],
    "observations_assumption_without_reason.csv": [(2, "note", "an assumption needs its reason")],
    "observations_empty.csv": [(None, None, "observations: empty; it needs the columns component")],
    "observations_header_only.csv": [(None, None, "no rows")],
    "observations_latin1.csv": [(None, None, "not UTF-8 text (byte 188); save the file as UTF-8")],
    "observations_several.csv": [
        (2, "sd", "got -0.4"),
        (3, "unit", "got 'GtX/yr'"),
        (3, "end", "window ends before it starts"),
        (4, "value", "got 'x'"),
    ],
    "claims_unknown_pathway.csv": [(2, "pathway", "did you mean 'daccs'?")],
    "claims_wrong_dimension.csv": [
        (2, "unit", "got 'GJ/tCO2'; allowed: a unit that turns into USD/tCO2"),
    ],
    "claims_outside_support.csv": [
        (2, "high", "outside what reversal_loss can be: got 1.4; allowed: 0 to 1")
    ],
    "claims_states_nothing.csv": [(2, "low", "allowed: at least one of low, high, central")],
    "claims_id_twice.csv": [(3, "id", "row given twice: got 'c1'; the first is row 2")],
    "claims_unknown_basis.csv": [(2, "basis", "did you mean 'captured'?")],
    "regions_shares.csv": [(None, "surface_share", "do not partition the globe: got 0.9; allowed: 1")],
    "periods_gap.csv": [(3, "start", "periods do not join: got 2040; allowed: 2035")],
    "portfolios_shares.csv": [(None, "share", "portfolio 'p', period 'near_term' do not sum to 1: got 0.9")],
    "portfolios_not_creditable.csv": [(2, "pathway", "got 'microbial_carbon_pump'")],
    "suitability_unknown_region.csv": [(2, "region", "did you mean 'northern_europe'?")],
    "pathways_not_boolean.csv": [(2, "creditable", "not a truth value: got 'yes'; allowed: true, false")],
}


def _load(path):
    kind = path.name.partition("_")[0]
    if kind == "observations":
        return priors.load_observations(path)
    return priors.load_claims(path) if kind == "claims" else priors.load_table(kind, path)


@pytest.mark.parametrize("name", CASES)
def test_each_broken_file_has_its_message(name):
    with pytest.raises(InputError) as caught:
        _load(BAD / name)
    problems = caught.value.problems
    assert len(problems) == len(CASES[name])
    assert caught.value.exit_code == 2
    for problem, (row, key, words) in zip(problems, CASES[name], strict=True):
        assert Path(problem.file).name == name
        assert problem.row == row
        if key is not None:
            assert problem.key == key
        assert words in str(problem)


def test_every_broken_file_of_this_room_is_tried():
    there = {path.name for kind in ("observations", "claims") for path in BAD.glob(f"{kind}_*.csv")}
    assert there <= set(CASES)


def test_a_key_given_twice_in_a_bibliography():
    with pytest.raises(InputError, match="row 5: entry given twice: got 'a2020'"):
        priors.load_references(BAD / "references_twice.bib")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: priors.load_observations("globl"),
            "unknown observations: got 'globl'.*did you mean 'global'",
        ),
        (lambda: priors.load_observations("nowhere.csv"), "no such file"),
        (lambda: priors.load_observations("budget.xlsx"), "workbook: no such file: got 'budget.xlsx'"),
        (lambda: priors.load_observations("budget.ods"), "CSV files and workbooks: got 'budget.ods'"),
        (lambda: priors.load_table("pathway"), "unknown table: got 'pathway'.*did you mean 'pathways'"),
        (lambda: priors.load_claims("nowhere.csv"), "no such file"),
    ],
)
def test_unknown_names_and_missing_files(call, words):
    with pytest.raises(InputError, match=words):
        call()
