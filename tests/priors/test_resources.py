"""Tables of shared resources, grid, point emissions and couplings: whole, ordered, refused when broken."""

import math

import pytest

from sinkrisk import files, priors
from sinkrisk.errors import InputError
from sinkrisk.priors import layouts_resources as layouts

SUPPLIES = ("resources", "point_emissions", "grid")


def _supply(tmp_path, change=lambda lines: lines):
    """Write a copy of the library's supplies, changed."""
    lines = files.data_path("priors", "resources.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    path = tmp_path / "resources.csv"
    path.write_text("".join(change(lines)), encoding="utf-8")
    return path


def _put(old, new):
    return lambda lines: [line.replace(old, new) for line in lines]


def _drop(start):
    return lambda lines: [line for line in lines if not line.startswith(start)]


@pytest.mark.parametrize("name", ["resources", "point_emissions"])
def test_shares_of_regions_sum_to_one(name):
    table = priors.load_table(name)
    shares = table[table["parameter"] == "region"].groupby("resource")["low"].agg(list)
    assert [math.fsum(values) for values in shares] == pytest.approx([1.0] * len(shares), abs=1e-12)


@pytest.mark.parametrize("name", SUPPLIES)
def test_every_region_has_its_constant_and_every_period_where_nothing_declines(name):
    table = priors.load_table(name)
    regions, periods = (
        set(priors.load_table("regions")["region"]),
        set(priors.load_table("periods")["period"]),
    )
    for resource, rows in table.groupby("resource"):
        assert set(rows.loc[rows["parameter"] == "region", "place"]) == regions, resource
        declines = (rows["parameter"] == "decline").any()
        assert set(rows.loc[rows["parameter"] == "period", "place"]) == (set() if declines else periods)


def test_the_resources_of_the_model_in_their_order():
    table = priors.load_table("resources")
    assert tuple(dict.fromkeys(table["resource"])) == layouts.RESOURCES
    assert set(priors.load_table("resource_use")["resource"]) == set(layouts.RESOURCES)


@pytest.mark.parametrize("name", [*SUPPLIES, "resource_use", "interactions"])
def test_every_row_is_an_assumption_with_a_reason_or_cites_the_review(name):
    table = priors.load_table(name)
    assert (table["source"] == "assumption").all()
    assert (table["note"].str.len() >= 5).all()


def test_fresh_water_is_scarce_where_it_does_not_rain():
    table = priors.load_table("resources").set_index(["resource", "place"])["low"]
    assert table["water", "arid_zones"] < table["water", "southeast_asia_tropics"] / 10


def test_grid_ratios_follow_the_energy_mix():
    ratio = priors.load_table("grid").set_index("place")["low"]
    assert ratio["northern_europe"] < ratio["china_southwest"] < ratio["china_arid_north"]


def test_point_emissions_are_part_of_the_fossil_emissions_of_2024():
    fossil = priors.load_observations("global")
    fossil = fossil[(fossil["component"] == "fossil") & (fossil["start"] == 2024)]["value"].item() * 44 / 12
    level = priors.load_table("point_emissions").set_index("parameter").loc["level"]
    assert 0.3 * fossil < level["low"] < level["high"] < 0.6 * fossil


def test_needs_agree_with_the_yields_the_review_prints():
    use = priors.load_table("resource_use").set_index(["pathway", "resource"])
    claims = priors.load_claims().set_index("id")
    basalt = 1000 / claims.loc["enhanced_weathering_yield_1", "high"]
    assert use.loc[("enhanced_weathering", "reactive_mineral"), "low"] == pytest.approx(basalt, rel=2e-3)
    dry = claims.loc["beccs_yield_1", ["low", "high"]]
    energy = use.loc[("beccs", "biomass"), ["low", "high"]]
    assert energy["low"] * dry["high"] == pytest.approx(18, rel=0.01)
    assert energy["high"] * dry["low"] == pytest.approx(18, rel=0.01)
    waste, carbon = (claims.loc[f"industrial_carbonation_{name}"] for name in ("feedstock_2", "potential_2"))
    need = use.loc[("industrial_carbonation", "reactive_mineral")]
    assert need["low"] <= waste["low"] / carbon["high"] <= waste["high"] / carbon["high"] <= need["high"]


def test_learning_is_for_plants_and_additionality_for_nature():
    claims, pathways = priors.load_claims(), priors.load_table("pathways").set_index("pathway")
    learners = set(claims.loc[claims["quantity"] == "learning_rate", "pathway"])
    assert {pathways.loc[p, "store"] for p in learners} == {"geological", "biochar", "product"}
    nature = {p for p, row in pathways.iterrows() if row["classes"] == "nature"}
    assert set(claims.loc[claims["quantity"] == "additionality", "pathway"]) == nature


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (_put("land,region,north_america,0.14,0.14", "land,region,north_america,0.24,0.24"),
         "shares of land do not sum to 1"),
        (_drop("land,level"), "land needs one level"),
        (_drop("land,period"),
         "either a decline or a constant per period"),
        (_drop("land,region"), "no constant per region"),
        (_put("land,level,world,300,1500", "land,level,world,1500,300"),
         "low lies above high"),
        (_put("land,level,world,300,", "land,level,world,0,"),
         "read as lognormal"),
        (_put("land,level,world", "land,level,near_term"),
         "parameter of another place"),
        (_put("land,period,near_term,0.5,0.5", "land,period,near_term,0.5,0.6"),
         "a constant has no range"),
        (_put("land,", "lend,"), "did you mean 'land'"),
        (_put("1500,0.9,Mha", "1500,,Mha"), "needs the mass it holds"),
    ],
)  # fmt: skip
def test_a_broken_supply_is_refused(tmp_path, change, text):
    path = _supply(tmp_path, change)
    with pytest.raises(InputError, match=text):
        priors.load_table("resources", path)


