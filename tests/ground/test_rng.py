from __future__ import annotations

import numpy as np
import pytest

from sinkrisk import rng
from sinkrisk.errors import InputError


def test_streams_are_reproducible_and_differ_by_name():
    draws = {name: rng.stream(5, name).random(4) for name in ("budget", "network", "sobol")}
    again = rng.stream(5, "budget").random(4)
    assert np.array_equal(draws["budget"], again)
    assert not np.array_equal(draws["budget"], draws["network"])
    assert not np.array_equal(rng.stream(6, "budget").random(4), again)


def test_nested_names_are_not_their_concatenation():
    assert rng.stream(1, "ab", "c").random() != rng.stream(1, "a", "bc").random()


def test_a_generator_is_passed_through_and_not_reseeded():
    own = np.random.default_rng(3)
    assert rng.generator(own) is own


def test_seeds_for_other_libraries_are_never_zero():
    seeds = [rng.seed_of(i) for i in range(200)]
    assert min(seeds) >= 1
    assert max(seeds) < 2**31
    assert len(set(seeds)) == 200


def test_the_global_generator_is_left_alone():
    before = np.random.get_state()[1].copy()
    rng.generator(1).random(10)
    rng.seed_of(2)
    assert np.array_equal(before, np.random.get_state()[1])


@pytest.mark.parametrize("wrong", ["x", 1.5, -1, True, [1]])
def test_a_seed_that_is_none_is_refused(wrong):
    with pytest.raises(InputError, match="rng': rng: got"):
        rng.generator(wrong)
