"""What is wrong with a table is said precisely, all of it, before anything is computed."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sinkrisk import budget
from sinkrisk.budget.preparing import prepare_rows
from sinkrisk.budget.reading import read_table
from sinkrisk.errors import InputError

solve_closed = partial(budget.reconcile, model="closed")


def message_of(frame, **options):
    with pytest.raises(InputError) as caught:
        read_table(frame, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("sd", -0.4, "row 4, key 'sd': ocean 1960-1969: the standard deviation must be positive and finite"),
        ("sd", 0.0, "got 0.0; allowed: 0 < sd < inf"),
        ("sd", np.inf, "got inf; allowed: 0 < sd < inf"),
        ("sd", np.nan, "row 4, key 'sd': ocean 1960-1969: no standard deviation"),
        ("value", np.nan, "row 4, key 'value': ocean 1960-1969: no finite value: got nan"),
        ("value", np.inf, "no finite value: got inf"),
        ("end", 1959, "row 4, key 'end': window ends before it starts: got 1959; allowed: >= 1960"),
        ("start", 1960.5, "row 4, key 'start': not a year: got 1960.5"),
        ("component", "oceans", "unknown component: got 'oceans'"),
        ("component", "oceans", "did you mean 'ocean'?"),
        ("geography", "china", "rows of several geographies in one budget: got 'china, global'"),
        ("unit", "GtX/yr", "row 4, key 'unit': unknown unit: got 'GtX/yr'"),
        ("unit", "USD/tCO2", "row 4, key 'unit': cannot turn 'USD/tCO2' into 'GtC/yr'"),
        (
            "kind",
            "forecast",
            "row 4, key 'kind': unknown kind: got 'forecast'; allowed: observed, projection",
        ),
    ],
)
def test_one_fault_one_message(table_2, column, value, said):
    frame = table_2.copy()
    if column in ("start", "value", "sd"):
        frame[column] = frame[column].astype(float)
    frame.loc[3, column] = value
    assert said in message_of(frame)


def test_all_faults_are_reported_at_once(table_2):
    frame = table_2.copy()
    frame.loc[0, "sd"] = -1.0
    frame.loc[1, "unit"] = "GtX"
    frame.loc[2, "value"] = np.nan
    frame.loc[3, "component"] = "oceans"
    frame.loc[4, "end"] = 1950
    frame.attrs["path"] = "mine.csv"
    with pytest.raises(InputError) as caught:
        read_table(frame, attribution="maybe")
    problems = caught.value.problems
    assert {p.key for p in problems} == {"sd", "unit", "value", "component", "end", "attribution"}
    # The header is line 1 of the file, so the frame's first row is line 2.
    assert {p.key: p.row for p in problems if p.row}["sd"] == 2
    assert all(p.file == "mine.csv" for p in problems)


def test_text_in_a_number_column(table_2):
    frame = table_2.astype({"sd": object})
    frame.loc[3, "sd"] = "0,4"
    message = message_of(frame)
    assert "row 4, key 'sd': not a number: got '0,4'" in message


def test_wrong_type_empty_and_missing_columns(table_2):
    assert "observations must be a table: got 'str'" in message_of("global")
    assert "the table has no rows" in message_of(table_2.iloc[:0])
    message = message_of(table_2.drop(columns=["unit", "sd"]))
    assert "key 'unit': missing column" in message
    assert "give value and sd, or low, high and interval" in message


def test_several_missing_components_are_named_with_what_to_do(table_2):
    keep = ~((table_2["start"] == 2023) & table_2["component"].isin(["ocean", "land"]))
    message = message_of(table_2[keep])
    assert "no estimate of ocean, land in 2023" in message
    assert "or select windows=['1960-1969'" in message
    one = message_of(table_2.iloc[[0]])
    assert "no estimate of land_use, atmosphere, ocean, land in 1960-1969" in one


def test_attribution_columns_stay_out_unless_included(packaged):
    message = message_of(packaged("china"))
    assert "no estimate of atmosphere, ocean, land in 1960-1969" in message
    assert "attribution='include'" in message
    assert "--attribution include" in message
    assert "in a spec budget.attribution: include" in message
    assert "atmosphere is 44 %, ocean is 23 %, land is 31 % of emissions in all 6 windows" in message
    table = read_table(packaged("china"), attribution="include")
    assert (table.rows["method"] == "attribution").sum() == 18


def test_only_derived_rows(table_2):
    assert "no row enters the budget" in message_of(table_2[table_2["component"] == "imbalance"])


def test_contradictory_duplicates(table_2):
    other = table_2.iloc[[3]].assign(value=1.4)
    message = message_of(pd.concat([table_2, other], ignore_index=True))
    assert (
        "row 57, key 'value': contradicts row 4 on ocean 1960-1969: got '1.4 +- 0.4 against 1.2 +- 0.4"
        in message
    )


def test_unknown_and_unreadable_windows(table_2):
    message = message_of(table_2, windows=["1950s", "soon"])
    assert "key 'windows': no row enters in the selected window: got '1950-1959'" in message
    assert "not a period: got 'soon'" in message
    assert "1960-1969, 1970-1979" in message
    assert "windows must be a list" in message_of(table_2, windows="1960s")


@pytest.mark.parametrize("mass", [0.6827, 0.9, 0.95])
def test_bounds_become_a_normal_sd(table_2, mass):
    frame = table_2.assign(low=np.nan, high=np.nan, interval=np.nan)
    frame.loc[3, ["value", "sd", "low", "high", "interval"]] = [np.nan, np.nan, 0.9, 1.7, mass]
    row = read_table(frame).rows.iloc[3]
    assert row["value"] == pytest.approx(1.3)
    # Independently: a normal with that sd holds exactly the stated mass between the bounds.
    normal = stats.norm(row["value"], row["sd"])
    assert normal.cdf(1.7) - normal.cdf(0.9) == pytest.approx(mass, abs=1e-12)


def test_faulty_bounds(table_2):
    frame = table_2.assign(low=np.nan, high=np.nan, interval=np.nan)
    frame.loc[3, ["sd", "low", "high"]] = [np.nan, 0.9, 1.7]
    assert "low and high need the mass they hold" in message_of(frame)
    frame.loc[3, ["low", "high"]] = [1.7, 0.9]
    assert "high is not above low" in message_of(frame)
    frame.loc[3, ["low", "high", "interval"]] = [1.5, 1.7, 0.9]
    assert "value outside low..high" in message_of(frame)
    frame.loc[3, ["low", "high"]] = [0.9, np.nan]
    assert "no standard deviation" in message_of(frame)


def test_notes_name_projections_and_overlaps(table_2):
    notes = read_table(table_2).notes
    assert "windows that share years are treated as independent: 2014-2023 with 2023" in notes
    assert "projections enter with their stated sd: 5 rows in 2024" in notes


def test_nothing_of_the_caller_is_changed(table_2):
    before = table_2.copy(deep=True)
    solve_closed(table_2, draws=2, rng=0)
    pd.testing.assert_frame_equal(table_2, before)


def test_ten_thousand_rows(table_2):
    many = pd.concat(
        [table_2.assign(estimate=f"model {i}", sd=table_2["sd"] * 10) for i in range(200)], ignore_index=True
    )
    assert len(many) > 10_000
    tree = solve_closed(many, draws=2, chains=1, rng=0)
    one = solve_closed(table_2.assign(sd=table_2["sd"] * 10 / np.sqrt(200)), draws=2, chains=1, rng=0)
    np.testing.assert_allclose(tree["exact"]["mean"], one["exact"]["mean"], atol=1e-10)
    np.testing.assert_allclose(tree["exact"]["covariance"], one["exact"]["covariance"], atol=1e-10)


@pytest.mark.parametrize("column", ["value", "sd", "low", "high"])
@pytest.mark.parametrize("component", ["ocean", "total_emissions"])
def test_sizes_no_flux_can_have_are_refused(table_2, column, component):
    frame = table_2.assign(low=np.nan, high=np.nan)
    place = int(np.flatnonzero(frame["component"] == component)[0])
    frame[column] = frame[column].astype(float)
    frame.loc[frame.index[place], column] = 1e308
    with pytest.raises(InputError) as caught:
        solve_closed(frame, draws=2, rng=0)
    (problem,) = caught.value.problems
    assert (problem.row, problem.key) == (place + 1, column)
    most = "100" if component == "ocean" and column != "sd" else "1e+06"
    assert f"far larger than any flux of carbon: got 1e+308; allowed: at most {most} GtC/yr" in str(problem)


def test_the_bound_on_sizes_is_in_the_unit_of_the_row(table_2):
    ocean = table_2["component"] == "ocean"
    million = table_2.assign(
        unit=np.where(ocean, "TgC/yr", "GtC/yr"),
        value=np.where(ocean, 1e3, 1.0) * table_2["value"].astype(float),
        sd=np.where(ocean, 1e3, 1.0) * table_2["sd"].astype(float),
    )
    assert len(read_table(million).rows) == len(read_table(table_2).rows)
    million.loc[ocean, "value"] = 1.1e5
    assert "at most 100000 TgC/yr in size; is the unit right?" in message_of(million)


@pytest.mark.parametrize("read", [read_table, prepare_rows])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"value": True}, "row 4, key 'value': not a number: got True"),
        ({"value": 1 + 2j}, r"row 4, key 'value': not a number: got \(1\+2j\)"),
        ({"sd": [1, 2]}, r"row 4, key 'sd': not a number: got \[1, 2\]"),
        ({"method": "assesment"}, "unknown method: got 'assesment'; .*did you mean 'assessment'"),
    ],
)
def test_cells_that_only_look_like_numbers_or_words_are_refused(table_2, read, changes, said):
    for name, cell in changes.items():
        table_2[name] = table_2[name].astype(object)
        table_2.at[3, name] = cell
    with pytest.raises(InputError, match=said):
        read(table_2)


@pytest.mark.parametrize("read", [read_table, prepare_rows])
def test_columns_of_a_frame_are_those_of_a_file(table_2, read):
    with pytest.raises(InputError, match=r"unknown column: got 'estimat'; .*did you mean 'estimate'"):
        read(table_2.rename(columns={"estimate": "estimat"}))
    with pytest.raises(InputError, match="key 'value': column given twice"):
        read(pd.concat([table_2, table_2[["value"]]], axis=1))
    truth = table_2.assign(sd=True)
    with pytest.raises(InputError, match="key 'sd': not a number: got True"):
        read(truth)


@pytest.mark.parametrize("read", [read_table, prepare_rows])
def test_bounds_stand_for_a_value_without_its_column(table_2, read):
    rows = table_2[table_2["sd"].notna()]
    reach = rows["sd"] * 1.6448536269514722
    bounds = rows.drop(columns=["value", "sd"]).assign(
        low=rows["value"] - reach, high=rows["value"] + reach, interval=0.9
    )
    one, other = read(rows).rows, read(bounds).rows
    np.testing.assert_allclose(other[["value", "sd"]], one[["value", "sd"]], rtol=1e-9)


def test_the_closed_model_takes_the_years_the_others_take(table_2):
    with pytest.raises(InputError, match=r"window outside the years a budget can have.*1750 to 2200"):
        read_table(table_2.assign(start=1740))


def test_a_standard_deviation_below_rounding_is_refused(table_2):
    table_2.loc[3, "sd"] = 1e-200
    assert "standard deviation too small to compute with: got 1e-200" in message_of(table_2)
