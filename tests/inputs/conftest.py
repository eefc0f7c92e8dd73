"""Stand-ins and the real rooms above: a small posterior built by hand, the packaged priors and network."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sinkrisk import network
from sinkrisk.inputs import drivers
from sinkrisk.priors import load_claims, load_table

COMPONENTS = ("fossil", "land_use", "atmosphere", "ocean", "land")
WINDOWS = ("2000-2009", "2014-2023", "2024")


@pytest.fixture(scope="session")
def posterior():
    """Two chains of 25 draws whose fluxes close exactly in every draw and window."""
    rng = np.random.default_rng(11)
    flux = rng.normal([9.7, 1.2, 0.0, 2.9, 3.0], [0.4, 0.5, 0.0, 0.4, 0.6], size=(2, 25, 3, 5))
    flux[..., 2] = flux[..., 0] + flux[..., 1] - flux[..., 3] - flux[..., 4]
    array = xr.DataArray(
        flux,
        dims=("chain", "draw", "window", "component"),
        coords={"window": list(WINDOWS), "component": list(COMPONENTS)},
        attrs={"units": "GtC/yr"},
    )
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"window_flux": array})})
    tree.attrs["model"] = "closed"
    return tree


@pytest.fixture(scope="session")
def claims():
    return load_claims()


@pytest.fixture(scope="session")
def net():
    return network.load()


@pytest.fixture(scope="session")
def full(posterior, net, claims):
    """Every part of the input space."""
    return drivers(budget=posterior, network=net, claims=claims)


@pytest.fixture(scope="session")
def bare(claims):
    """No budget, no network."""
    return drivers(claims=claims)


@pytest.fixture(scope="session")
def creditable():
    table = load_table("pathways")
    return [p for p, c in zip(table["pathway"], table["creditable"], strict=True) if str(c).lower() == "true"]