def test_the_unbroken_copy_loads(tmp_path):
    assert len(priors.load_table("resources", _supply(tmp_path))) == len(priors.load_table("resources"))


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("x,beccs,beccs,yield,0,0.1", "coupled with itself"),
        ("x,beccs,oae,yield,0.2,0.1", "low lies above high"),
        ("x,beccs,oae,yeild,0,0.1", "did you mean 'yield'"),
        ("x,beccs,microbial_carbon_pump,yield,0,0.1", "microbial_carbon_pump"),
        ("x,beccs,oae,yield,-2,0.1", "out of range"),
    ],
)
def test_a_broken_coupling_is_refused(tmp_path, row, text):
    path = tmp_path / "interactions.csv"
    path.write_text(
        f"coupling,pathway,other,kind,low,high,source,note\n{row},assumption,why\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match=text):
        priors.load_table("interactions", path)


def test_process_energy_is_a_mix_of_heat_and_power():
    # DACCS by its own claims: heat and electricity of the NaOH route, each at the middle of its interval.
    claims = priors.load_claims().set_index("id")
    heat, power = (claims.loc[name, ["low", "high"]].mean() for name in ("daccs_energy_2", "daccs_energy_3"))
    share, carried = claims.loc["daccs_power_share_1"], claims.loc["all_heat_intensity_1"]
    assert share["low"] < power / (power + heat) < share["high"]
    # 360 to 580 gCO2/kWh of power, 3.6 MJ each; from coal, about 900, it would carry .25.
    level = priors.load_table("grid").set_index("parameter").loc["level"]
    assert [level["low"], level["high"]] == pytest.approx([0.36 / 3.6, 0.58 / 3.6], abs=2e-3)
    # Heat of natural gas carries .056 at an efficiency of .87: the middle of the range of today's heat.
    gas = 0.056 / 0.87
    assert (carried["low"] * carried["high"]) ** 0.5 == pytest.approx(gas, rel=0.05)
    # With it the review's heat and power come to what lies between all that is low and all that is high.
    mixed = (power * 0.13 + heat * gas) / (power + heat)
    assert mixed == pytest.approx(0.0747, abs=1e-3)
    low, high = (share[end] * level[end] + (1.0 - share[end]) * carried[end] for end in ("low", "high"))
    assert low < mixed < high
