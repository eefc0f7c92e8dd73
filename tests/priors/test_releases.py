"""Revisions between releases: hand-made differences come back, and the official releases compare."""

import numpy as np
import pytest

from sinkrisk import priors
from sinkrisk.errors import InputError


def test_known_revisions_come_back(workbooks):
    a = priors.load_observations(workbooks["2020"][0])
    b = a.copy()
    ocean = (b["component"] == "ocean") & (b["method"] == "assessment")
    b.loc[ocean, "value"] += 0.25
    b.loc[ocean & (b["start"] == 1991), "value"] += 0.5
    b = b[(b["start"] >= 1961) & (b["estimate"] != "CABLE")]
    result = priors.compare_releases(a, b)
    table = result.table.set_index(["component", "scope", "start"])
    whole = table.loc[("ocean", "all years", 1961)]
    assert whole["end"] == 2019
    assert whole["revision"] == pytest.approx(0.25 + 0.5 / 59, abs=1e-12)
    assert whole["b"] - whole["a"] == whole["revision"]
    assert table.loc[("ocean", "last decade", 2010), "revision"] == pytest.approx(0.25)
    assert table.loc[("ocean", "year", 1991), "revision"] == pytest.approx(0.75)
    assert np.allclose(table.loc["land"]["revision"], 0.0)
    assert result.provenance["annual"]["ocean"] == {
        "rms": pytest.approx(np.sqrt((58 * 0.25**2 + 0.75**2) / 59)),
        "largest": pytest.approx(0.75),
        "largest_year": 1991,
    }
    assert result.provenance["estimates_removed"] == ["land:dgvm:CABLE", "land_use:dgvm:CABLE"]
    assert "most in ocean (+0.250), in a single year most in ocean 1991 (+0.750)" in result.sentence
    assert set(result.table["unit"]) == {"GtC/yr"}
    figure = result.picture()
    assert len(figure.axes) == result.table["component"].nunique()


def test_releases_without_a_common_year_are_refused(workbooks):
    a = priors.load_observations(workbooks["2020"][0])
    with pytest.raises(InputError, match="share no component and year"):
        priors.compare_releases(a[a["start"] < 1980], a[a["start"] >= 1980])
    with pytest.raises(InputError, match="b holds no annual assessed series"):
        priors.compare_releases(a, a[a["method"] == "gobm"])


def test_the_official_releases_compare(official):
    result = priors.compare_releases(
        official / "Global_Carbon_Budget_2023v1.1.xlsx", official / "Global_Carbon_Budget_2024_v1.0.xlsx"
    )
    whole = result.table[result.table["scope"] == "all years"].set_index("component")
    assert whole["start"].eq(1959).all()
    assert whole["end"].eq(2022).all()
    # The revisions keep the identity of the budget.
    revision = whole["revision"]
    closed = (
        revision["fossil"] + revision["land_use"] - revision[["atmosphere", "ocean", "land", "cement"]].sum()
    )
    assert revision["imbalance"] == pytest.approx(closed, abs=1e-12)
    assert result.provenance["releases"] == ("GCB2023", "GCB2024")
    assert "From GCB2023 to GCB2024" in result.sentence
