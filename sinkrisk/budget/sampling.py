"""Sampling the parameters of an annual model: NUTS by nutpie or PyMC, or elliptical slices."""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from sinkrisk import interrupts, rng as random
from sinkrisk.budget.modelling import Likelihood, make_model
from sinkrisk.budget.structure import FloatArray

_KEPT_MODELS = 6
_compiled: dict[str, Any] = {}


@dataclass(frozen=True)
class Sampled:
    """Draws of the parameters.

    Parameters
    ----------
    values : dict of str to ndarray, shape (chain, draw, label)
    stats : Dataset
        Per chain and draw: diverging, energy, n_steps (nutpie); evaluations (elliptical slice).
    """

    values: dict[str, FloatArray]
    stats: xr.Dataset


def sample_parameters(
    likelihood: Likelihood,
    *,
    draws: int,
    tune: int,
    chains: int,
    generator: np.random.Generator,
    progress: bool = False,
    sampler: str = "nutpie",
    residual: FloatArray | None = None,
    cores: int | None = None,
) -> Sampled:
    """Sample the parameters on the marginal likelihood.

    Parameters
    ----------
    likelihood : Likelihood
    draws, tune, chains : int
        Per chain kept, per chain discarded, and chains.
    generator : Generator
    progress : bool
        Show a bar.
    sampler : {"nutpie", "pymc", "elliptical_slice"}
        The first is the fastest; the others give equal draws for equal seeds (see `SAMPLERS`).
    residual : ndarray, shape (observation,), optional
        Other data for the same structure; nothing is compiled anew.
    cores : int, optional
        Default all.

    Raises
    ------
    KeyboardInterrupt
        When the sampler was interrupted; no shortened posterior is ever returned.
    """
    interrupts.check()
    if sampler == "elliptical_slice":
        return _slice(likelihood, draws, tune, chains, generator, residual)
    if sampler == "pymc":
        return _pymc(likelihood, draws, tune, chains, generator, progress, residual)
    import nutpie

    compiled = compiled_model(likelihood)
    # Compiling runs callbacks that swallow exceptions, an interrupt's too.
    interrupts.check()
    if residual is not None:
        compiled = compiled.with_data(residual=np.ascontiguousarray(residual))
    with warnings.catch_warnings():
        # nutpie announces parts of its own interface; none of it speaks of this model.
        warnings.simplefilter("ignore", FutureWarning)
        trace = nutpie.sample(
            compiled,
            draws=draws,
            tune=tune,
            chains=chains,
            cores=cores or min(chains, os.cpu_count() or 1),
            seed=random.seed_of(generator),
            progress_bar=progress,
            save_warmup=False,
            # Individual estimates leave ridges between an error's size and its rho; a low-rank metric
            # follows them (half the steps, three times the ESS) and only pays where a gradient is dear.
            adaptation="low_rank" if likelihood.engine == "banded" else "diag",
        )
    interrupts.check()
    posterior, stats = trace["posterior"], trace["sample_stats"]
    packed = np.concatenate([posterior[s.variable].values for s in likelihood.stacks], axis=-1)
    _refuse_cut_short(packed, chains, draws)
    kept = {
        name: (("chain", "draw"), stats[name].values)
        for name in ("diverging", "energy", "n_steps", "logp")
        if name in stats
    }
    return Sampled(likelihood.unpack(packed), xr.Dataset(kept))


def _pymc(
    likelihood: Likelihood,
    draws: int,
    tune: int,
    chains: int,
    generator: np.random.Generator,
    progress: bool,
    residual: FloatArray | None,
) -> Sampled:
    """Sample by PyMC's own NUTS, in this process: equal seeds give equal draws."""
    import pymc as pm
    from pytensor.configdefaults import config

    model = make_model(likelihood)
    # PyMC announces what it does on the log even without a bar.
    log = logging.getLogger("pymc")
    level = log.level
    log.setLevel(level if progress else logging.ERROR)
    try:
        # Fast math may reorder sums, and the order depends on how the code was compiled.
        with model, config.change_flags(numba__fastmath=False):
            interrupts.check()
            if residual is not None:
                pm.set_data({"residual": np.ascontiguousarray(residual)})
            trace = pm.sample(
                draws=draws,
                tune=tune,
                chains=chains,
                cores=1,
                random_seed=random.seed_of(generator),
                nuts_sampler="pymc",
                progressbar=progress,
                compute_convergence_checks=False,
                target_accept=0.9,
            )
    except ValueError as error:
        # What PyMC says of an interrupt that came before its first draw.
        if "Not enough samples" in str(error):
            raise KeyboardInterrupt("sampling was interrupted before its first draw") from error
        raise
    finally:
        log.setLevel(level)
    posterior, stats = trace["posterior"], trace["sample_stats"]
    packed = np.concatenate([posterior[s.variable].values for s in likelihood.stacks], axis=-1)
    _refuse_cut_short(packed, chains, draws)
    kept = {
        ours: (("chain", "draw"), stats[theirs].values)
        for ours, theirs in (
            ("diverging", "diverging"),
            ("energy", "energy"),
            ("n_steps", "n_steps"),
            ("logp", "lp"),
        )
    }
    return Sampled(likelihood.unpack(packed), xr.Dataset(kept))


