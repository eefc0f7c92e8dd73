"""The samplers of the parameters agree with one another, and with the plain way over all latents."""

from __future__ import annotations

import os
import signal
import threading

import arviz_stats as az
import numpy as np
import pytest

from sinkrisk.budget.conditional import draw_conditional
from sinkrisk.budget.direct import sample_direct
from sinkrisk.budget.direct_plan import plan_direct
from sinkrisk.budget.hierarchical import prepare_likelihood
from sinkrisk.budget.labelling import fluxes
from sinkrisk.budget.sampling import sample_parameters
from sinkrisk.errors import InputError
from sinkrisk.priors import load_observations


def likelihood_of(**options):
    return prepare_likelihood(load_observations("global"), **options)[1]


def differences(first, second):
    """z of the difference of the means of two sets of (chain, draw, ...) arrays, in Monte Carlo errors."""
    out = []
    for one, other in zip(first, second, strict=True):
        one, other = (x.reshape(*x.shape[:2], -1) for x in (one, other))
        for k in range(one.shape[-1]):
            a, b = one[..., k], other[..., k]
            if a.std() < 1e-12:
                continue
            error = np.sqrt(a.var() / az.ess(a, method="mean") + b.var() / az.ess(b, method="mean"))
            out.append((a.mean() - b.mean()) / error)
    return np.array(out)


def sample(likelihood, sampler, seed, draws=1000, **options):
    generator = np.random.default_rng(seed)
    return sample_parameters(
        likelihood, draws=draws, tune=1000, chains=2, generator=generator, sampler=sampler, **options
    )


def test_nutpie_agrees_with_elliptical_slices():
    likelihood = likelihood_of()
    nuts = sample(likelihood, "nutpie", 1)
    slices = sample(likelihood, "elliptical_slice", 2, draws=4000)
    assert not nuts.stats["diverging"].any()
    assert (slices.stats["evaluations"] >= 1).all()
    z = differences(nuts.values.values(), slices.values.values())
    # 23 parameters: correct samplers cross 4 once in 690 seeds (23 x 6.3e-5), were the z normal.
    assert len(z) == 23
    assert np.abs(z).max() < 4.0


def test_the_prior_is_what_is_left_without_data():
    # Standard-normal coordinates and families: a slice sampler that sees a flat likelihood.
    likelihood = likelihood_of(model="open")
    flat = np.random.default_rng(3)
    values = likelihood.annual.parameters.prior_draws(flat, (4000,))
    for p in likelihood.annual.parameters.free:
        assert values[p.name].shape == (4000, len(p.labels))
        assert (values[p.name] > 0).all()
        if p.family == "beta":
            mean = p.a / (p.a + p.b)
            sd = np.sqrt(mean * (1 - mean) / (p.a + p.b + 1) / 4000)
            # Six sds: about one in 5e8 per parameter.
            assert (np.abs(values[p.name].mean(axis=0) - mean) < 6 * sd).all()


@pytest.mark.parametrize("sampler", ["elliptical_slice", "pymc"])
def test_equal_seeds_give_equal_values(sampler):
    likelihood = likelihood_of()
    one, again, other = (
        sample_parameters(
            likelihood, draws=20, tune=20, chains=2, generator=np.random.default_rng(seed), sampler=sampler
        )
        for seed in (5, 5, 6)
    )
    for name, values in one.values.items():
        np.testing.assert_array_equal(values, again.values[name])
        assert not np.array_equal(values, other.values[name])


def test_other_data_reuse_the_compiled_model(monkeypatch):
    import nutpie

    likelihood = likelihood_of()
    sample(likelihood, "nutpie", 1, draws=10)

    def never(*args, **kwargs):
        raise AssertionError("compiled again")

    monkeypatch.setattr(nutpie, "compile_pymc_model", never)
    residual = likelihood.annual.structure.residual
    far = sample(likelihood, "nutpie", 1, draws=200, residual=3.0 * residual)
    near = sample(likelihood, "nutpie", 1, draws=200)
    # Fluxes three times as large walk further.
    assert far.values["walk_scale"].mean() > near.values["walk_scale"].mean()


