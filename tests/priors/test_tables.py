"""The library's tables against the review, read by eye, and the loaders' behaviour."""

import csv

import numpy as np
import pandas as pd
import pytest

from sinkrisk import files, priors
from sinkrisk.priors import layouts, references, tables

COLUMNS = [
    *("component", "geography", "method", "estimate", "start", "end", "value", "sd", "low", "high"),
    *("interval", "unit", "definition", "kind", "source", "locator", "note"),
]

# Table 2 of the review, typed from the page for this test: value and sd, the imbalance without one.
TABLE_2 = {
    (1960, 1969): [(3.0, 0.2), (1.6, 0.7), (4.6, 0.7), (1.7, 0.07), (1.2, 0.4), (1.2, 0.5), 0.5],
    (1970, 1979): [(4.7, 0.2), (1.4, 0.7), (6.1, 0.7), (2.8, 0.07), (1.5, 0.4), (2.0, 0.8), -0.1],
    (1980, 1989): [(5.5, 0.3), (1.4, 0.7), (6.9, 0.8), (3.4, 0.2), (1.9, 0.4), (1.8, 0.8), -0.2],
    (1990, 1999): [(6.4, 0.3), (1.6, 0.7), (7.9, 0.8), (3.1, 0.2), (2.1, 0.4), (2.5, 0.6), 0.2],
    (2000, 2009): [(7.8, 0.4), (1.4, 0.7), (9.2, 0.8), (4.0, 0.2), (2.3, 0.4), (2.8, 0.7), 0.0],
    (2014, 2023): [(9.7, 0.5), (1.1, 0.7), (10.8, 0.9), (5.2, 0.2), (2.9, 0.4), (3.2, 0.9), -0.4],
    (2023, 2023): [(10.1, 0.5), (1.0, 0.7), (11.1, 0.9), (5.9, 0.2), (2.9, 0.4), (2.3, 1.1), 0.0],
    (2024, 2024): [(10.2, 0.5), (1.2, 0.7), (11.4, 0.9), (6.1, 0.3), (3.0, 0.6), (3.2, 1.5), -0.9],
}
TABLE_3 = {
    1960: (0.15, 0.10, 0.25, 0.11, 0.06, 0.08, 0.01),
    1970: (0.31, 0.10, 0.41, 0.18, 0.09, 0.13, 0.01),
    1980: (0.53, 0.05, 0.58, 0.26, 0.13, 0.19, 0.01),
    1990: (0.85, -0.01, 0.84, 0.37, 0.19, 0.26, 0.02),
    2000: (1.54, -0.10, 1.44, 0.64, 0.33, 0.45, 0.03),
    2010: (2.69, -0.18, 2.51, 1.10, 0.58, 0.78, 0.05),
}
ORDER = ["fossil", "land_use", "total_emissions", "atmosphere", "ocean", "land", "imbalance"]
# Table 5: potential, cost, energy, TRL.
TABLE_5 = {
    "beccs": [(1, 5), (60, 120), (1.5, 3.5), (8, 9)],
    "daccs": [(5, 10), (300, 600), (6, 12), (5, 6)],
    "biochar": [(0.5, 2), (30, 100), (0.5, 1.5), (7, 8)],
    "enhanced_weathering": [(2, 4), (80, 250), (1, 4), (5, 7)],
    "industrial_carbonation": [(1, 2), (50, 150), (1.5, 3), (6, 8)],
    "point_source_ccs": [(5, 7), (50, 100), (2, 4), 9],
    "oae_oif": [(5, 20), (80, 200), (1, 6), (4, 6)],
}


def test_table_2_is_transcribed_cell_by_cell():
    table = priors.load_observations("global").set_index(["start", "end", "component"])
    assert len(table) == 8 * 7
    for window, cells in TABLE_2.items():
        for component, cell in zip(ORDER, cells, strict=True):
            row = table.loc[(*window, component)]
            value, sd = cell if isinstance(cell, tuple) else (cell, np.nan)
            np.testing.assert_equal((row["value"], row["sd"]), (value, sd))
            assert row["kind"] == ("projection" if window == (2024, 2024) else "observed")
            assert (row["method"] == "derived") == (component in ("total_emissions", "imbalance"))


def test_table_3_is_transcribed_and_its_sds_are_declared_assumptions():
    table = priors.load_observations("china")
    indexed = table.set_index(["start", "component"])
    for start, cells in TABLE_3.items():
        assert [indexed.loc[(start, c), "value"] for c in ORDER] == list(cells)
    measured = table[table["method"] != "derived"]
    assert measured["sd"].gt(0).all()
    assert measured["note"].str.contains("assumption: ").all()
    attributed = set(table.loc[table["method"] == "attribution", "component"])
    assert attributed == {"atmosphere", "ocean", "land"}


