"""A user's own tables: what they may leave out, and what is said of what they may not."""

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sinkrisk import budget, files, priors
from sinkrisk.errors import InputError
from sinkrisk.priors import layouts, schemas, tables

SHORT = "component,start,end,value,sd,unit\nocean,2014,2023,2.9,0.4,GtC/yr\nland,2014,2023,3.2,0.9,GtC/yr\n"
README = Path(__file__).parents[2] / "README.md"


def write(folder, text, name="mine.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(path, load=priors.load_observations):
    with pytest.raises(InputError) as caught:
        load(path)
    assert all(problem.file == str(path) for problem in caught.value.problems)
    return caught.value.problems


def test_six_columns_are_enough_and_the_rest_is_filled_in(tmp_path):
    table = priors.load_observations(write(tmp_path, SHORT))
    assert tuple(table.columns) == layouts.OBSERVATIONS.names
    filled = {"geography": "global", "method": "assessment", "estimate": "mine", "kind": "observed"}
    filled |= {"source": "mine.csv", "definition": "", "locator": "", "note": ""}
    for row in table.to_dict("records"):
        assert {name: row[name] for name in filled} == filled
        assert np.isnan([row["low"], row["high"], row["interval"]]).all()
    assert table["value"].tolist() == [2.9, 3.2]
    assert table.attrs["free_sources"] == ()


def test_blank_cells_are_filled_like_missing_columns(tmp_path):
    header = ",".join(layouts.OBSERVATIONS.names)
    row = "ocean,,,,2014,2023,2.9,0.4,,,,GtC/yr,,,,,"
    table = priors.load_observations(write(tmp_path, f"{header}\n{row}\n"))
    short = priors.load_observations(write(tmp_path, SHORT)).iloc[[0]]
    pd.testing.assert_frame_equal(table, short)


def test_bounds_with_their_mass_stand_in_for_value_and_sd(tmp_path):
    text = "component,start,end,low,high,interval,unit\nocean,2014,2023,2.3,3.5,0.9,GtC/yr\n"
    table = priors.load_observations(write(tmp_path, text))
    assert table[["low", "high", "interval"]].to_numpy().tolist() == [[2.3, 3.5, 0.9]]
    (problem,) = problems_of(write(tmp_path, text.replace(",0.9,", ",,")))
    assert (problem.row, problem.key) == (2, "interval")
    assert "an interval needs the mass it holds" in str(problem)


@pytest.mark.parametrize(
    ("header", "key", "words"),
    [
        ("component,start,end,value,unit", "sd", "observations: missing column: got 'component, start"),
        ("component,start,end,low,high,unit", "interval", "missing column"),
        ("component,value", None, "missing columns start, end, unit, sd: got 'component, value'"),
        ("component,start,end,unit", None, "missing columns value, sd"),
    ],
)
def test_missing_columns_are_one_problem(tmp_path, header, key, words):
    (problem,) = problems_of(write(tmp_path, header + "\n"))
    assert (problem.row, problem.key) == (1, key)
    assert words in str(problem)
    assert "needs component,start,end,unit and value,sd or low,high,interval" in str(problem)


def test_a_misspelt_column_is_named_beside_the_missing_one(tmp_path):
    missing, unknown = problems_of(write(tmp_path, SHORT.replace("start", "starts")))
    assert missing.key == "start"
    assert "unknown column: got 'starts'" in str(unknown)
    assert "did you mean 'start'?" in str(unknown)


@pytest.mark.parametrize(("separator", "shown"), [(";", "';'"), ("\t", "a tab"), ("|", "'|'")])
def test_another_separator_is_said_once(tmp_path, separator, shown):
    text = SHORT.replace(",", separator).replace(".", ",")
    (problem,) = problems_of(write(tmp_path, text))
    assert problem.row == 1
    assert f"observations: looks separated by {shown}; allowed: ','" in str(problem)
    assert "points in the numbers" in str(problem)


def test_a_decimal_comma_is_named(tmp_path):
    (problem,) = problems_of(write(tmp_path, SHORT.replace("2.9", '"2,9"')))
    assert (problem.row, problem.key) == (2, "value")
    assert "not a number: got '2,9'; write decimals with a point" in str(problem)


@pytest.mark.parametrize("unit", ["Gt C per year", "GtCyr", "PgC/a"])
def test_an_unknown_unit_of_a_flux_lists_fluxes_only(tmp_path, unit):
    (problem,) = problems_of(write(tmp_path, SHORT.replace("GtC/yr", unit, 1)))
    assert problem.allowed == layouts.FLUX_UNITS
    assert {"GtC/yr", "PgC/yr", "GtCO2/yr"} <= set(problem.allowed)
    assert not {"USD/tCO2", "%", "um"} & set(problem.allowed)


def test_a_misspelt_unit_of_another_kind_lists_all(tmp_path):
    (problem,) = problems_of(write(tmp_path, SHORT.replace("GtC/yr", "km^3", 1)))
    assert "did you mean 'km^2'?" in str(problem)


def test_two_estimates_without_a_name_are_told_apart_by_a_hint(tmp_path):
    (problem,) = problems_of(write(tmp_path, SHORT.replace("land,", "ocean,")))
    assert problem.row == 3
    assert "row given twice" in str(problem)
    assert "the first is row 2; tell independent estimates apart in column 'estimate'" in str(problem)


def test_sources_are_keys_or_words(tmp_path):
    cells = ["friedlingstein2024", '"A. Nansen, personal communication"', "nansen2026; ma2025", "nansen1893"]
    rows = [f"ocean,{2000 + i},{2000 + i},2.9,0.4,GtC/yr,{cell}" for i, cell in enumerate(cells)]
    path = write(tmp_path, "\n".join(["component,start,end,value,sd,unit,source", *rows]) + "\n")
    words = "A. Nansen, personal communication"
    table = priors.load_observations(path)
    assert table["source"].tolist() == [cell.strip('"') for cell in cells]
    assert table.attrs["free_sources"] == (words, "nansen2026; ma2025", "nansen1893")
    write(tmp_path, "@misc{nansen2026,\n  year = {2026}\n}\n", "thesis.bib")
    assert priors.load_observations(path).attrs["free_sources"] == (words, "nansen1893")
    # A bibliography that lies there for another purpose may be broken.
    write(tmp_path, "@misc{a,\n}\n@misc{a,\n}\n", "other.bib")
    assert priors.load_observations(path).attrs["free_sources"] == (words, "nansen1893")


def test_the_library_itself_stays_strict(tmp_path, monkeypatch):
    text = files.data_path("priors", "observations", "ocean.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))
    rows[1][rows[0].index("source")] = "friedlingstien2024"
    rows[2][rows[0].index("kind")] = ""
    path = tmp_path / "ocean.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows(rows)
    words = tables.vocabularies_of(layouts.OBSERVATIONS)
    source, kind = problems_of(path, lambda p: schemas.parse(p, layouts.OBSERVATIONS, words))
    assert "unknown source key: got 'friedlingstien2024'" in str(source)
    assert "did you mean 'friedlingstein2024'?" in str(source)
    assert (kind.row, kind.key, kind.what) == (3, "kind", "empty cell")
    short = write(tmp_path, SHORT)
    (missing,) = problems_of(short, lambda p: schemas.parse(p, layouts.OBSERVATIONS, words))
    assert missing.what.startswith("observations: missing columns geography, method, estimate, low")
    # By its place, not by its name: the same copy is strict inside the library's folder.
    real = files.data_path

    def moved(*parts):
        return tmp_path if parts == ("priors",) else real(*parts)

    assert len(priors.load_observations(short)) == 2
    monkeypatch.setattr(files, "data_path", moved)
    problems_of(short)


def test_claims_and_portfolios_of_a_user_cite_in_words(tmp_path):
    text = "id,pathway,quantity,geography,low,high,unit,interval,basis,source\n"
    text += "mine_1,daccs,cost,global,100,200,USD/tCO2,0.9,net,our pilot plant\n"
    claims = priors.load_claims(write(tmp_path, text))
    assert claims["source"].tolist() == ["our pilot plant"]
    assert claims.attrs["free_sources"] == ("our pilot plant",)
    assert priors.elicit(claims, "daccs", "cost").interval(0.9) == pytest.approx((100.0, 200.0), rel=1e-9)
    shares = "portfolio,pathway,period,share\np,daccs,near_term,0.4\np,beccs,near_term,0.6\n"
    table = priors.load_table("portfolios", write(tmp_path, shares, "plans.csv"))
    assert table["source"].tolist() == ["plans.csv"] * 2
    (problem,) = problems_of(
        write(tmp_path, text.replace(",global", "").replace("geography,", "").replace("basis", "bases")),
        lambda p: priors.load_claims(p),
    )[:1]
    assert "claims: missing columns geography, basis" in str(problem)


def test_a_frame_is_filled_in_like_a_file(tmp_path):
    frame = pd.read_csv(write(tmp_path, SHORT))
    checked = priors.check_frame("observations", frame)
    of_file = priors.load_observations(tmp_path / "mine.csv")
    same = [name for name in of_file.columns if name not in ("estimate", "source")]
    pd.testing.assert_frame_equal(checked[same], of_file[same])
    assert set(checked["estimate"]) == set(checked["source"]) == {"own table"}
    cited = priors.check_frame("observations", frame.assign(source="our floats"))
    assert set(cited["source"]) == {"our floats"}
    with pytest.raises(InputError, match=r"missing columns unit, sd: got 'component, start, end, value'"):
        priors.check_frame("observations", frame.drop(columns=["unit", "sd"]))


def test_unknown_names_say_which_key_is_meant():
    for name in ("globl", "budget.ods"):
        with pytest.raises(InputError) as caught:
            priors.load_observations(name)
        assert caught.value.problems[0].key == "observations"


def readme_section():
    found = re.search(r"## Your own observations\n(.*?)\n## ", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_of_the_readme_loads_and_reconciles(tmp_path):
    example = re.search(r"```csv\n(.*?)```", readme_section(), re.DOTALL)[1]
    table = priors.load_observations(write(tmp_path, example))
    assert len(table) == 6
    tree = budget.reconcile(table, model="closed", rng=1, draws=10)
    ocean = tree["constant_data"]["stated"].sel(component="ocean", window="2014-2023").item()
    # By hand: the pool of 2.9 +- 0.4 and the middle of 8.4..12.1 GtCO2/yr, sd half the width over z(0.9).
    second, sd = 10.25 * 12 / 44, (12.1 - 8.4) / 2 / 1.6448536269514722 * 12 / 44
    weights = np.array([0.4**-2, sd**-2])
    assert ocean == pytest.approx(weights @ [2.9, second] / weights.sum(), rel=1e-9)
    assert abs(tree["exact"]["mean"].sel(window="2014-2023", component="ocean").item() - 2.8) < 0.2


def test_the_table_of_the_readme_names_every_column():
    rows = [line.split("|") for line in readme_section().splitlines() if line.startswith("| `")]
    named = {name: row[3].strip() for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    assert set(named) == set(layouts.OBSERVATIONS.names)
    own = schemas.for_own_files(layouts.OBSERVATIONS, "mine.csv")
    assert {name for name, left_out in named.items() if left_out == "needed"} == set(own.needed)
    for name, text in own.fills:
        assert named[name] == ("the file's name" if "mine" in text else f"`{text}`")
