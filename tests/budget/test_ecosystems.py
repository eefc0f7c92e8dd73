"""The sum of ecosystems against land minus land use: exact posterior, exact identities, said plainly."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sinkrisk import budget, priors
from sinkrisk.budget.ecosystems import reconcile_ecosystems
from sinkrisk.errors import InputError

NAMES = ["forests", "wetlands", "croplands", "grasslands"]
# Table 4, typed from the page.
STATED = np.array([1.10, 0.83, 0.11, 0.37])
STATED_SD = np.array([0.80, 0.415, 0.055, 0.19])


@pytest.fixture(scope="module")
def result():
    return reconcile_ecosystems(rng=20261122, draws=20_000)


def frame(**cells):
    rows = {
        "component": NAMES,
        "value": STATED,
        "sd": STATED_SD,
        "start": 2014,
        "end": 2023,
        "unit": "GtC/yr",
    }
    return pd.DataFrame({**rows, **cells})


def test_it_reads_table_4_and_table_2(result):
    data = result.tree["constant_data"]
    assert data["ecosystem"].to_numpy().tolist() == NAMES
    np.testing.assert_allclose(data["stated"], STATED)
    np.testing.assert_allclose(data["stated_sd"], STATED_SD)
    # Table 2, 2014-2023: land 3.2 +- 0.9 and land use 1.1 +- 0.7.
    assert float(data["stated_net"]) == pytest.approx(2.1)
    assert float(data["stated_net_sd"]) == pytest.approx(np.sqrt(0.9**2 + 0.7**2))
    assert result.sentence.startswith(
        "The stated sinks of 4 ecosystems sum to 2.41 GtC/yr, land minus land_use is stated as 2.10 +- 1.14"
    )
    assert "one sum cannot tell its parts apart" in result.sentence
    assert result.provenance["net_from"] == "Table 2, 2014~2023"


def test_both_identities_hold_in_every_draw(result):
    draws = result.tree["posterior"]
    data = result.tree["constant_data"]
    terms = draws["overlap"] - draws["lateral"] - draws["unaccounted"]
    net = draws["sink"].sum("ecosystem") - terms
    assert float(abs(net - draws["net"]).max()) < 1e-12
    gap = draws["offset"].sum("ecosystem") + draws["error"].sum("ecosystem") + terms - draws["net_error"]
    expected = float(data["stated"].sum() - data["stated_net"])
    assert float(abs(gap - expected).max()) < 1e-12
    assert expected == pytest.approx(0.31)


def test_the_parts_of_the_gap_add_up(result):
    table = result.table
    assert table["part_of_gap"].sum() == pytest.approx(0.31, abs=1e-12)
    assert table["share_of_gap"].sum() == pytest.approx(1.0, abs=1e-12)
    assert set(table["interval_kind"]) == {"equal-tailed"}
    assert set(table["interval_mass"]) == {0.9}


def test_the_posterior_equals_a_whitened_least_squares_solution(result):
    # Independently: stack prior and data as equations of unit variance and solve by QR.
    prior = priors.load_table("budget").set_index(["parameter", "component"])[["a", "b"]]
    level = [tuple(prior.loc[("level", "")])] * 4
    offsets = [tuple(prior.loc[("ecosystem_offset", name)]) for name in NAMES]
    terms = [tuple(prior.loc[(f"ecosystem_{name}", "")]) for name in ("overlap", "lateral", "unaccounted")]
    mean, sd = np.array([*level, *offsets, *terms]).T
    eye, zero = np.eye(4), np.zeros((4, 3))
    rows = np.vstack(
        [
            np.diag(1 / sd),
            np.hstack([eye, eye, zero]) / STATED_SD[:, None],
            np.array([[1, 1, 1, 1, 0, 0, 0, 0, -1, 1, 1]]) / np.sqrt(1.3),
        ]
    )
    right = np.concatenate([mean / sd, STATED / STATED_SD, [2.1 / np.sqrt(1.3)]])
    q, r = np.linalg.qr(rows)
    exact = result.tree["exact"]
    np.testing.assert_allclose(exact["mean"], np.linalg.solve(r, q.T @ right), atol=1e-10)
    inverse = np.linalg.inv(r)
    np.testing.assert_allclose(exact["covariance"], inverse @ inverse.T, atol=1e-9)


def test_draws_follow_the_exact_posterior(result):
    # 20,000 independent draws; one of 17 terms x 3 checks beyond 4.5 sds: about 4e-4 of runs.
    table = result.table.set_index(["term", "ecosystem"])
    draws = result.tree["posterior"]
    count = draws.sizes["draw"]
    for (term, name), row in table.iterrows():
        values = draws[term].sel(ecosystem=name) if name else draws[term]
        assert abs(float(values.mean()) - row["mean"]) < 4.5 * row["sd"] / np.sqrt(count)
        assert float(values.std()) == pytest.approx(row["sd"], rel=4.5 / np.sqrt(2 * count))
        share = float(((values > row["low"]) & (values < row["high"])).mean())
        assert share == pytest.approx(0.9, abs=4.5 * np.sqrt(0.09 / count))


def test_a_sharp_net_sink_pulls_the_ecosystems_and_a_vague_one_does_not():
    sharp = reconcile_ecosystems(land=(0.5, 0.01), rng=1, draws=10).table.set_index("term")
    assert sharp.loc["net", "mean"] == pytest.approx(0.5, abs=0.01)
    vague = reconcile_ecosystems(land=(0.5, 1e5), rng=1, draws=10)
    table = vague.table.set_index(["term", "ecosystem"])
    # Without the net sink, an ecosystem is what was stated less its offset's prior mean.
    assert table.loc[("sink", "wetlands"), "mean"] == pytest.approx(0.83 - 0.415, abs=1e-3)
    assert table.loc[("unaccounted", ""), "mean"] == pytest.approx(0.0, abs=1e-3)


def test_other_sources_of_the_net_sink():
    text = reconcile_ecosystems(land="text", rng=1, draws=10)
    data = text.tree["constant_data"]
    assert (float(data["stated_net"]), float(data["stated_net_sd"])) == (1.9, 1.1)
    assert "section 3.2, paragraph 1" in text.provenance["net_from"]
    tree = budget.reconcile(priors.load_observations("global"), "closed", rng=1, draws=4000, chains=2)
    reconciled = reconcile_ecosystems(land=tree, rng=1, draws=10)
    exact = tree["exact"].sel(window="2014-2023")
    mean = float(exact["mean"].sel(component="land") - exact["mean"].sel(component="land_use"))
    # Sd of the difference is about 1.0; 8,000 draws leave 0.011 of Monte Carlo error.
    assert float(reconciled.tree["constant_data"]["stated_net"]) == pytest.approx(mean, abs=0.06)
    assert reconciled.provenance["net_from"] == "reconciled budget, 2014-2023"


def test_equal_seeds_give_equal_draws():
    one, other, third = (reconcile_ecosystems(rng=seed, draws=5).tree["posterior"] for seed in (3, 3, 4))
    xr.testing.assert_identical(one.to_dataset(), other.to_dataset())
    assert not one["net"].equals(third["net"])


def test_a_users_rows_in_other_units():
    mine = reconcile_ecosystems(frame(value=STATED * 1e3, sd=STATED_SD * 1e3, unit="TgC/yr"), rng=1, draws=10)
    reference = reconcile_ecosystems(frame(), rng=1, draws=10)
    pd.testing.assert_frame_equal(mine.table, reference.table)
    blank = frame(value=[1.1, np.nan, 0.11, 0.37], sd=[0.8, np.nan, np.nan, 0.19])
    two = reconcile_ecosystems(blank, rng=1, draws=10).tree["constant_data"]
    assert two["ecosystem"].to_numpy().tolist() == ["forests", "croplands", "grasslands"]
    assert float(two["stated_sd"].sel(ecosystem="croplands")) == pytest.approx(0.055)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: reconcile_ecosystems(frame(component=["forest", *NAMES[1:]])), "did you mean 'forests'?"),
        (lambda: reconcile_ecosystems(frame(component=["forests"] * 4)), "several rows of forests"),
        (lambda: reconcile_ecosystems(frame(sd=-1.0)), "must be positive and finite"),
        (lambda: reconcile_ecosystems(frame(unit="gC/m^2/yr")), "cannot turn 'gC/m^2/yr' into 'GtC/yr'"),
        (lambda: reconcile_ecosystems(frame(value=np.nan, sd=np.nan)), "no ecosystem states a net sink"),
        (lambda: reconcile_ecosystems(frame(geography=["global"] * 3 + ["china"])), "several geographies"),
        (lambda: reconcile_ecosystems(land="tabel"), "did you mean 'table'?"),
        (lambda: reconcile_ecosystems(land=(2.0, 0.0)), "needs a mean and an sd"),
        (
            lambda: reconcile_ecosystems(draws=0),
            "must be a whole number of at least 1 and at most 1000000: got 0",
        ),
    ],
)
def test_what_is_wrong_is_said(call, said):
    with pytest.raises(InputError) as caught:
        call()
    assert said in str(caught.value)
