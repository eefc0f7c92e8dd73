"""Suitability: pymcdm's scores against hand computation, what any score must obey, and the atlas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from sinkrisk import portfolio, priors
from sinkrisk.errors import InputError
from sinkrisk.portfolio import mcda

PLACES = np.array([[0.8, 0.4], [0.5, 0.9], [0.2, 0.1]])
WEIGHTS = np.array([0.6, 0.4])


def test_topsis_by_hand_on_three_places_and_two_criteria():
    # Weighted scores (.48, .16), (.30, .36), (.12, .04); ideal (.6, .4), empty (0, 0).
    far = [np.hypot(0.48, 0.16), np.hypot(0.30, 0.36), np.hypot(0.12, 0.04)]
    near = [np.hypot(0.12, 0.24), np.hypot(0.30, 0.04), np.hypot(0.48, 0.36)]
    by_hand = [f / (f + n) for f, n in zip(far, near, strict=True)]
    np.testing.assert_allclose(by_hand, [0.653454, 0.607589, 0.174112], atol=5e-7)
    np.testing.assert_allclose(mcda.score_places(PLACES, WEIGHTS, "topsis"), by_hand, rtol=1e-12)


def test_vikor_by_hand():
    # S = .6 (1 - x) + .4 (1 - y): .36, .34, .84; R = the larger term: .24, .30, .48; of the empty
    # place 1 and .6, of the ideal one 0 and 0. Q = S / 2 + R / 1.2.
    by_hand = [1 - 0.18 - 0.20, 1 - 0.17 - 0.25, 1 - 0.42 - 0.40]
    np.testing.assert_allclose(mcda.score_places(PLACES, WEIGHTS, "vikor"), by_hand, rtol=1e-12)


def test_promethee_by_hand():
    def preference(d):
        # Nothing up to .1, everything from .5, linear between.
        return min(max((d - 0.1) / 0.4, 0.0), 1.0)

    rows = [*PLACES.tolist(), [1.0, 1.0], [0.0, 0.0]]
    flow = [
        sum(
            sum(w * (preference(x - y) - preference(y - x)) for w, x, y in zip(WEIGHTS, a, b, strict=True))
            for b in rows
        )
        / 4.0
        for a in rows
    ]
    by_hand = [(f - flow[4]) / (flow[3] - flow[4]) for f in flow[:3]]
    # The first place against the second .3 - .4, the third .6 + .2, the ideal one -.15 - .4, the empty
    # one .6 + .3; the sum over 4.
    assert flow[0] == pytest.approx(1.05 / 4.0)
    np.testing.assert_allclose(mcda.score_places(PLACES, WEIGHTS, "promethee"), by_hand, rtol=1e-12)


def test_promethee_is_the_same_twice():
    # pymcdm's object uses up its preference functions in the first call.
    first = mcda.score_places(PLACES, WEIGHTS, "promethee")
    np.testing.assert_array_equal(first, mcda.score_places(PLACES, WEIGHTS, "promethee"))


@pytest.mark.parametrize("method", mcda.METHODS)
def test_the_ends_of_the_scale_and_a_weightless_criterion(method):
    places = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.4, 0.4, 0.7]])
    score = mcda.score_places(places, np.array([0.5, 0.5, 0.0]), method)
    assert score[0] == 1.0
    assert score[1] == 0.0
    assert 0.0 < score[2] < 1.0
    np.testing.assert_array_equal(score, mcda.score_places(places[:, :2], np.array([0.5, 0.5]), method))


numbers = st.floats(0.0, 1.0, width=32)


@st.composite
def problems(draw):
    places, criteria = draw(st.integers(2, 5)), draw(st.integers(1, 5))
    scores = np.array(draw(st.lists(numbers, min_size=places * criteria, max_size=places * criteria)))
    weights = np.array(draw(st.lists(st.floats(0.01, 1.0), min_size=criteria, max_size=criteria)))
    return scores.reshape(places, criteria).astype(float), weights / weights.sum()


@pytest.mark.parametrize("method", mcda.METHODS)
@given(problem=problems())
@settings(max_examples=60, deadline=None)
def test_a_dominated_place_is_never_better(method, problem):
    scores, weights = problem
    # The second place has nothing more than the first of anything.
    scores[1] = np.minimum(scores[0], scores[1])
    score = mcda.score_places(scores, weights, method)
    assert score[1] <= score[0] + 1e-9
    assert ((score >= 0.0) & (score <= 1.0)).all()


@pytest.mark.parametrize("method", mcda.METHODS)
@given(problem=problems(), more=st.floats(0.0, 1.0))
@settings(max_examples=60, deadline=None)
def test_more_of_anything_never_lowers_a_score(method, problem, more):
    scores, weights = problem
    richer = scores.copy()
    richer[0, 0] += more * (1.0 - richer[0, 0])
    before = mcda.score_places(scores, weights, method)
    after = mcda.score_places(richer, weights, method)
    assert after[0] >= before[0] - 1e-9
    if method != "promethee":
        # The two ends of the scale are fixed, so the others do not move.
        np.testing.assert_allclose(after[1:], before[1:], atol=1e-12)


def test_needs_weigh_criteria():
    scores, weights = mcda.met(np.array([[0.2], [0.9]]), np.array([0.5, 0.5]), np.array([0.75, 0.25]))
    np.testing.assert_allclose(scores, [[0.2, 0.9]])
    np.testing.assert_allclose(weights, [0.75, 0.25])


@pytest.fixture(scope="module")
def atlas():
    return portfolio.suitability(n=200, rng=1)


def test_the_atlas_says_what_the_review_says(atlas):
    p = atlas["probability_suited"]

    def at(pathway, region):
        return float(p.sel(pathway=pathway, region=region))

    # Section 4.1.2: storage-reliant pathways in the north, nature in the tropics, minerals in the arid.
    for region in ("north_america", "northern_europe", "china_east_coast"):
        assert at("daccs", region) > 0.8
        assert at("point_source_ccs", region) > 0.8
    assert at("forests", "southeast_asia_tropics") > at("daccs", "southeast_asia_tropics") + 0.5
    assert at("enhanced_weathering", "arid_zones") > at("forests", "arid_zones") + 0.1
    for pathway in ("forests", "wetlands", "biochar"):
        assert at(pathway, "china_southwest") > 0.7
    assert at("enhanced_weathering", "china_arid_north") > 0.6


def test_impossible_cells_are_exactly_nought(atlas):
    impossible = ~atlas["possible"]
    assert int(impossible.sum()) == 30
    for name in ("probability_suited", "standard_error"):
        assert (atlas[name].where(impossible, 0.0) == 0.0).all()
    assert atlas["score_mean"].where(impossible).isnull().all()
    assert set(atlas["limiting"].values[impossible.values]) == {""}
    assert not bool(atlas["possible"].sel(pathway="beccs", region="open_ocean"))


def test_equal_seeds_give_equal_atlases_and_the_error_is_the_binomial_one(atlas):
    again = portfolio.suitability(n=200, rng=1)
    np.testing.assert_array_equal(atlas["probability_suited"], again["probability_suited"])
    p = atlas["probability_suited"]
    np.testing.assert_allclose(atlas["standard_error"], np.sqrt(p * (1 - p) / 200))
    # Two independent estimates differ by more than 4.5 standard errors of their difference in one of
    # 75 undecided cells with a probability below 75 x 7e-6 = 5e-4.
    other = portfolio.suitability(n=200, rng=2)
    apart = np.abs(other["probability_suited"] - p)
    error = np.hypot(atlas["standard_error"], other["standard_error"])
    middle = (p > 0.05) & (p < 0.95)
    assert (apart <= 4.5 * error).where(middle, True).all()
    assert float(apart.max()) > 0.0


def test_a_higher_threshold_suits_less_and_methods_share_draws(atlas):
    stricter = portfolio.suitability(n=200, rng=1, threshold=0.7)
    assert (stricter["probability_suited"] <= atlas["probability_suited"]).all()
    np.testing.assert_array_equal(stricter["score_mean"], atlas["score_mean"])


def _criteria(tmp_path, rows):
    table = pd.DataFrame(rows, columns=["kind", "criterion", "pathway", "region", "low", "high"])
    table.to_csv(tmp_path / "criteria.csv", index=False)
    return tmp_path / "criteria.csv"


def _share(pathways, regions):
    import xarray as xr

    share = np.full((2, len(pathways), len(regions)), 1.0 / len(regions))
    return xr.Dataset(
        {"suitability_share": (("sample", "pathway", "region"), share)},
        coords={"pathway": pathways, "region": regions},
    )


def test_one_criterion_by_hand(tmp_path):
    rows = [
        ("need", "water", "forests", "", 1.0, 1.0),
        ("endowment", "water", "", "arid_zones", 0.0, 1.0),
        ("endowment", "water", "", "rest_of_world", 0.9, 0.9),
    ]
    drawn = _share(["forests"], ["arid_zones", "rest_of_world"])
    drawn["suitability_share"][..., 1] = 0.0
    drawn["suitability_share"][0, :, 1] = 0.1
    out = portfolio.suitability(drawn, n=4000, rng=5, threshold=0.25, criteria=_criteria(tmp_path, rows))
    # A single criterion: the score is the endowment, here uniform on 0 to 1, so P(score >= .25) = .75;
    # 4.5 standard errors of 4000 draws are .031, false alarms below 1e-5.
    assert float(out["probability_suited"].sel(region="arid_zones")[0]) == pytest.approx(0.75, abs=0.031)
    assert float(out["score_low"].sel(region="arid_zones")[0]) == pytest.approx(0.05, abs=0.02)
    assert float(out["score_mean"].sel(region="rest_of_world")[0]) == pytest.approx(0.9)
    # Possible, because the share is above 0 in one draw.
    assert float(out["probability_suited"].sel(region="rest_of_world")[0]) == 1.0


def test_nothing_possible_is_an_empty_atlas():
    drawn = _share(["forests"], ["arid_zones"])
    drawn["suitability_share"][...] = 0.0
    out = portfolio.suitability(drawn, n=3)
    assert float(out["probability_suited"].sum()) == 0.0
    with pytest.raises(InputError, match="no pathway is possible in any region"):
        portfolio.suitability_sentence(out)


def test_weights_move_the_atlas(tmp_path):
    rows = [
        *(("need", c, "forests", "", 1.0, 1.0) for c in ("water", "land")),
        ("endowment", "water", "", "arid_zones", 0.0, 0.0),
        ("endowment", "land", "", "arid_zones", 1.0, 1.0),
    ]
    drawn, path = _share(["forests"], ["arid_zones"]), _criteria(tmp_path, rows)

    def probability(weights):
        # Without the veto: forests live on the water that is not there.
        out = portfolio.suitability(drawn, n=4000, rng=1, weights=weights, criteria=path, floor=0.0)
        return float(out["probability_suited"][0, 0])

    # The score is at least a half where land counts at least as much: half of all weightings.
    assert probability("uniform") == pytest.approx(0.5, abs=0.036)
    assert probability(["land", "water"]) == 1.0
    # Beta(3, 1): P(w >= .5) = 1 - .125.
    assert probability({"land": 3.0}) == pytest.approx(0.875, abs=0.024)


def test_plenty_does_not_make_up_for_what_a_pathway_lives_on(tmp_path, atlas):
    table = priors.load_table("suitability_criteria")
    dry = (table["criterion"] == "storage") & (table["region"] == "north_america")
    assert int(dry.sum()) == 1
    table.loc[dry, ["low", "high"]] = 0.0
    table.to_csv(tmp_path / "criteria.csv", index=False)
    out = portfolio.suitability(n=200, rng=1, criteria=tmp_path / "criteria.csv")
    here, before = (a.sel(region="north_america") for a in (out, atlas))
    # Needs of storage are .8 to 1 and .9 to 1: every draw lacks it.
    for pathway in ("daccs", "beccs", "point_source_ccs"):
        assert float(before["probability_suited"].sel(pathway=pathway)) > 0.8
        one = here.sel(pathway=pathway)
        assert (float(one["probability_suited"]), float(one["vetoed"])) == (0.0, 1.0)
        assert one["limiting"].item() == "storage"
    others = ["forests", "biochar", "enhanced_weathering"]
    np.testing.assert_array_equal(
        here["probability_suited"].sel(pathway=others), before["probability_suited"].sel(pathway=others)
    )
    # Without the veto plenty of the rest made up for it.
    free = portfolio.suitability(n=200, rng=1, criteria=tmp_path / "criteria.csv", floor=0.0)
    assert float(free["probability_suited"].sel(region="north_america", pathway="beccs")) > 0.5
    with pytest.raises(InputError, match=r"(?s)2 problems.*essential out of range.*floor out of range"):
        portfolio.suitability(n=5, essential=1.5, floor=-0.1)


def test_the_veto_by_hand(tmp_path):
    rows = [
        ("need", "water", "forests", "", 0.7, 0.9),
        ("need", "land", "forests", "", 0.7, 0.7),
        ("endowment", "water", "", "arid_zones", 0.0, 0.2),
        ("endowment", "land", "", "arid_zones", 1.0, 1.0),
    ]
    drawn, path = _share(["forests"], ["arid_zones"]), _criteria(tmp_path, rows)
    out = portfolio.suitability(drawn, n=4000, rng=3, threshold=1e-6, criteria=path)
    # Need at least .8 and endowment below .1: a half of a half; 4.5 standard errors of 4000 draws.
    assert float(out["vetoed"][0, 0]) == pytest.approx(0.25, abs=0.031)
    assert float(out["probability_suited"][0, 0]) == pytest.approx(1.0 - float(out["vetoed"][0, 0]))


def test_table_and_sentence(atlas):
    table = portfolio.suitability_table(atlas)
    assert len(table) == 15 * 9
    row = table[(table["pathway"] == "beccs") & (table["region"] == "open_ocean")].iloc[0]
    assert (row["possible"], row["probability_suited"], row["interval_mass"]) == (False, 0.0, 0.9)
    text = portfolio.suitability_sentence(atlas)
    assert "Of 105 possible pairs" in text
    assert "Monte Carlo error at most 3.5 percentage points" in text


def test_everything_wrong_is_said_at_once(tmp_path):
    with pytest.raises(InputError) as caught:
        portfolio.suitability(method="topsys", threshold=0.0, n=0, level=1.0, weights={"wter": -1.0})
    for message in (
        "unknown method: got 'topsys'; allowed: topsis, vikor, promethee; did you mean 'topsis'?",
        "threshold out of range: got 0.0",
        "at least one draw is needed: got 0",
        "level out of range: got 1.0",
        "unknown criterion: got 'wter'",
        "did you mean 'water'?",
        "a concentration must be positive: got -1.0",
    ):
        assert message in str(caught.value)
    with pytest.raises(InputError, match="an order names every criterion once"):
        portfolio.suitability(weights=["water", "land"])
    rows = [
        ("need", "water", "forests", "", 1.0, 1.0),
        ("endowment", "water", "", "arid_zones", 0.0, 1.0),
    ]
    drawn = _share(["forests", "daccs"], ["arid_zones", "open_ocean"])
    with pytest.raises(InputError) as caught:
        portfolio.suitability(drawn, criteria=_criteria(tmp_path, rows))
    assert "key 'water': no endowment of open_ocean" in str(caught.value)
    assert "a pathway without any need: got 'daccs'" in str(caught.value)


def test_broken_tables_are_named_with_their_rows(tmp_path):
    rows = [
        ("need", "water", "forest", "", 1.0, 1.0),
        ("need", "water", "", "arid_zones", 0.8, 0.2),
        ("endowment", "watr", "", "arid_zones", 0.0, 2.0),
    ]
    with pytest.raises(InputError) as caught:
        priors.load_table("suitability_criteria", _criteria(tmp_path, rows))
    for message in (
        "row 2, key 'pathway'",
        "did you mean 'forests'?",
        "row 3, key 'pathway': a row of kind 'need' names a pathway",
        "row 3, key 'region': a row of kind 'need' names no region",
        "row 3, key 'low': low lies above high",
        "row 4, key 'criterion'",
        "did you mean 'water'?",
        "row 4, key 'high': high out of range",
    ):
        assert message in str(caught.value)
