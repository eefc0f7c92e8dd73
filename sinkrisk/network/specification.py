"""The network as written: the models of its YAML file, and how rows and overrides are meant.

A node is written once for its plate (class, region, period) and expanded by `expansion`. A table
is `full`, one row of probabilities per combination of parent states; or `ranked`: states are equal
slices of [0, 1] and the child is a normal truncated to [0, 1] whose mean is a weighted mean of the
parents (Fenton, Neil and Caballero 2007, IEEE Trans. Knowl. Data Eng. 19(10)), where a parent of
weight nought is no parent; or `noisy_max`: parents push independently and the furthest push wins
(see `noisy`), the one kind whose parents may have a plate that the node has not, such as every
class of a region.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PLATES = ("class", "region", "period")
"""Plates in the order in which their values follow the base in an expanded name."""
PREVIOUS = "@previous"
"""Suffix of a parent taken from the period before."""


Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
"""Weight of a parent: only ratios count, and beyond a million sums lose what is small."""


class NetworkSpec(BaseModel):
    """The network section of an analysis.

    Parameters
    ----------
    file : str, optional
        A network file; None means the one shipped in ``priors/network.yaml``.
    tables : int
        Number of joint draws of the tables in the bank.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str | None = None
    tables: Annotated[int, Field(ge=1, le=1_000_000)] = 512


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RowSpec(_Strict):
    """Probabilities of the states where the parents are in the `given` states (left out: any)."""

    given: dict[str, str | list[str]] = Field(default_factory=dict)
    probabilities: list[float]


class BaselineSpec(_Strict):
    """A constant parent of a ranked node: `value` in [0, 1], 1 the favourable end."""

    weight: Weight
    value: Annotated[float, Field(ge=0, le=1)]


class BottleneckSpec(_Strict):
    """The share of the mean that follows the worst of some parents instead of their average."""

    share: Annotated[float, Field(ge=0, le=1)]
    parents: Annotated[list[str], Field(min_length=1)]


class Sourced(_Strict):
    rationale: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    locator: str = ""


class FullTableSpec(Sourced):
    """A table written row by row; `first` holds the rows of the first period, without carry-over."""

    kind: Literal["full"]
    equivalent_sample_size: Annotated[float, Field(ge=1)]
    rows: list[RowSpec] = Field(default_factory=list)
    first: list[RowSpec] | None = None


class RankedTableSpec(Sourced):
    """A table made from weighted parents; `today` stands in for parents before the first period."""

    kind: Literal["ranked"]
    equivalent_sample_size: Annotated[float, Field(ge=1)]
    weights: dict[str, Weight]
    spread: Annotated[float, Field(ge=0.02, le=1)]
    baseline: BaselineSpec | None = None
    bottleneck: BottleneckSpec | None = None
    today: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)


class EffectSpec(_Strict):
    """What a parent in `state` does alone, where the plates folded over have the `match`ed values."""

    parent: str
    state: str | list[str]
    match: dict[Literal["class", "region"], list[str]] = Field(default_factory=dict)
    probabilities: list[float]


class NoisyMaxTableSpec(Sourced):
    """Independent pushes towards the last state; parent states without an effect push nothing.

    `leak` holds the probabilities when nothing pushes, `first_leak` those of the first period, where
    parents of the period before are missing.
    """

    kind: Literal["noisy_max"]
    equivalent_sample_size: Annotated[float, Field(ge=1)]
    effects: list[EffectSpec]
    leak: list[float]
    first_leak: list[float] | None = None


AnyTableSpec = FullTableSpec | RankedTableSpec | NoisyMaxTableSpec
TableSpec = Annotated[AnyTableSpec, Field(discriminator="kind")]

TABLE_KEYS: dict[str, tuple[str, ...]] = {
    "full": ("rows", "first"),
    "ranked": ("weights", "spread", "baseline", "bottleneck", "today"),
    "noisy_max": ("effects", "leak", "first_leak"),
}
"""What an override may change, per kind of table, besides the equivalent sample size."""


class OverrideSpec(Sourced):
    """Parts of a table that differ for some values of the plates; the last match wins."""

    match: dict[Literal["class", "region", "period"], list[str]]
    equivalent_sample_size: Annotated[float, Field(ge=1)] | None = None
    rows: list[RowSpec] | None = None
    first: list[RowSpec] | None = None
    weights: dict[str, Weight] | None = None
    spread: Annotated[float, Field(ge=0.02, le=1)] | None = None
    baseline: BaselineSpec | None = None
    bottleneck: BottleneckSpec | None = None
    today: dict[str, Annotated[float, Field(ge=0, le=1)]] | None = None
    effects: list[EffectSpec] | None = None
    leak: list[float] | None = None
    first_leak: list[float] | None = None


class NodeSpec(_Strict):
    """One node of the template network."""

    plate: list[Literal["class", "region", "period"]]
    states: Annotated[list[str], Field(min_length=2)]
    favourable: Literal["first", "last"] = "last"
    group: Literal["policy", "market", "acceptance", "deployment", "climate"]
    parents: list[str] = Field(default_factory=list)
    table: TableSpec
    overrides: list[OverrideSpec] = Field(default_factory=list)


class SharedDeviationSpec(Sourced):
    """How strongly the rows of a full table err together: the copula's correlation."""

    correlation: Annotated[float, Field(ge=0, le=1)]


class NetworkFile(_Strict):
    """A network file. A plate's values are a list, or the name of a table of `priors`."""

    network: str
    description: str = ""
    shared_deviation: SharedDeviationSpec
    plates: dict[Literal["class", "region", "period"], str | list[str]] = Field(default_factory=dict)
    nodes: Annotated[dict[str, NodeSpec], Field(min_length=1)]


def base_of(parent: str) -> str:
    """Return a parent's base name: ``policy_support@previous`` -> ``policy_support``."""
    return parent.removesuffix(PREVIOUS)


def combinations(spec: NetworkFile, parents: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield every combination of parent states, the last parent changing fastest."""
    states = [spec.nodes[base_of(parent)].states for parent in parents]
    for combination in itertools.product(*states):
        yield dict(zip(parents, combination, strict=True))


def matches(row: RowSpec, combination: Mapping[str, str]) -> bool:
    """Return whether a row speaks of a combination of parent states."""
    return all(
        combination[parent] == states if isinstance(states, str) else combination[parent] in states
        for parent, states in row.given.items()
    )


def effective_parents(table: AnyTableSpec, parents: Sequence[str]) -> list[str]:
    """Return the parents that move the node: those of a ranked table with weight or bottleneck."""
    if not isinstance(table, RankedTableSpec):
        return list(parents)
    limiting = table.bottleneck.parents if table.bottleneck and table.bottleneck.share > 0.0 else []
    return [parent for parent in parents if table.weights[parent] > 0.0 or parent in limiting]


def merged(table: AnyTableSpec, override: OverrideSpec) -> AnyTableSpec:
    """Return the table with an override's parts in place of its own; mappings merge key by key."""
    changes: dict[str, Any] = {key: getattr(override, key) for key in ("rationale", "source", "locator")}
    for key in type(table).model_fields:
        value = getattr(override, key, None)
        if key not in changes and key != "kind" and value is not None:
            mine = getattr(table, key)
            changes[key] = {**mine, **value} if isinstance(value, dict) else value
    return table.model_copy(update=changes)
