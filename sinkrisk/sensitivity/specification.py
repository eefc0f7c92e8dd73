"""The `sobol` section of an analysis spec."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

MIN_N = 256
"""Smallest base sample a spec may ask for; below it the indices are mostly noise."""

MIN_REPLICATES = 8
"""Fewest independent scrambles from which an interval is taken."""


class SobolSpec(BaseModel):
    """What the Sobol' stage evaluates.

    Parameters
    ----------
    n : int
        Base sample size N of each replicate, a power of two, at least 256. One replicate costs
        N (G + 2) evaluations of the chain for G groups.
    replicates : int
        Independent scrambles, at least 8.
    measures : list of str
        Criteria analysed, names of ``criteria.csv``.
    portfolios : list of str, optional
        Portfolios analysed; all of them when absent.
    groups : bool
        Analyse the drivers' groups (default) rather than each driver alone.
    block : int
        Rows evaluated at a time.
    level : float
        Mass of the intervals.
    """

    model_config = ConfigDict(extra="forbid")

    n: int = Field(default=MIN_N, ge=MIN_N)
    replicates: int = Field(default=MIN_REPLICATES, ge=MIN_REPLICATES)
    measures: list[str] = Field(default=["net_removal_2100", "total_cost"], min_length=1)
    portfolios: list[str] | None = Field(default=None, min_length=1)
    groups: bool = True
    block: int = Field(default=1024, ge=1)
    level: float = Field(default=0.95, gt=0.0, lt=1.0)

    @field_validator("n")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError(
                f"must be a power of two, because Sobol' points are balanced only there; "
                f"the nearest are {1 << (value.bit_length() - 1)} and {1 << value.bit_length()}"
            )
        return value

    @field_validator("measures", "portfolios")
    @classmethod
    def _no_repeats(cls, value: list[str] | None) -> list[str] | None:
        if value is not None and len(set(value)) != len(value):
            raise ValueError("names an entry twice")
        return value
