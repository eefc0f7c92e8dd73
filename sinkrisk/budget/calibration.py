"""Simulation-based calibration: does the posterior hold the truth as often as it says?

Truths are drawn from the prior, data from each truth, and the model is fitted to each data set. The
rank of the truth among independent posterior draws is then uniform (Talts et al. 2018), for every
quantity; the density of the data as a quantity also sees an inference that ignores the data
(Modrak et al. 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from sinkrisk import rng as random
from sinkrisk.budget.arguments import MOST_DRAWS, check_count, check_number
from sinkrisk.budget.conditional import Conditional, draw_conditional
from sinkrisk.budget.hierarchical import prepare_likelihood
from sinkrisk.budget.labelling import fluxes, report_windows
from sinkrisk.budget.modelling import Likelihood
from sinkrisk.budget.sampling import compiled_model, sample_parameters
from sinkrisk.budget.simulating import PriorDraws, draw_prior
from sinkrisk.budget.structure import FloatArray, IntArray, values_on_years
from sinkrisk.budget.windows import parse_window
from sinkrisk.errors import InputError, Problem, Problems

BINS = 20
"""Bins of the rank histograms."""

LEVEL = 0.01
"""False-alarm rate of the whole set of chi-square tests (Bonferroni)."""

COVERAGE = (0.86, 0.94)
"""Share of truths that the 90 % intervals of a calibrated fit may cover in 500 simulations."""

TUNE = 150
"""Steps before the kept ones: the parameters are few and their posterior is close to normal."""

THIN = 2
"""Steps from one rank draw to the next: the chain's draws are then near independent."""


@dataclass(frozen=True)
class Calibration:
    """Ranks of the truths, and what they say.

    Parameters
    ----------
    ranks : ndarray of int, shape (simulation, quantity)
        Number of posterior draws below the truth, 0 to `draws`.
    covered : ndarray of bool, shape (simulation, quantity)
        Whether the central 90 % interval holds the truth.
    quantities : tuple of str
    draws : int
    """

    ranks: IntArray
    covered: np.ndarray
    quantities: tuple[str, ...]
    draws: int

    @property
    def table(self) -> pd.DataFrame:
        """One row per quantity: chi-square, p, coverage of the 90 % interval, mean rank (0 to 1)."""
        counts = np.stack([np.bincount(bins, minlength=BINS) for bins in self._bins().T])
        expected = len(self.ranks) / BINS
        chi = ((counts - expected) ** 2 / expected).sum(axis=1)
        return pd.DataFrame(
            {
                "quantity": self.quantities,
                "chi_square": chi,
                "p": stats.chi2(BINS - 1).sf(chi),
                "coverage": self.covered.mean(axis=0),
                "mean_rank": self.ranks.mean(axis=0) / self.draws,
            }
        )

    def _bins(self) -> IntArray:
        return self.ranks * BINS // (self.draws + 1)

    @property
    def smallest_p(self) -> float:
        """Return the smallest p of any quantity, times their number."""
        return float(min(1.0, self.table["p"].min() * len(self.quantities)))

    @property
    def passed(self) -> bool:
        """Whether no quantity's ranks depart from uniform (p > .01 / quantities) and coverage holds."""
        coverage = self.table["coverage"]
        return bool(self.smallest_p > LEVEL and coverage.between(*COVERAGE).all())

    def __str__(self) -> str:
        """Say it in a sentence."""
        table = self.table
        worst = table.iloc[int(table["p"].to_numpy().argmin())]
        return (
            f"{len(self.ranks)} simulations, {len(table)} quantities: smallest p {worst['p']:.3g} "
            f"({worst['quantity']}; the bound is {LEVEL / len(table):.2g}); 90 % intervals cover "
            f"{100 * table['coverage'].min():.1f} to {100 * table['coverage'].max():.1f} %"
        )


