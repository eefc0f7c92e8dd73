"""The rules that find contradictions: each on a made-up conflict, on its absence, and on the review."""

import ast
import re
from pathlib import Path

import pandas as pd
import pytest

from sinkrisk import files, priors
from sinkrisk.priors import contradictions, findings, rules_claims, rules_shares, rules_sums, statements
from sinkrisk.priors.statements import Statement

NAN = float("nan")
OBSERVED = {
    "component": "ocean", "geography": "global", "method": "assessment", "estimate": "", "start": 2014,
    "end": 2023, "value": NAN, "sd": NAN, "low": NAN, "high": NAN, "interval": NAN, "unit": "GtC/yr",
    "definition": "", "kind": "observed", "source": "someone2020", "locator": "section 9.1, paragraph 1",
    "note": "",
}  # fmt: skip
CLAIMED = {
    "id": "x", "pathway": "beccs", "quantity": "cost", "geography": "global", "start": NAN, "end": NAN,
    "low": NAN, "high": NAN, "central": NAN, "sd": NAN, "unit": "USD/tCO2", "interval": NAN,
    "basis": "unspecified", "source": "someone2020", "locator": "section 9.1, paragraph 1", "note": "",
}  # fmt: skip
RELATED = {
    "relation": "sum",
    "measure": "stock",
    "whole": "",
    "parts": "",
    "source": "",
    "locator": "",
    "note": "",
}
GROUPS = [{"group": "oae_oif", "members": "oae;oif"}]


def find(observed=(), claimed=(), related=(), groups=GROUPS):
    """Return rules and findings for rows given as the fields that differ from the defaults."""
    return contradictions.find_contradictions(
        {"made_up": pd.DataFrame([OBSERVED | row for row in observed], columns=list(OBSERVED))},
        pd.DataFrame([CLAIMED | row for row in claimed], columns=list(CLAIMED)),
        pd.DataFrame([RELATED | row for row in related], columns=list(RELATED)),
        pd.DataFrame(groups, columns=["group", "members"]),
    )


def size(component, value, **more):
    return {"component": component, "value": value, "unit": "PgC", **more}


def flux(component, value, **more):
    return {"component": component, "value": value, **more}


def cost(low, high, **more):
    return {"low": low, "high": high, **more}


OCEAN = {"whole": "ocean_carbon", "parts": "ocean_dic;ocean_doc"}
GROSS = {"relation": "gross_and_net", "measure": "flux", "whole": "land", "parts": "terrestrial"}
LATER = {"start": 2030, "end": 2030, "kind": "projection", "definition": "increase"}
ELSEWHERE = {"locator": "section 9.2, paragraph 1"}
IN_A_TABLE = {"locator": "Table 9, Row, Column"}
DECADES = [(d, d + 9) for d in (1960, 1970, 1980, 1990)]


def share(component, definition, **more):
    return {"component": component, "unit": "%", "definition": definition, **more}


def budget(land):
    """Return four decades of a table in which the land sink is as given."""
    rows = []
    for (start, end), fossil, sink in zip(DECADES, (3.1, 5.1, 6.1, 8.1), land, strict=True):
        where = {"start": start, "end": end, "locator": f"Table 9, {start}s"}
        rows += [flux("fossil", fossil, **where), flux("land_use", 0.9, **where), flux("land", sink, **where)]
    return rows


