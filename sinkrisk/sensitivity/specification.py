"""The `sobol` section of an analysis spec."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sinkrisk.errors import InputError, Problem

MIN_N = 256
"""Smallest base sample a spec may ask for; below it the indices are mostly noise."""

MIN_REPLICATES = 8
"""Fewest independent scrambles from which an interval is taken."""

MIN_DRAWS = 256
"""Fewest draws behind the tables of single drivers."""


class SobolSpec(BaseModel):
    """What the Sobol' stage evaluates.

    Parameters
    ----------
    n : int
        Base sample size N of each replicate, a power of two, at least 256. One replicate costs
        N (G + 2) evaluations of the chain for G groups, N (2 G + 2) with `second_order`.
    most : int, optional
        Where the stopping rule is not met at `n`, N is doubled up to this, a power of two of at least
        `n`; evaluations are reused. `n` when absent: N is fixed, and the rule only told.
    top : int
        The rule: the ranks of so many leading drivers are, in every output, those at half of N, ...
    width : float
        ... and no interval is wider than this, from low to high; 0 goes on to `most`.
    second_order : bool
        Also estimate what pairs of drivers make together.
    replicates : int
        Independent scrambles, at least 8.
    measures : list of str
        Criteria analysed, names of ``criteria.csv``.
    portfolios : list of str, optional
        Portfolios analysed; all of them when absent.
    groups : bool
        Analyse the drivers' groups (default) rather than each driver alone.
    single_draws : int
        Independent draws behind the tables of single drivers, at least 256; as many again choose which
        drivers these tables hold, so that what is told of them is not flattered by the choice.
    block : int
        Rows evaluated at a time.
    workers : int
        Threads that evaluate. They change no result.
    level : float
        Mass of the intervals.
    """

    model_config = ConfigDict(extra="forbid")

    n: int = Field(default=MIN_N, ge=MIN_N)
    most: int | None = None
    top: int = Field(default=3, ge=1)
    width: float = Field(default=0.1, ge=0.0, le=1.0)
    second_order: bool = False
    replicates: int = Field(default=MIN_REPLICATES, ge=MIN_REPLICATES)
    measures: list[str] = Field(default=["net_removal_2100", "total_cost"], min_length=1)
    portfolios: list[str] | None = Field(default=None, min_length=1)
    groups: bool = True
    single_draws: int = Field(default=4096, ge=MIN_DRAWS)
    block: int = Field(default=1024, ge=1)
    workers: int = Field(default=1, ge=1, le=64)
    level: float = Field(default=0.95, gt=0.0, lt=1.0)

    @field_validator("n", "most")
    @classmethod
    def _power_of_two(cls, value: int | None) -> int | None:
        if value is not None and (value < 1 or value & (value - 1)):
            given, value = value, max(value, MIN_N)
            raise InputError(
                Problem(
                    "must be a power of two, because Sobol' points are balanced only there",
                    got=given,
                    allowed=f"for example {1 << (value.bit_length() - 1)} or {1 << value.bit_length()}",
                )
            )
        return value

    @field_validator("measures", "portfolios")
    @classmethod
    def _no_repeats(cls, value: list[str] | None) -> list[str] | None:
        if value is not None and len(set(value)) != len(value):
            twice = ", ".join(name for name in dict.fromkeys(value) if value.count(name) > 1)
            raise InputError(Problem("names an entry twice", got=twice, allowed="each name once"))
        return value

    @model_validator(mode="after")
    def _in_order(self) -> SobolSpec:
        if self.most is not None and self.most < self.n:
            raise InputError(
                Problem(
                    f"'most' is below 'n', {self.n}: N begins at 'n' and is doubled up to 'most'",
                    got=self.most,
                    allowed=f"{self.n} or more",
                    key="most",
                    hint="or leave it out",
                )
            )
        return self
