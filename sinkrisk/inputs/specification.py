"""The `inputs` section of a run's spec: what is held fixed, and how claims are read."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sinkrisk.errors import Problems


class InputsSpec(BaseModel):
    """How the joint input space of a run is built.

    A driver that is fixed leaves u, so that the others keep their meaning and a Sobol' analysis
    spends nothing on it; `Drivers.constants` still lists it.

    Parameters
    ----------
    fixed : dict of str to float or str
        Driver -> value in its own unit: GtCO2/yr for ``potential__beccs``, a weight for
        ``suitability__forests__north_america``. A network node takes the name of a state, as an
        intervention (`do`): its parents no longer matter. ``budget_draw`` takes a land sink in
        GtC/yr and picks the posterior draw nearest to it; ``network_tables`` takes the number of a
        table draw.
    quantiles : dict of str to float
        Driver -> u in [0, 1], held there: 0.5 is the median of a scalar. A network node held at a u
        still listens to its parents.
    replaced : dict of str to dict
        Scalar driver -> another prior: ``{"distribution": "lognorm", "s": 0.4, "scale": 120}``, a
        continuous family of scipy.stats or PreliZ by name, its parameters in the driver's unit.
    between : dict of str to (float, float)
        Driver -> range of its value: its prior, the library's or the replacing one, is cut to it.
        ``budget_draw`` takes a range of the land sink in GtC/yr.
    budget, network : bool
        False leaves the budget posterior, or the network, out even where it is given.
    window : str, optional
        Window of the budget whose land and ocean sinks are drawn; by default the latest of at least
        ten years.
    yield_sink : {"land", "net_land"}
        Which flux of the budget the yield of nature pathways follows (``land_sink_ratio``), and the
        posterior draws are ordered by: the land sink, or land less land-use emissions - where inventories
        of ecosystems, which measure the difference, are all there is (China).
    regions : list of str, optional
        Regions that are simulated, as a world of their own (see `restrict`); all when left out.
    basis : dict of str to str
        Quantity -> basis of the claims to read, for example ``{"potential": "technical"}``; by
        default the one `elicit` takes. Where energy is read as heat alone, none of it is power
        (``power_share``); where as electricity or grinding, all of it.
    mass : float
        Mass that a stated range low-high is taken to hold.
    tables : int
        Draws of the network's tables in the bank.
    seed : int
        Seed of that bank.

    Examples
    --------
    >>> InputsSpec(fixed={"cost__daccs": 300.0}, quantiles={"budget_draw": 0.5}).mass
    0.9
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fixed: dict[str, float | str] = Field(default_factory=dict)
    quantiles: dict[str, Annotated[float, Field(ge=0.0, le=1.0)]] = Field(default_factory=dict)
    replaced: dict[str, dict[str, float | str]] = Field(default_factory=dict)
    between: dict[str, tuple[float, float]] = Field(default_factory=dict)
    budget: bool = True
    network: bool = True
    window: str | None = None
    yield_sink: Literal["land", "net_land"] = "land"
    regions: list[str] | None = None
    basis: dict[str, str] = Field(default_factory=dict)
    mass: float = Field(default=0.9, gt=0.0, lt=1.0)
    tables: int = Field(default=512, ge=2, le=65_536)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)

    @field_validator("fixed")
    @classmethod
    def _finite(cls, value: dict[str, float | str]) -> dict[str, float | str]:
        found = Problems()
        for name, number in value.items():
            if not isinstance(number, str) and not math.isfinite(number):
                found.add("fixed at no finite number", got=number, allowed="a finite number", key=name)
        found.raise_if_any()
        return value

    @field_validator("replaced")
    @classmethod
    def _a_family_and_numbers(
        cls, value: dict[str, dict[str, float | str]]
    ) -> dict[str, dict[str, float | str]]:
        found = Problems()
        for name, given in value.items():
            if not isinstance(given.get("distribution"), str):
                found.add(
                    "needs a distribution",
                    got=given.get("distribution"),
                    allowed="a continuous family of scipy.stats or PreliZ by name",
                    key=f"{name}.distribution",
                    hint="for example distribution: lognorm",
                )
            for label, number in given.items():
                if label != "distribution" and (isinstance(number, str) or not math.isfinite(number)):
                    allowed, key = "a finite number", f"{name}.{label}"
                    found.add(
                        f"parameter '{label}' is no finite number", got=number, allowed=allowed, key=key
                    )
        found.raise_if_any()
        return value

    @field_validator("between")
    @classmethod
    def _ordered(cls, value: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        found = Problems()
        for name, (low, high) in value.items():
            if math.isnan(low) or math.isnan(high) or not low < high:
                allowed = "[low, high] with low below high"
                found.add(
                    "needs a range whose low lies below its high", got=[low, high], allowed=allowed, key=name
                )
        found.raise_if_any()
        return value