# rule -> (rows that conflict, the same rows made to agree), each as keyword arguments of `find`.
CASES = {
    "row arithmetic": (
        {"observed": [flux("fossil", 3.1), flux("land_use", 1.6), flux("total_emissions", 5.6)]},
        {"observed": [flux("fossil", 3.1), flux("land_use", 1.6), flux("total_emissions", 4.8)]},
    ),
    "sums of parts": (
        {"observed": [size("ocean_carbon", 500.0), size("ocean_dic", 430.0), size("ocean_doc", 20.0)],
         "related": [OCEAN]},
        {"observed": [size("ocean_carbon", 451.0), size("ocean_dic", 430.0), size("ocean_doc", 20.0)],
         "related": [OCEAN]},
    ),
    "one name, two sizes": (
        {"observed": [size("ocean_carbon", 500.0), size("marine_sequestered", 20.0)],
         "related": [{"relation": "same", "whole": "ocean_carbon", "parts": "marine_sequestered"}]},
        {"observed": [size("ocean_carbon", 500.0), size("marine_sequestered", 500.4)],
         "related": [{"relation": "same", "whole": "ocean_carbon", "parts": "marine_sequestered"}]},
    ),
    "sums of shares": (
        {"observed": [share("ocean_dic", "share of ocean_carbon", value=60.0),
                      share("ocean_doc", "share of ocean_carbon", value=30.0)], "related": [OCEAN]},
        {"observed": [share("ocean_dic", "share of ocean_carbon", value=60.0),
                      share("ocean_doc", "share of ocean_carbon", value=39.5)], "related": [OCEAN]},
    ),
    "shares stated and computed": (
        {"observed": [share("ocean", "share of total_emissions", value=40.0),
                      flux("ocean", 2.9), flux("total_emissions", 10.8)]},
        {"observed": [share("ocean", "share of total_emissions; of late", value=27.0),
                      flux("ocean", 2.9), flux("total_emissions", 10.8)]},
    ),
    "ratios stated and computed": (
        {"observed": [{"definition": "ratio to 1960-1969", "unit": "1", "value": 4.5},
                      flux("ocean", 2.9), flux("ocean", 1.2, start=1960, end=1969)]},
        {"observed": [{"definition": "ratio to 1960-1969", "unit": "1", "value": 2.4},
                      flux("ocean", 2.9), flux("ocean", 1.2, start=1960, end=1969)]},
    ),
    "ranks": (
        {"observed": [{"definition": "rank by flux among ocean+land", "unit": "1", "value": 1.0},
                      flux("ocean", 2.9), flux("land", 3.2)]},
        {"observed": [{"definition": "rank by flux among ocean+land", "unit": "1", "value": 2.0},
                      flux("ocean", 2.9), flux("land", 3.2)]},
    ),
    "constant shares": (
        {"observed": budget([1.64, 2.46, 2.87, 3.69])},
        {"observed": budget([1.64, 2.46, 3.47, 3.69])},
    ),
    "definitions mixed": (
        {"observed": [flux("terrestrial", 1.9), flux("land", 3.2)],
         "related": [GROSS]},
        {"observed": [flux("terrestrial", 3.2), flux("land", 3.2)],
         "related": [GROSS]},
    ),
    "text against table": (
        {"claimed": [cost(60, 120, **IN_A_TABLE), cost(100, 200)]},
        {"claimed": [cost(60, 120, **IN_A_TABLE), cost(60, 120)]},
    ),
    "unequal statements": (
        {"observed": [flux("ocean", 2.9, sd=0.4), flux("ocean", 2.5, sd=0.5, **ELSEWHERE)]},
        {"observed": [flux("ocean", 2.9, sd=0.4), flux("ocean", 2.87, sd=0.5, **ELSEWHERE)]},
    ),
    "units and magnitudes": (
        {"observed": [flux("wetlands", 0.12, unit="PgC/yr"),
                      flux("wetlands", 6.57, unit="TgC/yr", **ELSEWHERE)]},
        {"observed": [flux("wetlands", 0.12, unit="PgC/yr"),
                      flux("wetlands", 120.0, unit="TgC/yr", **ELSEWHERE)]},
    ),
    "groups and members": (
        {"claimed": [cost(80, 200, pathway="oae_oif"), cost(5, 50, pathway="oif")]},
        {"claimed": [cost(80, 200, pathway="oae_oif"), cost(60, 150, pathway="oif")]},
    ),
    "parts above the whole": (
        {"claimed": [cost(1, 4, quantity="energy", unit="GJ/tCO2", basis="total"),
                     cost(1, 5, quantity="energy", unit="GJ/tCO2", basis="grinding")]},
        {"claimed": [cost(1, 4, quantity="energy", unit="GJ/tCO2", basis="total"),
                     cost(0.3, 1.1, quantity="energy", unit="MWh/tCO2", basis="grinding")]},
    ),
    "best case above the range": (
        {"claimed": [cost(5, 50), cost(7, 21, basis="optimal")]},
        {"claimed": [cost(5, 50), cost(3, 21, basis="optimal")]},
    ),
    "products": (
        {"claimed": [
            {"quantity": "yield", "central": 0.9, "unit": "tCO2/t", "basis": "realistic"},
            {"quantity": "feedstock", "central": 0.7, "unit": "Mt/yr", "basis": "current"},
            {"quantity": "current_capacity", "central": 0.25, "unit": "MtCO2/yr", "basis": "current"}]},
        {"claimed": [
            {"quantity": "yield", "central": 0.9, "unit": "tCO2/t", "basis": "realistic"},
            {"quantity": "feedstock", "central": 0.7, "unit": "Mt/yr", "basis": "current"},
            {"quantity": "current_capacity", "central": 0.63, "unit": "MtCO2/yr", "basis": "current"}]},
    ),
    "projections against the present": (
        {"observed": [flux("wetlands", 0.12),
                      flux("wetlands", 0.035, **LATER)]},
        {"observed": [flux("wetlands", 0.0066),
                      flux("wetlands", 0.035, **LATER)]},
    ),
    "turnover": (
        {"observed": [size("coastal_vegetation", 0.24), flux("coastal_vegetation", 0.16)]},
        {"observed": [size("coastal_vegetation", 0.24), flux("coastal_vegetation", 0.01)]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_finds_its_conflict_and_is_silent_without_it(rule):
    conflict, agreement = CASES[rule]
    found = find(**conflict)
    assert found["rule"].tolist() == [rule]
    assert found["relative"].gt(0).all()
    assert found["explanation"].str.len().gt(0).all()
    assert find(**agreement)["rule"].tolist() == []


def test_the_size_of_a_conflict_is_in_the_unit_of_statement_a():
    found = find(**CASES["units and magnitudes"][0]).iloc[0]
    assert found["absolute"] == pytest.approx(0.12 - 0.00657)
    assert found["relative"] == pytest.approx(1 - 0.00657 / 0.12)
    assert found["statement_b"] == "6.57 TgC/yr = 0.00657 PgC/yr"


def test_carbon_against_carbon_dioxide_is_converted_before_comparing():
    # 1.1 PgC is 4.03 PgCO2: the same; 1.1 PgCO2 is not.
    agree = [flux("forests", 1.1, unit="PgC/yr"), flux("forests", 4.03, unit="PgCO2/yr", **ELSEWHERE)]
    differ = [flux("forests", 1.1, unit="PgC/yr"), flux("forests", 1.1, unit="PgCO2/yr", **ELSEWHERE)]
    assert len(find(agree)) == 0
    found = find(differ)
    assert found["rule"].tolist() == ["units and magnitudes"]
    assert "a factor of 3.67 apart" in found["explanation"].iloc[0]


def test_one_agreeing_statement_acquits_a_sum_and_a_share():
    parts = [size("ocean_dic", 430.0), size("ocean_doc", 20.0)]
    wholes = [size("ocean_carbon", 500.0), size("ocean_carbon", 450.0, **ELSEWHERE)]
    found = find([*parts, *wholes], related=[OCEAN])
    assert found["rule"].tolist() == ["unequal statements"]
    # Southern Ocean: 0.7 to 1.0 of 2.5 reaches the stated 40 %, of 2.9 it does not; one is enough.
    part = {"component": "southern_ocean", "low": 0.7, "high": 1.0}
    stated = share("southern_ocean", "share of ocean", value=40.0)
    both = [flux("ocean", 2.5, sd=0.5), flux("ocean", 2.9, sd=0.4)]
    assert "shares stated and computed" not in set(find([part, stated, *both])["rule"])
    assert "shares stated and computed" in set(find([part, stated, both[1]])["rule"])


def test_a_missing_part_excuses_a_sum_that_is_too_small_but_not_one_too_large():
    three = {"whole": "ocean_carbon", "parts": "ocean_dic;ocean_doc;ocean_poc"}
    small = [size("ocean_carbon", 500.0), size("ocean_dic", 430.0), size("ocean_doc", 20.0)]
    large = [size("ocean_carbon", 400.0), size("ocean_dic", 430.0), size("ocean_doc", 20.0)]
    assert len(find(small, related=[three])) == 0
    assert find(large, related=[three])["rule"].tolist() == ["sums of parts"]


def test_one_sided_claims_conflict_only_with_what_passes_their_bound():
    above = {"low": 200.0}
    assert len(find(claimed=[above, cost(200, 600)])) == 0
    assert len(find(claimed=[above, cost(300, 600)])) == 0
    assert find(claimed=[above, cost(100, 600)])["absolute"].tolist() == [100.0]
    below = {"high": 10.0}
    assert find(claimed=[below, cost(5, 12)])["absolute"].tolist() == [2.0]
    assert len(find(claimed=[below, cost(5, 10)])) == 0


def test_stated_bases_that_differ_are_not_compared_and_a_silent_one_is():
    theory, technical, silent = {"basis": "theoretical"}, {"basis": "technical"}, {"basis": "unspecified"}
    assert len(find(claimed=[cost(1, 2, **theory), cost(5, 9, **technical)])) == 0
    found = find(claimed=[cost(1, 2, **theory), cost(5, 9, **silent)])
    assert "bases theoretical and not stated" in found["explanation"].iloc[0]
    assert "the ranges do not meet" in found["explanation"].iloc[0]


def test_statements_of_other_times_are_not_compared():
    early, late = flux("ocean", 1.2, start=1960, end=1969), flux("ocean", 2.9)
    assert len(find([early, late])) == 0
    year = flux("land", 2.3, start=2023, end=2023)
    assert len(find([year, flux("land", 3.2)])) == 0
    projected = flux("ocean", 2.0, start=2100, end=2100, kind="projection")
    assert len(find([projected, late])) == 0
    # A source that gives no years speaks of today: it meets the latest window of another, no earlier one.
    silent = flux("ocean", 2.5, note="years not stated: taken as now", **ELSEWHERE)
    recent, older = flux("ocean", 2.9, start=2004, end=2013), flux("ocean", 2.2, start=1994, end=2003)
    found = find([silent, recent, older])
    assert found["statement_b"].tolist() == ["2.9 GtC/yr"] or found["statement_a"].tolist() == ["2.9 GtC/yr"]
    assert len(found) == 1


def test_attributed_and_measured_fluxes_are_definitions_mixed():
    rows = [flux("ocean", 0.58, method="attribution"), {"low": 0.07, "high": 0.11, **ELSEWHERE}]
    assert find(rows)["rule"].tolist() == ["definitions mixed"]


def test_ecosystems_are_added_against_the_gross_sink():
    related = [
        GROSS,
        {"measure": "flux", "whole": "terrestrial", "parts": "forests;wetlands;deserts"},
    ]
    rows = [flux("forests", 1.1), flux("wetlands", 0.8), flux("land", 3.2)]
    found = find(rows, related=related)
    assert found["rule"].tolist() == ["definitions mixed"]
    assert found["explanation"].iloc[0].endswith("not stated: deserts")
    assert len(find([*rows[:2], flux("land", 1.9)], related=related)) == 0


def test_a_groups_potential_is_the_sum_of_its_members():
    def potential(low, high, **more):
        return cost(low, high, quantity="potential", unit="GtCO2/yr", **more)

    members = [potential(10, 100, pathway="oae"), potential(1, 3, pathway="oif")]
    found = find(claimed=[potential(5, 20, pathway="oae_oif", **IN_A_TABLE), *members])
    assert found["rule"].tolist() == ["groups and members"]
    assert found["statement_b"].tolist() == ["computed 11 to 103 GtCO2/yr"]
    assert len(find(claimed=[potential(11, 103, pathway="oae_oif", **IN_A_TABLE), *members])) == 0


def test_one_project_larger_than_all_is_found():
    total = {"quantity": "current_capacity", "central": 3.0, "unit": "MtCO2/yr", "basis": "current"}
    project = {"quantity": "project_capacity", "central": 8.0, "unit": "MtCO2/yr", "basis": "target"}
    assert find(claimed=[total, project])["rule"].tolist() == ["parts above the whole"]
    assert len(find(claimed=[total, project | {"central": 1.0}])) == 0


def test_a_share_of_a_surface_and_a_rate_give_the_flux_that_fills_a_store():
    rows = [
        size("coastal_vegetation", 0.2),
        share("coastal_vegetation", "share of ocean_surface", value=0.2),
        {"component": "coastal_vegetation", "value": 200.0, "unit": "gC/m^2/yr"},
        {"component": "ocean_surface", "value": 361e6, "unit": "km^2", "definition": "area"},
    ]
    found = find(rows)
    # 200 g/m2 on 0.2 % of 361e6 km2 is 0.144 GtC a year: the store fills in 1.4 years.
    assert found["rule"].tolist() == ["turnover"]
    assert "0.144 GtC/yr, would fill the store in 1.4 years" in found["explanation"].iloc[0]


def test_assumptions_are_never_set_against_the_review():
    mine = cost(500, 900, source="assumption", note="a belief of ours")
    assert len(find(claimed=[mine, cost(60, 120)])) == 0
    own = flux("ocean", 9.0, source="assumption", note="a belief of ours")
    assert len(find([own, flux("ocean", 2.9)])) == 0


@pytest.fixture(scope="module")
def table():
    return priors.find_contradictions()


def test_the_review_contradicts_itself_at_least_thirty_times(table):
    assert len(table) >= 30
    assert list(table.columns) == list(findings.COLUMNS)
    assert table["rule"].nunique() >= 10
    assert not table.duplicated(["subject", "quantity", "geography", "statement_a", "statement_b"]).any()
    assert (table["locator_a"].str.len() > 0).all()
    assert (table["locator_b"].str.len() > 0).all()
    assert table["relative"].between(0, 1.3).all()


# Read in the review by eye: rule, subject, geography, a number of each side.
FAMOUS = [
    ("text against table", "beccs", "global", "60 to 120", "100 to 200"),
    ("text against table", "daccs", "global", "300 to 600", "200 to 600"),
    ("text against table", "biochar", "global", "0.5 to 2", "2.2 to 6.6"),
    ("text against table", "forests", "global", "1.1 +- 0.8", "2.15"),
    ("text against table", "ocean", "global", "2.9 +- 0.4", "2.5 +- 0.5"),
    ("groups and members", "ew_carbonation", "global", "5 to 10", "3 to 6"),
    ("units and magnitudes", "wetlands", "china", "0.12", "6.57"),
    ("units and magnitudes", "beccs", "illinois", "1 MtCO2/yr", "1000 tCO2/day"),
    ("products", "biochar", "global", "0.25", "0.55"),
    ("unequal statements", "ocean", "china", "69.8 to 106.5", "-9.5"),
    ("one name, two sizes", "ocean_carbon", "global", "38000", "1750"),
    ("sums of parts", "ocean_carbon", "global", "38000", "36424"),
    ("sums of parts", "terrestrial_carbon", "global", "2800 to 3300", "2002"),
    ("shares stated and computed", "atmosphere", "global", "45.6", "52.8"),
    ("shares stated and computed", "forests", "china", "80", "42"),
    ("definitions mixed", "land", "global", "3.2", "2.345 to 2.475"),
    ("definitions mixed", "terrestrial", "china", "1.3 PgCO2/yr", "0.78 GtC/yr"),
    ("parts above the whole", "enhanced_weathering", "global", "1 to 5", "1 to 4"),
    ("parts above the whole", "beccs", "united_kingdom", "8", "3"),
    ("constant shares", "land", "china", "0.78", "31.4%"),
    ("ranks", "wetlands", "global", "2", "4"),
    ("best case above the range", "oif", "global", "7 to 21", "5 to 50"),
]


@pytest.mark.parametrize(("rule", "subject", "geography", "a", "b"), FAMOUS)
def test_the_famous_ones_are_found(table, rule, subject, geography, a, b):
    rows = table[(table["rule"] == rule) & (table["subject"] == subject) & (table["geography"] == geography)]
    hits = rows[
        rows["statement_a"].str.contains(a, regex=False) & rows["statement_b"].str.contains(b, regex=False)
    ]
    assert len(hits) == 1


def test_the_severity_says_whether_both_can_hold(table):
    assert set(table["severity"]) == set(findings.SEVERITIES)
    assert (table["severity"] == findings.INCOMPATIBLE).sum() >= 30

    def of(subject, a, b):
        hit = table["statement_a"].str.contains(a, regex=False)
        hit &= table["statement_b"].str.contains(b, regex=False) & (table["subject"] == subject)
        return table.loc[hit, "severity"].tolist()

    # 0.4 apart, the sds together 0.64; 1.05 apart, the sd 0.8.
    assert of("ocean", "2.9 +- 0.4", "2.5 +- 0.5") == [findings.WITHIN]
    assert of("forests", "1.1 +- 0.8", "2.15") == [findings.INCOMPATIBLE]
    assert of("beccs", "60 to 120", "100 to 200") == [findings.OVERLAPPING]
    assert of("biochar", "0.5 to 2", "2.2 to 6.6") == [findings.INCOMPATIBLE]
    # 2.9 +- 0.4 and 3.2 +- 0.9: which is the larger is open.
    ranks = table[table["rule"] == "ranks"].set_index("subject")["severity"].to_dict()
    assert ranks == {"ocean": findings.WITHIN, "wetlands": findings.INCOMPATIBLE}


def test_a_technical_potential_inside_a_theoretical_one_is_not_accused(table):
    rows = table[table["quantity"] == "potential"]
    assert not rows["subject"].eq("oae_oif").any()
    assert not (rows["subject"].eq("daccs") & rows["statement_a"].eq("5 to 10 GtCO2/yr")).any()


def test_the_shares_of_one_paragraph_that_speak_of_now_have_one_date():
    rows = priors.load_observations("overview")
    now = rows[rows["locator"].eq("section 3.1, paragraph 2") & rows["unit"].eq("%")]
    assert set(zip(now["start"], now["end"], now["kind"], strict=True)) == {(2014, 2023, "observed")}


def test_statements_that_agree_are_not_accused(table):
    # 54.4 % of emissions is 6.2 of 11.4; 3.6 is 6.1 over 1.7; 97 % is 202 of 208; 69.8-106.5 is the
    # sum of its three parts; 0.36-0.5 MWh is 1.3-1.8 GJ: all as printed.
    assert not (
        (table["subject"] == "ocean_and_land") | (table["rule"] == "ratios stated and computed")
    ).any()
    assert not table["quantity"].eq("share of wetlands").any()
    assert not (
        (table["rule"] == "sums of parts") & (table["geography"] == "china") & (table["subject"] == "ocean")
    ).any()
    assert not ((table["subject"] == "daccs") & table["statement_a"].str.contains("GJ")).sum() > 1
    assert not table["rule"].eq("row arithmetic").any()


def test_definitions_of_the_library_follow_the_grammar():
    known = set(priors.load_table("components")["component"])
    words = re.compile(r"^(share of|shortfall against|ratio to|rank by (flux|stock) among) ([^;]+)")
    for name in ("overview", "properties"):
        for definition in priors.load_observations(name)["definition"]:
            match = words.match(definition)
            if match and not re.fullmatch(r"\d{4}-\d{4}", match[3].strip()):
                assert set(match[3].strip().split("+")) <= known, definition


def test_no_rule_holds_a_number_or_a_place_of_the_review():
    modules = (contradictions, findings, rules_claims, rules_shares, rules_sums, statements)
    subjects = set(priors.load_table("pathways")["pathway"]) | set(
        priors.load_table("pathway_groups")["group"]
    )
    for module in modules:
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        documents = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
                assert not re.search(r"section \d|Table \d", node.value), (module.__name__, node.value)
                assert node.value not in subjects, (module.__name__, node.value)


def test_a_point_of_the_library_prints_as_the_review_prints_it():
    item = Statement("t", "ocean", "flux", "global", 2.9, 2.9, "GtC/yr", half=0.05, sd=0.4)
    assert item.printed() == "2.9 +- 0.4 GtC/yr"
    assert item.to("TgC/yr").printed() == "2900 +- 400 TgC/yr"
    assert item.reach == pytest.approx((2.85, 2.95))


def test_the_last_printed_digit_is_read_from_the_file():
    # Table 2 prints 3.0 and 2.0: half a tenth, which a float cannot remember.
    rows = statements.read_observations(priors.load_observations("global"), "global")
    assert {round(s.half, 12) for s in rows} == {0.05}


def test_an_edited_library_changes_the_findings(tmp_path, table):
    text = files.data_path("priors", "observations", "reservoirs.csv").read_text(encoding="utf-8")
    edited = text.replace(",1750,", ",38000,", 1)
    assert edited != text
    (tmp_path / "reservoirs.csv").write_text(edited, encoding="utf-8")
    from sinkrisk.priors import tables

    observations = {name: priors.load_observations(name) for name in tables.OBSERVATION_TABLES}
    observations["reservoirs"] = priors.load_observations(tmp_path / "reservoirs.csv")
    again = priors.find_contradictions(observations)
    assert len(again) == len(table) - 1
    assert not again["rule"].eq("one name, two sizes").any()


def test_the_command_prints_every_contradiction_and_writes_them(tmp_path, table):
    from typer.testing import CliRunner

    from sinkrisk.cli import app

    answer = CliRunner().invoke(app, ["priors", "check", "--out", str(tmp_path / "found.csv")])
    # Contradictions of the review fail nothing.
    assert answer.exit_code == 0
    assert answer.output.count("     A  ") == answer.output.count("     B  ") == len(table)
    assert f"info  contradictions of the review: {len(table)} places" in answer.output
    written = pd.read_csv(tmp_path / "found.csv", keep_default_na=False)
    assert written["statement_a"].tolist() == table["statement_a"].tolist()


def test_the_table_of_contradictions_needs_a_file(tmp_path):
    from sinkrisk import texts
    from sinkrisk.errors import InputError

    with pytest.raises(InputError, match="--out is a folder, not a file"):
        texts.priors_check_text(tmp_path)