def test_table_5_is_transcribed_cell_by_cell():
    claims = priors.load_claims()
    printed = claims[claims["locator"].str.startswith("Table 5")].set_index(["pathway", "quantity"])
    assert len(printed) == 7 * 4
    for pathway, cells in TABLE_5.items():
        for quantity, cell in zip(("potential", "cost", "energy", "trl"), cells, strict=True):
            row = printed.loc[(pathway, quantity)]
            if isinstance(cell, tuple):
                assert (row["low"], row["high"]) == cell
            else:
                assert row["central"] == cell


def test_tables_1_and_4_are_complete():
    mechanisms = priors.load_table("ocean_mechanisms")
    assert mechanisms.groupby("mechanism").size().tolist() == [7] * 4
    for name, column in (("ecosystems", "net sink"), ("reservoirs", "carbon stock")):
        table = priors.load_observations(name)
        cells = table[table["locator"].str.startswith("Table 4") & table["locator"].str.endswith(column)]
        assert len(cells.groupby(["component", "geography"])) >= 12
    stocks = priors.load_observations("reservoirs")
    forests = stocks[stocks["locator"] == "Table 4, Forests, global carbon stock"].iloc[0]
    assert (forests["value"], forests["sd"], forests["unit"]) == (861.0, 66.0, "PgC")


def test_conflicting_claims_stand_side_by_side():
    claims = priors.load_claims()
    cost = claims[(claims["pathway"] == "daccs") & (claims["quantity"] == "cost")]
    stated = {(low, high) for low, high in zip(cost["low"], cost["high"].fillna(0), strict=True)}
    assert stated == {(300.0, 600.0), (200.0, 600.0), (200.0, 0.0)}
    potential = claims[(claims["pathway"] == "biochar") & (claims["quantity"] == "potential")]
    assert sorted(zip(potential["low"], potential["high"], strict=True)) == [(0.5, 2.0), (2.2, 6.6)]


@pytest.mark.parametrize("name", tables.OBSERVATION_TABLES)
def test_observations_have_the_contract_columns_and_types(name):
    table = priors.load_observations(name)
    assert list(table.columns) == COLUMNS
    assert table["start"].dtype == table["end"].dtype == np.int64
    for column in ("value", "sd", "low", "high", "interval"):
        assert table[column].dtype == np.float64
    assert table.attrs["path"].endswith(f"{name}.csv")
    # No None or NaN among the words: an empty cell is an empty string.
    assert not table.select_dtypes("str").isna().any().any()


def test_a_path_loads_like_a_name(tmp_path):
    original = files.data_path("priors", "observations", "ocean.csv")
    copy = tmp_path / "mine.csv"
    copy.write_bytes(original.read_bytes())
    pd.testing.assert_frame_equal(
        priors.load_observations(copy), priors.load_observations("ocean"), check_like=True
    )


def test_a_users_own_bibliography_is_read_beside_the_file(tmp_path):
    text = files.data_path("priors", "observations", "ocean.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))
    rows[1][COLUMNS.index("source")] = "mine2026"
    with (tmp_path / "mine.csv").open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows(rows)
    assert priors.load_observations(tmp_path / "mine.csv").attrs["free_sources"] == ("mine2026",)
    (tmp_path / "references.bib").write_text("@misc{mine2026,\n  year = {2026}\n}\n")
    table = priors.load_observations(tmp_path / "mine.csv")
    assert table["source"].iloc[0] == "mine2026"
    assert table.attrs["free_sources"] == ()


def test_regions_periods_and_pathways_match_what_the_chain_expects():
    regions = priors.load_table("regions")
    assert regions["surface_share"].sum() == pytest.approx(1.0, abs=1e-12)
    periods = priors.load_table("periods")
    assert (periods["end_exclusive"] - periods["start"]).tolist() == [10, 15, 51]
    pathways = priors.load_table("pathways").set_index("pathway")
    assert pathways.index[~pathways["creditable"]].tolist() == ["microbial_carbon_pump"]
    assert pathways.loc["point_source_ccs", "flow_class"] == "avoided"
    assert pathways.loc["beccs", "classes"] == "land_based;geological"
    assert priors.load_table("criteria")["axis"].sum() == 6


def test_every_table_named_in_the_vocabularies_can_be_loaded():
    for schema_name in priors.list_tables():
        if schema_name in ("suitability", "portfolios", "portfolio_names"):
            continue
        assert len(priors.load_table(schema_name)) > 0
    assert set(layouts.METHODS) >= set(priors.load_observations("global")["method"])


def test_sources_are_counted_and_resolve():
    sources = priors.list_sources().set_index("source")
    assert sources.loc["ma2025", "year"] == "2025"
    assert sources.loc["friedlingstein2024", "rows"] >= 56
    assert sources["rows"].gt(0).all()
    assert references.ASSUMPTION in sources.index


def test_the_bibliography_is_valid_bibtex_with_the_same_keys():
    import bibtexparser

    text = files.data_path("priors", "references.bib").read_text(encoding="utf-8")
    parsed = {entry["ID"]: entry for entry in bibtexparser.loads(text).entries}
    ours = priors.load_references()
    assert set(parsed) == set(ours)
    for key, entry in ours.items():
        assert parsed[key]["title"] == entry["title"]
        assert parsed[key]["year"] == entry["year"]