def test_the_plan_of_direct_sampling_covers_every_process_and_row():
    annual = likelihood_of(model="open").annual
    plan, count = plan_direct(annual), len(annual.structure.processes)
    whites = [group.process for group in plan.whites]
    assert sorted([*plan.latent, *plan.exact, *whites]) == list(range(count))
    rows = np.concatenate([plan.plain, *(group.rows for group in plan.whites), *plan.exact.values()])
    assert sorted(rows) == list(range(len(annual.structure.y)))
    for group in plan.whites:
        assert (group.eigenvalues >= 0).all()


def test_direct_sampling_without_rounding_needs_an_error_of_its_own():
    from dataclasses import replace

    annual = likelihood_of().annual
    bare = replace(annual.structure, noise_variance=np.zeros(len(annual.structure.y)))
    with pytest.raises(InputError, match="direct sampling needs rounding"):
        plan_direct(replace(annual, structure=bare))


@pytest.mark.slow
def test_the_marginal_likelihood_agrees_with_direct_sampling():
    likelihood = likelihood_of()
    direct, conditional = sample_direct(
        likelihood, draws=2500, tune=1000, chains=2, generator=np.random.default_rng(7)
    )
    marginal = sample(likelihood, "nutpie", 8, draws=2500)
    flat = {name: v.reshape(-1, v.shape[-1]) for name, v in marginal.values.items()}
    exact = draw_conditional(
        likelihood, *likelihood.annual.parameters.evaluate(flat), np.random.default_rng(9)
    )
    # Thin trajectories: a few divergences in 5,000 draws are what the marginal likelihood is there for.
    assert float(direct.stats["diverging"].mean()) < 0.01

    def quantities(sampled, drawn):
        flux = fluxes(likelihood.annual, drawn)[:, :, ::8]
        return [*sampled.values.values(), flux.reshape(2, 2500, -1)]

    first, second = quantities(direct, conditional), quantities(marginal, exact)
    z = differences(first, second)
    # 68 quantities: correct samplers cross 4.5 once in 2,000 seeds, were the z normal.
    assert np.abs(z).max() < 4.5
    for one, other in zip(first, second, strict=True):
        ratio = one.std(axis=(0, 1)) / other.std(axis=(0, 1))
        # An sd from 200 effective draws has an error of 5 %.
        assert np.abs(ratio - 1.0).max() < 0.2
    structure = likelihood.annual.structure
    total = structure.offset + conditional.noise
    for i, process in enumerate(structure.processes):
        sums = np.pad(np.cumsum(conditional.functions[process.name], axis=1), ((0, 0), (1, 0)))
        length = structure.end - structure.start + 1
        total = (
            total + structure.loading[:, i] * (sums[:, structure.end + 1] - sums[:, structure.start]) / length
        )
    np.testing.assert_allclose(total, np.broadcast_to(structure.y, total.shape), atol=1e-7)


@pytest.mark.parametrize("sampler", ["nutpie", "pymc"])
def test_an_interrupt_keeps_nothing_of_a_posterior_cut_short(sampler, monkeypatch):
    # Both samplers catch the interrupt and return what they have: recorded, it would pass for whole.
    import nutpie
    import pymc

    module, name = (nutpie, "sample") if sampler == "nutpie" else (pymc, "sample")
    original = getattr(module, name)

    def interrupted(*args, **kwargs):
        # One signal may fall into a callback that ignores exceptions: they come until one is heard.
        heard = threading.Event()

        def press():
            while not heard.wait(1.5):
                os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=press, daemon=True).start()
        try:
            return original(*args, **kwargs)
        finally:
            heard.set()

    monkeypatch.setattr(module, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        sample(likelihood_of(), sampler, 1, draws=400_000)
