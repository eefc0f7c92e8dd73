"""The elicitation picture: the sources' curves add up to the pool, the bars are the intervals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from sinkrisk import plots, priors


def claims(*ranges):
    rows = [
        {
            "id": f"c{i}", "pathway": "daccs", "quantity": "cost", "low": low, "high": high,
            "central": math.nan, "sd": math.nan, "unit": "USD/tCO2", "interval": 0.9,
            "basis": basis, "source": source,
        }
        for i, (low, high, source, basis) in enumerate(ranges)
    ]  # fmt: skip
    return pd.DataFrame(rows)


RANGES = [
    (100.0, 200.0, "a2020", "net"),
    (300.0, 600.0, "b2020", "net"),
    (150.0, 250.0, "b2020", "net"),
    (1.0, 2.0, "c2020", "captured"),
]


def curves(figure):
    upper = figure.axes[0]
    return {line.get_label(): np.asarray(line.get_xydata(), dtype=float) for line in upper.get_lines()}


def test_the_sources_curves_add_up_to_the_linear_pool():
    got = priors.elicit(claims(*RANGES), "daccs", "cost")
    drawn = curves(plots.plot_elicitation(got))
    assert list(drawn) == ["a2020", "b2020", "linear pool"]
    pool = drawn.pop("linear pool")
    np.testing.assert_allclose(sum(line[:, 1] for line in drawn.values()), pool[:, 1], rtol=1e-12)
    np.testing.assert_allclose(pool[:, 1], got.pdf(pool[:, 0]), rtol=1e-12)


def test_the_bars_are_the_intervals_of_claims_and_pool():
    got = priors.elicit(claims(*RANGES), "daccs", "cost")
    figure = plots.plot_elicitation(got)
    lower = figure.axes[1]
    bars = np.array([c.get_segments()[0][:, 0] for c in lower.collections])
    np.testing.assert_allclose(bars, [*[r[:2] for r in RANGES[:3]], got.interval(0.9)], rtol=1e-6)
    medians = [float(line.get_xdata()[0]) for line in lower.get_lines()]
    expected = [*(math.sqrt(low * high) for low, high, *_ in RANGES[:3]), float(got.ppf(0.5))]
    np.testing.assert_allclose(medians, expected, rtol=1e-6)
    assert [t.get_text() for t in lower.get_yticklabels()] == ["c0", "c1", "c2", "pool"]
    assert lower.get_xlabel() == "Cost, USD/tCO₂"
    text = " ".join(figure.get_supxlabel().split())
    assert "90 % equal-tailed interval" in text
    assert f"Disagreement: {got.disagreement:.0%}".replace("%", " %") in text
    assert "Left out: c3" in text


def test_the_hierarchical_pool_is_drawn_over_the_sources_own_densities():
    got = priors.elicit(claims(*RANGES), "daccs", "cost", pool="hierarchical")
    figure = plots.plot_elicitation(got)
    drawn = curves(figure)
    first = drawn["a2020"]
    np.testing.assert_allclose(first[:, 1], got.parts[0].pool.pdf(first[:, 0]), rtol=1e-12)
    assert "hierarchical pool" in drawn
    assert "Between-source sd" in figure.get_supxlabel()


def test_a_wide_quantity_has_a_logarithmic_axis_and_its_density():
    got = priors.elicit(claims((1.0, 90.0, "a2020", "net")), "daccs", "cost")
    figure = plots.plot_elicitation(got)
    assert figure.axes[1].get_xscale() == "log"
    pool = curves(figure)["the distribution"]
    np.testing.assert_allclose(pool[:, 1], got.pdf(pool[:, 0]) * pool[:, 0], rtol=1e-12)
    assert figure.axes[0].get_ylabel() == "density of the logarithm"


@pytest.mark.parametrize("key", [("oae", "trl"), ("all", "discount_rate"), ("beccs", "cost")])
def test_the_librarys_own_priors_can_be_drawn(key, tmp_path):
    found = priors.elicit(priors.load_claims(), *key)
    path = plots.save_svg(plots.plot_elicitation(found), tmp_path / "a.svg")
    again = plots.save_svg(plots.plot_elicitation(found), tmp_path / "b.svg")
    assert path.read_bytes() == again.read_bytes()
    assert path.stat().st_size > 5000
