"""The replicates of an analysis, carried to any number of base points without evaluating a row twice"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk import rng as random
from sinkrisk.sensitivity import estimators
from sinkrisk.sensitivity.design import DriverSet, draw_design
from sinkrisk.sensitivity.evaluating import Evaluator
from sinkrisk.sensitivity.labelling import label_indices

Floats = NDArray[np.float64]
Triple = tuple[Floats, Floats, Floats]

REPLICATE_T = "equal-tailed replicate t"
BOOTSTRAP = "equal-tailed bootstrap percentile"


class Replicates:
    """Independent scrambles of one Sobol' design, or one random design, and what they gave so far.

    Parameters
    ----------
    evaluator : Evaluator
    who : DriverSet
    design : {"qmc", "random"}
    second_order : bool
    seeds : sequence of int
        One a replicate; a random design has one.
    """

    def __init__(
        self, evaluator: Evaluator, who: DriverSet, design: str, second_order: bool, seeds: Sequence[int]
    ) -> None:
        self.evaluator, self.who, self.design, self.second_order = evaluator, who, design, second_order
        self.seeds = tuple(seeds)
        self.n = 0
        self._sums: list[estimators.Sums] = []
        # A bootstrap needs the outputs themselves; the replicates of a Sobol' design only their sums.
        self._outputs: list[Floats] = []

    @property
    def rows(self) -> int:
        """Rows of all replicates."""
        step = (2 if self.second_order else 1) * len(self.who.labels) + 2
        return self.n * step * len(self.seeds)

    def extend(self, n: int) -> None:
        """Evaluate what is missing to `n` base points a replicate."""
        for number, seed in enumerate(self.seeds):
            plan = draw_design(self.who, n, design=self.design, second_order=self.second_order, seed=seed)
            rest: list[Floats] = []
            held = 0
            for y in self.evaluator.rows(plan, self.n * plan.step, plan.rows, number):
                if number == len(self._sums):
                    self._sums.append(
                        estimators.Sums(len(self.who.labels), self.evaluator.outputs, self.second_order)
                    )
                sums = self._sums[number]
                if self.design == "random":
                    self._outputs.append(y)
                rest.append(y)
                held += len(y)
                # Sums are made over the same points whatever the blocks, so that blocks change no bit.
                whole = held // (sums.chunk * plan.step) * sums.chunk * plan.step
                if whole:
                    joined = np.concatenate(rest)
                    sums.add(joined[:whole])
                    rest, held = [joined[whole:]], held - whole
            if held:
                self._sums[number].add(np.concatenate(rest))
        self.n = n

    def summarise(
        self, level: float, resamples: int, generator: np.random.Generator, draws: bool
    ) -> xr.Dataset:
        """Return the indices at the present number of base points, with intervals and labels."""
        found = [sums.indices() for sums in self._sums]
        values = {"S1": np.stack([one.s1 for one in found]), "ST": np.stack([one.st for one in found])}
        if self.second_order:
            values["S2"] = np.stack([one.s2 for one in found if one.s2 is not None])
        kept: Mapping[str, Floats]
        if self.design == "qmc":
            intervals = {k: estimators.replicate_interval(v, level) for k, v in values.items()}
            kept = {k: values[k] for k in ("S1", "ST")}
        else:
            intervals, kept = self._bootstrap(values, found[0].status, level, resamples, generator)
        statuses = np.stack([one.status for one in found])
        # An output constant in one replicate and not in another is a rare event, not a constant.
        same = statuses.min(axis=0) == statuses.max(axis=0)
        status = np.where(same, statuses[0], np.int8(estimators.RARE)).astype(np.int8)
        moments = {
            "mean": np.mean([one.mean for one in found], axis=0),
            "variance": np.mean([one.variance for one in found], axis=0),
        }
        attrs: dict[str, Any] = {
            "interval_kind": REPLICATE_T if self.design == "qmc" else BOOTSTRAP,
            "interval_mass": float(level),
            "n": int(self.n),
            "replicates": len(self.seeds),
            "rows": self.rows,
            "design": self.design,
            "grouped": int(self.who.grouped),
        }
        return label_indices(
            self.who,
            intervals,
            kept if draws else {},
            moments,
            status,
            self.evaluator.labels,
            self.evaluator.scalar,
            attrs,
        )

    def _bootstrap(
        self,
        values: Mapping[str, Floats],
        status: NDArray[np.int8],
        level: float,
        resamples: int,
        generator: np.random.Generator,
    ) -> tuple[dict[str, Triple], dict[str, Floats]]:
        use = status == estimators.OK
        plan = draw_design(
            self.who, self.n, design=self.design, second_order=self.second_order, seed=self.seeds[0]
        )
        if len(self._outputs) > 1:
            self._outputs = [np.concatenate(self._outputs)]
        drawn: tuple[Floats | None, ...] = (None, None, None)
        if use.any():
            drawn = estimators.bootstrap(plan, self._outputs[0][:, use], resamples, generator)
        intervals: dict[str, Triple] = {}
        kept: dict[str, Floats] = {}
        for (name, value), some in zip(values.items(), drawn, strict=False):
            low = np.full(value.shape[1:], np.nan)
            high = low.copy()
            if some is not None:
                low[..., use], high[..., use] = estimators.percentile_interval(some, level)
            intervals[name] = (value[0], low, high)
            if name != "S2":
                kept[name] = np.full((resamples, *value.shape[1:]), np.nan)
                if some is not None:
                    kept[name][..., use] = some
        return intervals, kept


def distinct_seeds(generator: np.random.Generator, count: int) -> list[int]:
    """Return `count` different seeds: equal ones would make two replicates one."""
    seeds: list[int] = []
    while len(seeds) < count:
        seed = random.seed_of(generator)
        if seed not in seeds:
            seeds.append(seed)
    return seeds