def _refuse_cut_short(packed: FloatArray, chains: int, draws: int) -> None:
    """Raise KeyboardInterrupt where the sampler was stopped before its last draw.

    Both samplers catch the interrupt themselves and return what they have, chains missing, shorter or
    filled up with NaN: taken for the whole posterior it would be recorded as a finished result.
    """
    if packed.shape[:2] != (chains, draws) or np.isnan(packed).any():
        whole = int((~np.isnan(packed).any(axis=(1, 2))).sum())
        raise KeyboardInterrupt(
            f"sampling was interrupted: {packed.shape[0]} of {chains} chains and {packed.shape[1]} of "
            f"{draws} draws were there, {whole} chains of them whole; nothing of it is kept"
        )


def compiled_model(likelihood: Likelihood) -> Any:
    """Return the compiled model of a likelihood, from memory where it was compiled before."""
    key = _fingerprint(likelihood)
    if key not in _compiled:
        import nutpie

        if len(_compiled) >= _KEPT_MODELS:
            _compiled.pop(next(iter(_compiled)))
        _compiled[key] = nutpie.compile_pymc_model(make_model(likelihood))
    return _compiled[key].with_data(residual=likelihood.annual.structure.residual)


def _fingerprint(likelihood: Likelihood) -> str:
    """Return a hash of everything the compiled model depends on, the residuals apart."""
    digest = hashlib.sha256(likelihood.engine.encode())
    for stack in likelihood.stacks:
        digest.update(repr((stack.family, stack.entries)).encode())
        digest.update(stack.a.tobytes() + stack.b.tobytes())
    for array in likelihood.arrays:
        digest.update(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _slice(
    likelihood: Likelihood,
    draws: int,
    tune: int,
    chains: int,
    generator: np.random.Generator,
    residual: FloatArray | None,
) -> Sampled:
    """Elliptical slice sampling (Murray, Adams and MacKay 2010) in standard-normal coordinates."""
    parameters = likelihood.annual.parameters

    def log_likelihood(z: FloatArray) -> float:
        return likelihood(likelihood.pack(parameters.at(z)), residual)[0]

    kept = np.empty((chains, draws, parameters.size))
    evaluations = np.zeros((chains, draws), dtype=np.int64)
    for chain in range(chains):
        z = _start(log_likelihood, parameters.size, generator)
        level = log_likelihood(z)
        for step in range(-tune, draws):
            z, level, count = _ellipse(z, level, log_likelihood, generator)
            if step >= 0:
                kept[chain, step] = z
                evaluations[chain, step] = count
    stats = xr.Dataset({"evaluations": (("chain", "draw"), evaluations)})
    return Sampled(parameters.at(kept), stats)


def _start(
    log_likelihood: Callable[[FloatArray], float], size: int, generator: np.random.Generator
) -> FloatArray:
    """Return a prior draw of positive likelihood."""
    for _ in range(1000):
        z = generator.standard_normal(size)
        if np.isfinite(log_likelihood(z)):
            return z
    raise RuntimeError("no prior draw has a finite likelihood: the data lie outside what the model can say")


def _ellipse(
    z: FloatArray,
    level: float,
    log_likelihood: Callable[[FloatArray], float],
    generator: np.random.Generator,
) -> tuple[FloatArray, float, int]:
    """Make one transition; return the new point, its log likelihood and the evaluations it took."""
    other = generator.standard_normal(z.shape)
    height = level + np.log(generator.random())
    angle = generator.uniform(0.0, 2.0 * np.pi)
    low, high, count = angle - 2.0 * np.pi, angle, 0
    while True:
        point = z * np.cos(angle) + other * np.sin(angle)
        value = log_likelihood(point)
        count += 1
        if value > height:
            return point, value, count
        if angle < 0.0:
            low = angle
        else:
            high = angle
        angle = generator.uniform(low, high)