def calibrate(
    template: pd.DataFrame,
    *,
    simulations: int = 500,
    draws: int = 99,
    rng: random.RandomSource = None,
    cores: int = 2,
    model: str = "hierarchical",
    errors: str = "shares",
    years: Sequence[int] | None = None,
    sd_factor: float = 1.0,
) -> Calibration:
    """Calibrate the fit of a table's structure by simulation.

    Parameters
    ----------
    template : DataFrame
        Rows of the observation schema, assessed series; only their windows, methods, sds and digits
        matter.
    simulations : int
        Data sets drawn from the prior.
    draws : int
        Near-independent posterior draws per data set; one less than a multiple of 20 fills the bins
        evenly.
    rng : int, Generator or None
    cores : int
        Simulations fitted at a time.
    model, errors
        As of `reconcile`.
    years : sequence of int, optional
        Years whose fluxes are ranked, beside those of the windows; default first, middle and last.
    sd_factor : float
        The fitted model takes this times the stated sds; other than 1 it is wrong on purpose.

    Returns
    -------
    Calibration
        Quantities: fluxes of windows and years, every parameter, the log likelihood of the data.

    Raises
    ------
    InputError
        Before any simulation: everything wrong with the arguments and the template.

    Examples
    --------
    >>> from sinkrisk import budget, load_observations
    >>> found = calibrate(load_observations("global"), simulations=100, rng=1)  # doctest: +SKIP
    >>> found.passed, str(found)  # doctest: +SKIP
    """
    found = Problems()
    draws = check_count(draws, key="draws", most=MOST_DRAWS, found=found)
    simulations = check_count(simulations, key="simulations", most=MOST_DRAWS, found=found)
    cores = check_count(cores, key="cores", most=64, found=found)
    check_number(sd_factor, key="sd_factor", least=0.0, above=True, found=found)
    if years is not None and (isinstance(years, str) or not isinstance(years, Sequence)):
        found.add("years must be a list", got=years, allowed="[1990, 2023]", key="years")
    found.raise_if_any()
    if (draws + 1) % BINS or simulations < BINS:
        raise InputError(
            Problem(
                "ranks do not fill the bins",
                got=f"draws={draws}, simulations={simulations}",
                allowed=f"draws one less than a multiple of {BINS}, at least {BINS} simulations",
            )
        )
    prepared, truth_model = prepare_likelihood(template, model=model, errors=errors)
    if truth_model.annual.panels:
        raise InputError(
            Problem("calibration needs assessed series", got="individual estimates", key="series")
        )
    fitted_model = truth_model if sd_factor == 1.0 else _with_sds(template, model, errors, sd_factor)
    generator = random.generator(rng)
    truths = draw_prior(truth_model, simulations, generator)
    grid = truth_model.annual.structure.years
    chosen = tuple(years) if years is not None else (int(grid[0]), int(grid[len(grid) // 2]), int(grid[-1]))
    for year in chosen:
        if year not in grid:
            raise InputError(
                Problem(
                    "year outside the template", got=year, allowed=f"{grid[0]} to {grid[-1]}", key="years"
                )
            )
    spans = tuple(parse_window(label) for label in report_windows(prepared, truth_model.annual, None))
    spans = (*spans, *((y, y) for y in chosen if (y, y) not in spans))
    compiled_model(fitted_model)
    seeds = generator.integers(1, 2**31 - 1, simulations)

    def one(place: int) -> tuple[IntArray, np.ndarray]:
        return _rank(truth_model, fitted_model, truths, place, spans, draws, int(seeds[place]))

    with ThreadPoolExecutor(max_workers=cores) as pool:
        results = list(pool.map(one, range(simulations)))
    return Calibration(
        ranks=np.stack([ranks for ranks, _ in results]),
        covered=np.stack([covered for _, covered in results]),
        quantities=_names(truth_model, spans),
        draws=draws,
    )


def _with_sds(template: pd.DataFrame, model: str, errors: str, factor: float) -> Likelihood:
    """Return the model of the same table with other stated sds."""
    other = template.copy()
    other["sd"] = other["sd"] * factor
    other.attrs = template.attrs
    return prepare_likelihood(other, model=model, errors=errors)[1]


def _names(likelihood: Likelihood, spans: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    windows = [str(a) if a == b else f"{a}-{b}" for a, b in spans]
    names = [f"flux {c} {w}" for c in likelihood.annual.components for w in windows]
    names += [f"{p.name}[{label}]" for p in likelihood.annual.parameters.free for label in p.labels]
    return (*names, "log likelihood")


def _rank(
    truth_model: Likelihood,
    fitted_model: Likelihood,
    truths: PriorDraws,
    place: int,
    spans: Sequence[tuple[int, int]],
    draws: int,
    seed: int,
) -> tuple[IntArray, np.ndarray]:
    """Fit one data set; return the ranks of its truth and whether the intervals hold it."""
    generator = np.random.default_rng(seed)
    residual, parameters = truths.residuals[place], truth_model.annual.parameters
    sampled = sample_parameters(
        fitted_model,
        draws=draws * THIN,
        tune=TUNE,
        chains=1,
        generator=generator,
        residual=residual,
        cores=1,
    )
    theta = {name: v[0, ::THIN] for name, v in sampled.values.items()}
    drawn = draw_conditional(
        fitted_model, *fitted_model.annual.parameters.evaluate(theta), generator, residual
    )
    flux = _windows(truth_model, fluxes(fitted_model.annual, drawn), spans)
    density = [fitted_model(row, residual)[0] for row in fitted_model.pack(theta)]
    posterior = np.concatenate(
        [flux, *(theta[p.name] for p in parameters.free), np.array(density)[:, None]], axis=1
    )
    true_theta = {name: v[place] for name, v in truths.parameters.items()}
    true_flux = _windows(truth_model, _true_fluxes(truth_model, truths, place), spans)[0]
    true_density = fitted_model(fitted_model.pack(true_theta), residual)[0]
    truth = np.concatenate(
        [true_flux, *(true_theta[p.name] for p in parameters.free), np.array([true_density])]
    )
    low, high = np.quantile(posterior, [0.05, 0.95], axis=0, method="weibull")
    return (posterior < truth).sum(axis=0), (low <= truth) & (truth <= high)


def _windows(likelihood: Likelihood, flux: FloatArray, spans: Sequence[tuple[int, int]]) -> FloatArray:
    years = likelihood.annual.structure.years
    means = [flux[:, :, (years >= a) & (years <= b)].mean(axis=2) for a, b in spans]
    return np.stack(means, axis=-1).reshape(len(flux), -1)


def _true_fluxes(likelihood: Likelihood, truths: PriorDraws, place: int) -> FloatArray:
    """Return the fluxes behind one data set, shape (1, component, year)."""
    structure = likelihood.annual.structure
    shape = (1, len(structure.years))
    functions = {
        p.name: np.broadcast_to(values_on_years(structure, p, u[place : place + 1]), shape)
        for p, u in zip(structure.processes, truths.values, strict=True)
    }
    empty = np.zeros((1, 0))
    return fluxes(likelihood.annual, Conditional(functions, empty, {}, empty))
