"""What enters the annual models from each kind of table, and what is said of the tables that cannot."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sinkrisk
from sinkrisk import priors
from sinkrisk.budget.preparing import COLUMNS, prepare_rows
from sinkrisk.budget.statements import china_observations, ocean_observations
from sinkrisk.errors import InputError

BAD = Path(__file__).parents[1] / "data" / "bad"

CASES = {
    "prepared_after_2200.csv": (12, "end", "got '2210-2219'; allowed: 1750 to 2200"),
    "prepared_before_1750.csv": (12, "start", "got '1740-1749'; allowed: 1750 to 2200"),
    "prepared_cement_twice.csv": (2, "definition", "cement carbonation is counted twice"),
    "prepared_contradiction.csv": (12, "value", "contradicts row 10 on ocean 2010-2019: got '2.2 +- 0.4"),
    "prepared_members.csv": (12, "method", "say series='assessed' or series='members'"),
    "prepared_mixed_signs.csv": (12, "value", "mixed sign conventions: ocean (mine) in row 12"),
    "prepared_no_sd.csv": (12, "sd", "ocean 1990-1999: no standard deviation"),
    "prepared_one_observation.csv": (None, None, "no estimate of land_use, atmosphere, ocean, land"),
    "prepared_two_missing.csv": (None, None, "no estimate of ocean, land: closure cannot tell them apart"),
}


@pytest.fixture(scope="module")
def official():
    """The folder of the official workbooks, outside the repository."""
    beside = Path(sinkrisk.__file__).parents[2] / "shared"
    folder = Path(os.environ.get("SINKRISK_SHARED", beside)) / "data" / "gcb"
    if not (folder / "SOURCES.md").is_file():
        pytest.skip(
            "the official workbooks are not here; set SINKRISK_SHARED to the folder that holds data/gcb"
        )
    return folder


def problems_of(frame, **options):
    with pytest.raises(InputError) as caught:
        prepare_rows(frame, **options)
    return caught.value.problems


def message_of(frame, **options):
    return " | ".join(str(problem) for problem in problems_of(frame, **options))


def workbook(years=range(1975, 2001), members=True):
    """A small workbook-like frame with known numbers: sds left out where GCB states none."""
    rows = []
    for year in years:
        t = year - 1975
        cells = {
            "fossil": 5 + 0.1 * t,
            "land_use": 1.4,
            "atmosphere": 2.5 + 0.05 * t,
            "ocean": 1.6 + 0.03 * t,
        }
        cells |= {"land": 2.0 + 0.02 * t, "cement": 0.05 + 0.003 * t}
        sds = {"fossil": 0.3, "land_use": 0.7, "ocean": 0.4 + 0.01 * t, "land": 0.5}
        sds |= {"atmosphere": 0.2 if year >= 1980 else np.nan}
        for name, value in cells.items():
            rows.append((name, "assessment", "GCB", year, value, sds.get(name, np.nan)))
        if members:
            for k in range(3):
                rows.append(
                    ("ocean", "gobm", f"model {k}", year, cells["ocean"] + 0.1 * k + 0.01 * (-1) ** t, np.nan)
                )
                rows.append(
                    ("land", "dgvm", f"model {k}", year, cells["land"] + 0.2 * k - 0.05 * (-1) ** t, np.nan)
                )
            rows.append(("land_use", "dgvm", "model 0", year, 2.0 + 0.01 * t, np.nan))
            rows.append(("land_use", "bookkeeping", "BLUE", year, 1.5 + 0.01 * t, np.nan))
            rows.append(("cement", "model", "Cao", year, 0.06, np.nan))
    frame = pd.DataFrame(rows, columns=["component", "method", "estimate", "start", "value", "sd"])
    frame["end"], frame["unit"], frame["geography"] = frame["start"], "GtC/yr", "global"
    frame["source"] = "gcp2001"
    frame["definition"] = np.where(frame["component"] == "fossil", "without cement carbonation", "")
    frame.attrs["release"] = "2001"
    return frame


@pytest.mark.parametrize("name", CASES)
def test_each_bad_table_has_its_message(name):
    row, key, words = CASES[name]
    problems = problems_of(priors.load_observations(BAD / name))
    assert len(problems) == 1
    assert (problems[0].row, problems[0].key) == (row, key)
    assert Path(problems[0].file).name == name
    assert words in str(problems[0])


def test_every_bad_table_is_tried():
    assert {path.name for path in BAD.glob("prepared_*.csv")} == set(CASES)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("sd", -0.4, "must be positive and finite: got -0.4"),
        ("sd", 0.0, "got 0.0; allowed: 0 < sd < inf"),
        ("sd", np.inf, "got inf; allowed: 0 < sd < inf"),
        ("sd", np.nan, "ocean 1960-1969: no standard deviation"),
        ("value", np.inf, "no finite value: got inf"),
        ("value", 1e308, "far larger than any flux of carbon"),
        ("end", 1959, "window ends before it starts"),
        ("start", 1960.5, "not a year"),
        ("component", "oceans", "did you mean 'ocean'?"),
        ("geography", "china", "rows of several geographies"),
        ("unit", "GtX/yr", "unknown unit"),
        ("kind", "forecast", "unknown kind"),
    ],
)
def test_one_fault_one_message(table_2, column, value, said):
    if column in ("start", "value", "sd"):
        table_2[column] = table_2[column].astype(float)
    table_2.loc[3, column] = value
    problems = problems_of(table_2)
    assert len(problems) == 1
    assert said in str(problems[0])


def test_all_faults_at_once_and_unknown_words(table_2):
    table_2.loc[0, "sd"] = -1.0
    table_2.loc[1, "unit"] = "GtX"
    table_2.loc[2, "component"] = "total"
    found = problems_of(table_2, attribution="maybe", series="both", windows=["soon"])
    assert {p.key for p in found if p.key} == {"sd", "unit", "component", "attribution", "series"}
    assert [p.what for p in found if not p.key] == ["not a period"]
    assert "observations must be a table" in message_of("global")
    assert "no row enters in the selected window: got '1950-1959'" in message_of(table_2, windows=["1950s"])
    assert "no row of that geography: got 'mars'" in message_of(table_2, geography="mars")


def test_table_2_enters_whole(packaged):
    table = prepare_rows(packaged("global"))
    assert list(table.rows.columns) == list(COLUMNS)
    assert len(table.rows) == 8 * 5
    assert set(table.rows["role"]) == {"assessed"}
    assert set(table.rows["sd_basis"]) == {"stated"}
    # Atmosphere of the 1960s is printed 1.7, sd 0.07: the digit is that of the values.
    np.testing.assert_allclose(table.rows["digit"], 0.1)
    assert table.determined == ()
    assert table.windows[0] == "1960-1969"
    assert table.years == (1960, 2024)
    assert table.printed["2014-2023"] == -0.4
    assert {entry["reason"] for entry in table.excluded} == {"derived from the other columns"}
    notes = " | ".join(table.notes)
    assert "projections enter with an extra sd: 5 rows in 2024" in notes
    assert "atmosphere 1980-1989, 1990-1999, 2000-2009, 2014-2023: the sd of a decade is printed as" in notes
    # 5 % of every value, but of decades: named and kept as printed.
    assert "the sd of fossil (GCB2024) is 5.01 % of every value to within printing" in notes
    fossil = table.rows[table.rows["component"] == "fossil"]
    assert fossil["sd"].tolist() == [0.2, 0.2, 0.3, 0.3, 0.4, 0.5, 0.5, 0.5]


def test_units_digits_and_bounds(table_2):
    frame = table_2.assign(low=np.nan, high=np.nan, interval=np.nan)
    frame["unit"] = np.where(frame["component"] == "ocean", "TgC/yr", "GtC/yr")
    frame.loc[frame["component"] == "ocean", ["value", "sd"]] *= 1000
    frame.loc[3, ["value", "sd", "low", "high", "interval"]] = [np.nan, np.nan, 900, 1700, 0.9]
    rows = prepare_rows(frame).rows
    ocean = rows[rows["component"] == "ocean"]
    assert ocean["value"].iloc[0] == pytest.approx(1.3)
    assert ocean["sd"].iloc[0] == pytest.approx(0.4 / 1.6448536269514722)
    assert ocean["sd_basis"].iloc[0] == "interval"
    # 900 TgC/yr and 2500 TgC/yr are read as whole numbers: a digit of 1 TgC/yr.
    np.testing.assert_allclose(ocean["digit"], 1e-3)


def test_windows_need_no_complete_set(table_2):
    # One component is never seen, another in one window only.
    some = table_2[(table_2["component"] != "atmosphere")]
    some = some[(some["component"] != "land") | (some["start"] == 1970)]
    table = prepare_rows(some)
    assert table.determined == ("atmosphere",)
    assert any("determined by closure alone, no estimate in any year: atmosphere" in n for n in table.notes)
    assert "no estimate of atmosphere, ocean: closure cannot tell" in message_of(
        some[some["component"] != "ocean"]
    )
    only = prepare_rows(table_2, windows=["2014-2023", 2024])
    assert only.windows == ("2014-2023", "2024")


def test_blank_values_are_missing_years(table_2):
    table_2.loc[3, "value"] = np.nan
    table = prepare_rows(table_2)
    assert len(table.rows) == 39
    assert {"row": 4, "component": "ocean", "window": "1960-1969", "reason": "no value: read as missing"} in (
        table.excluded
    )


def test_a_workbook_is_assessed_by_default():
    table = prepare_rows(workbook())
    assert set(table.rows["method"]) == {"assessment"}
    assert table.components == ("fossil", "land_use", "atmosphere", "ocean", "land", "cement")
    air = table.rows[table.rows["component"] == "atmosphere"].set_index("start")["sd"]
    # Table 2 gives the decades before 1980 0.07; a single year's difference is ten times as uncertain.
    np.testing.assert_allclose(air.loc[1975:1979], 0.7)
    np.testing.assert_allclose(air.loc[1980:], 0.2)
    cement = table.rows[table.rows["component"] == "cement"]
    # The series is a straight line, so its smooth reference is itself.
    np.testing.assert_allclose(cement["sd"], 0.15 * cement["value"])
    assert set(cement["sd_basis"]) == {"prior"}
    out = [entry for entry in table.excluded if "member of the assessed series" in entry["reason"]]
    assert len(out) == 3 + 3 + 1 + 1 + 1
    assert out[0]["window"] == "1975-2000"


def test_members_replace_the_assessed_series_and_take_its_sd():
    table = prepare_rows(workbook(), series="members")
    counts = table.rows.groupby(["component", "method", "role"])["estimate"].nunique().to_dict()
    assert counts == {
        ("atmosphere", "assessment", "assessed"): 1,
        ("cement", "assessment", "assessed"): 1,
        ("fossil", "assessment", "assessed"): 1,
        ("land", "dgvm", "member"): 3,
        ("land_use", "bookkeeping", "member"): 1,
        ("ocean", "gobm", "member"): 3,
    }
    ocean = table.rows[table.rows["component"] == "ocean"]
    np.testing.assert_allclose(ocean["sd"], 0.4 + 0.01 * (ocean["start"] - 1975))
    assert set(ocean["sd_basis"]) == {"reference"}
    reasons = " | ".join(entry["reason"] for entry in table.excluded)
    assert "26 rows of assessment GCB: replaced by its members" in reasons
    assert "26 rows of dgvm model 0: land-use emissions of vegetation models" in reasons
    assert "26 rows of model Cao: this component stays assessed" in reasons


def test_members_with_gaps_and_without_an_assessed_series():
    frame = workbook()
    gap = (frame["estimate"] == "model 1") & (frame["component"] == "ocean") & (frame["start"] < 1990)
    frame.loc[gap, "value"] = np.nan
    rows = prepare_rows(frame, series="members").rows
    kept = rows[(rows["component"] == "ocean") & (rows["estimate"] == "model 1")]
    assert kept["start"].min() == 1990
    # Of a user's own estimates alone, the reference is that of priors/budget.csv: Table 2's 0.4.
    alone = workbook(members=True)
    alone = alone[(alone["component"] != "ocean") | (alone["method"] == "gobm")]
    rows = prepare_rows(alone, series="members").rows
    np.testing.assert_allclose(rows.loc[rows["component"] == "ocean", "sd"], 0.4)
    assert "no individual estimates in the table" in message_of(workbook(members=False), series="members")


def test_a_users_table_with_both_is_refused_until_it_chooses():
    frame = workbook()
    frame.attrs.clear()
    said = message_of(frame)
    for component in ("ocean", "land", "land_use", "cement"):
        assert f"an assessed series of {component} together with its members" in said
    assert len(prepare_rows(frame, series="assessed").rows) == 26 * 6
    # Independent estimates say so by their source; without an sd of their own they are members.
    own = frame[(frame["method"] == "assessment") | (frame["method"] == "gobm")].copy()
    own.loc[own["method"] == "gobm", "source"] = "mine2024"
    rows = prepare_rows(own).rows
    assert rows.groupby("method")["role"].unique().map(list).to_dict() == {
        "assessment": ["assessed"],
        "gobm": ["member"],
    }


def test_a_share_of_the_value_becomes_a_share_of_the_trend():
    frame = workbook(members=False)
    wiggle = frame["component"] == "fossil"
    noise = np.where(np.arange(wiggle.sum()) % 2 == 0, 0.4, -0.4)
    frame.loc[wiggle, "value"] += noise
    frame.loc[wiggle, "sd"] = 0.05 * frame.loc[wiggle, "value"]
    table = prepare_rows(frame)
    fossil = table.rows[table.rows["component"] == "fossil"]
    assert set(fossil["sd_basis"]) == {"trend"}
    assert any(
        "the sd of fossil (GCB) is 5 % of every value to within printing: taken" in n for n in table.notes
    )
    # Alternating years differ by 0.8 in value but hardly in sd, whose trend is 5 % of 5 + 0.1 t.
    line = 0.05 * (5 + 0.1 * (fossil["start"] - 1975))
    np.testing.assert_allclose(fossil["sd"], line, atol=0.05 * 0.15)
    # A constant sd is no share, even where the values are flat.
    assert set(table.rows.loc[table.rows["component"] == "land_use", "sd_basis"]) == {"stated"}


def test_equal_rows_of_one_source_count_once_but_series_agree_by_chance(table_2):
    text = table_2[(table_2["component"] == "ocean") & (table_2["start"].isin([1960, 2024]))].assign(
        estimate="text"
    )
    table = prepare_rows(pd.concat([table_2, text], ignore_index=True))
    assert len(table.rows) == 40
    assert [e["reason"] for e in table.excluded][-2:] == [
        "repeats row 4 of its source; counted once",
        "repeats row 53 of its source; counted once",
    ]
    # Another series that shares one value of eight is a series of its own.
    other = table_2[table_2["component"] == "ocean"].assign(estimate="other")
    other["value"] = other["value"] + [0.0, 0.1, 0.1, 0.1, -0.1, 0.1, 0.1, 0.1]
    assert len(prepare_rows(pd.concat([table_2, other], ignore_index=True)).rows) == 48
    elsewhere = text.assign(source="another2024")
    assert len(prepare_rows(pd.concat([table_2, elsewhere], ignore_index=True)).rows) == 42


@pytest.mark.parametrize("place", [3, 10, 17, 24, 31, 38, 45, 52, 0, 7, 35, 2, 9, 37, 4, 11, 39])
def test_one_row_of_the_other_sign_is_named(table_2, place):
    table_2.loc[place, "value"] *= -1
    problems = problems_of(table_2)
    assert [(p.row, p.key) for p in problems] == [(place + 1, "value")]
    assert f"mixed sign conventions: {table_2.loc[place, 'component']} (GCB2024) in row {place + 1}" in str(
        problems[0]
    )


def test_a_negative_sink_that_is_meant_says_so(table_2):
    table_2["definition"] = ""
    table_2.loc[39, ["value", "definition"]] = [-2.3, "land sink; negative: a source"]
    assert prepare_rows(table_2).rows["value"].min() == -2.3
    table_2.loc[39, "definition"] = ""
    assert "say so in column 'definition': 'negative: a source'" in message_of(table_2)


@pytest.mark.parametrize("component", ["fossil", "ocean", "land", "atmosphere"])
def test_a_whole_component_of_the_other_sign(table_2, component):
    table_2.loc[table_2["component"] == component, "value"] *= -1
    assert f"mixed sign conventions: {component} (GCB2024) in rows" in message_of(table_2)


@pytest.mark.parametrize(("component", "method"), [("ocean", "gobm"), ("land", "dgvm")])
def test_a_whole_series_of_the_other_sign(component, method):
    frame = workbook()
    wrong = (frame["component"] == component) & (frame["estimate"] == "model 1")
    frame.loc[wrong, "value"] *= -1
    problems = problems_of(frame, series="members")
    assert len(problems) == 1
    assert f"{component} (model 1) in rows" in str(problems[0])
    assert "and 20 more" in str(problems[0])


def test_a_gradual_change_of_sign_is_no_mixture(packaged):
    # China's land-use emissions fall from 0.10 to -0.18; its seas are stated as a sink and as a source.
    values = prepare_rows(china_observations()).rows
    use = values.loc[values["component"] == "land_use", "value"].tolist()
    assert use == [0.10, 0.10, 0.05, -0.01, -0.10, -0.18]
    assert len(prepare_rows(packaged("china"), attribution="include").rows) == 6 * 5


def test_ten_thousand_rows(table_2):
    generator = np.random.default_rng(5)
    many = [table_2.assign(estimate=f"model {i}", source=f"s{i}", sd=table_2["sd"] * 10) for i in range(200)]
    frame = pd.concat(many, ignore_index=True)
    frame["value"] = frame["value"] + generator.normal(0, 0.05, len(frame))
    assert len(frame) > 10_000
    assert len(prepare_rows(frame).rows) == 200 * 40


def test_nothing_of_the_caller_is_changed(table_2):
    before = table_2.copy(deep=True)
    prepare_rows(table_2)
    pd.testing.assert_frame_equal(table_2, before)


def test_the_ocean_statements():
    table = prepare_rows(ocean_observations())
    rows = table.rows[table.rows["component"] == "ocean"]
    said = rows[~rows["locator"].str.startswith("Table 2")].set_index("estimate")[["value", "sd"]].round(3)
    # 2.3 to 3.1 read as 90 %: 0.4 / 1.645; a product without an uncertainty: 30 % of 1.5.
    assert said.to_dict("index") == {
        "DeVries2017": {"value": 2.5, "sd": 0.5},
        "GCB2024 text": {"value": 2.5, "sd": 0.5},
        "GCB2023 models": {"value": 2.7, "sd": 0.243},
        "Landschuetzer2016": {"value": 1.5, "sd": 0.45},
    }
    assert (rows["locator"].str.startswith("Table 2")).sum() == 8
    reasons = {entry["reason"] for entry in table.excluded}
    assert {"one-sided: at least 2.5 PgC/yr", "one-sided: at most 2 PgC/yr"} <= reasons
    assert any("repeats row" in reason for reason in reasons)
    assert "Ma2025: long-term sequestration: another quantity than the net sink" in reasons
    assert table.geography == "global"
    assert "budget.ocean_observations()" in message_of(priors.load_observations("ocean"), geography="global")


def test_rows_of_another_geography_stay_out_when_one_is_chosen(packaged, table_2):
    both = pd.concat([table_2, packaged("ocean")], ignore_index=True)
    table = prepare_rows(both, geography="global")
    assert "geography china, not global" in {entry["reason"] for entry in table.excluded}
    assert set(table.rows["component"]) == {"fossil", "land_use", "atmosphere", "ocean", "land"}


def test_china_has_several_statements_on_land_and_seas(packaged):
    table = prepare_rows(china_observations())
    assert table.determined == ("atmosphere",)
    assert any("the net contribution of china to the air" in note for note in table.notes)
    assert any("constructed: atmosphere is 44 %" in note for note in table.notes)
    rows = table.rows.set_index("estimate")
    # 1.3 PgCO2 = 1.3 * 12 / 44; 0.16 + 0.12 + 0.03 - 0.0034.
    assert rows.loc["Bao2023", "value"] == pytest.approx(1.3 * 12 / 44)
    assert rows.loc["Ma2025 Table 4 sum", "value"] == pytest.approx(0.3066)
    land = table.rows[table.rows["component"] == "land"]
    assert set(land["net_of"]) == {"land_use"}
    assert set(land["method"]) == {"assessment", "inventory"}
    seas = table.rows[table.rows["component"] == "ocean"]
    np.testing.assert_allclose(sorted(seas["value"]), [-0.0095, 0.08815])
    assert table.forecasts["window"].tolist() == ["2060"]
    assert table.forecasts["value"].tolist() == pytest.approx([0.375])
    assert not (table.rows["method"] == "attribution").any()
    left = " | ".join(entry["reason"] for entry in table.excluded)
    assert "Zhong2023: an enhancement potential, not a flux" in left
    assert "budget.china_observations()" in message_of(packaged("china"))


@pytest.mark.parametrize(("name", "years", "members"), [("2023v1.1", 64, 41), ("2024_v1.0", 65, 43)])
def test_official_workbooks(official, name, years, members):
    frame = priors.load_observations(official / f"Global_Carbon_Budget_{name}.xlsx")
    assessed = prepare_rows(frame)
    assert len(assessed.rows) == 6 * years
    assert assessed.rows["sd"].gt(0).all()
    table = prepare_rows(frame, series="members")
    estimates = table.rows[table.rows["role"] == "member"].groupby(["component", "estimate"])
    assert estimates.ngroups == members
    assert set(table.rows.loc[table.rows["method"] == "fco2", "river"]) == {"adjusted"}
    assert not ((table.rows["component"] == "land_use") & (table.rows["method"] == "dgvm")).any()


def test_unadjusted_products_are_marked(table_2):
    extra = (
        table_2[table_2["component"] == "ocean"]
        .iloc[[5]]
        .assign(
            method="fco2",
            estimate="raw",
            source="mine",
            definition="not adjusted for the river loop",
            value=2.3,
        )
    )
    rows = prepare_rows(pd.concat([table_2.assign(definition=""), extra], ignore_index=True)).rows
    assert rows.loc[rows["estimate"] == "raw", "river"].tolist() == ["unadjusted"]
    assert set(rows.loc[rows["estimate"] != "raw", "river"]) == {""}


def test_the_table_of_hyperparameters_loads_and_is_sourced():
    table = priors.load_table("budget")
    assert set(table.loc[table["family"] == "dirichlet", "parameter"]) == {
        "share_bias",
        "share_ar",
        "share_white",
    }
    assert table["note"].str.len().gt(20).all()
    walk = table[table["parameter"] == "walk_scale"].set_index("component")["a"]
    np.testing.assert_allclose(np.exp(walk[["fossil", "land_use", "ocean"]]), [0.2, 0.1, 0.05], rtol=1e-4)


PRINTED = """component,start,end,value,sd,unit
fossil,2014,2023,10.0,0.1,GtC/yr
land_use,2014,2023,1.10,0.05,GtC/yr
atmosphere,2014,2023,5.0,0.02,GtC/yr
ocean,2014,2023,3.00,0.05,GtC/yr
land,2014,2023,3,0.1,GtC/yr
"""


def test_printed_noughts_count_as_digits(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(PRINTED)
    table = prepare_rows(sinkrisk.load_observations(path))
    digit = table.rows.set_index("component")["digit"]
    assert digit.to_dict() == pytest.approx(
        {"fossil": 0.1, "land_use": 0.01, "atmosphere": 0.1, "ocean": 0.01, "land": 1.0}
    )
    # What is printed coarsely beside its sd is said: .29 beside .1, .029 beside .02.
    coarse = [note for note in table.notes if "rounding adds" in note]
    assert [note.split(" is printed to ")[0] for note in coarse] == ["atmosphere", "land"]
    assert (
        "land is printed to 1 GtC/yr: rounding adds ±0.29 to stated sds down to ±0.1 (2014-2023)" in coarse[1]
    )


def test_few_numbers_of_a_frame_take_their_digit_from_the_sd(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(PRINTED)
    frame = pd.read_csv(path)
    # A float forgets 10.0; a stated sd of 0.1 speaks against whole units.
    digit = prepare_rows(frame).rows.set_index("component")["digit"]
    assert digit.to_dict() == pytest.approx(
        {"fossil": 0.1, "land_use": 0.01, "atmosphere": 0.01, "ocean": 0.01, "land": 0.1}
    )


def test_the_printed_table_2_keeps_its_digits():
    digits = prepare_rows(sinkrisk.load_observations("global")).rows["digit"]
    assert (digits == 0.1).all()


def test_a_frame_without_geography_is_the_globe(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(PRINTED.replace("ocean,2014,2023,3.00", "ocean,2014,2023,-3.00"))
    assert "mixed sign conventions: ocean" in message_of(pd.read_csv(path))
    assert prepare_rows(pd.read_csv(path).assign(value=lambda t: t["value"].abs())).geography == "global"


def test_a_component_whose_every_value_is_blank_is_no_choice_of_closure(table_2):
    land = table_2["component"] == "land"
    blank = table_2.assign(value=table_2["value"].astype(float).mask(land))
    assert "land: not one of its 8 rows has a value: got 'empty'; give the values" in message_of(blank)
    # Without the rows it is one, and a single blank among values is a missing value.
    assert prepare_rows(table_2[~land]).determined == ("land",)
    assert (
        len(prepare_rows(table_2.assign(value=table_2["value"].mask(land & (table_2.index < 7)))).rows) == 39
    )
