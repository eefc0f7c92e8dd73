"""Random numbers: generators from what a user passes, and named independent streams.

A stage never shares a generator with another: each derives its own from the run's seed and its
name, so adding a stage or changing its draws leaves every other stage's numbers as they were.
"""

from __future__ import annotations

import zlib

import numpy as np

from sinkrisk.errors import InputError, Problem

RandomSource = int | np.random.Generator | None


def generator(rng: RandomSource = None) -> np.random.Generator:
    """Return a numpy Generator from an int seed, a Generator (returned as it is) or None.

    Raises
    ------
    InputError
        For anything else, a negative seed included.

    Examples
    --------
    >>> bool(generator(1).random() == generator(1).random())
    True
    """
    if isinstance(rng, np.random.Generator):
        return rng
    whole = isinstance(rng, (int, np.integer)) and not isinstance(rng, bool)
    if rng is not None and not (whole and rng >= 0):
        raise InputError(
            Problem("rng", got=rng, allowed="an integer from 0, a numpy Generator, or None", key="rng")
        )
    return np.random.default_rng(rng)


def stream(seed: int, *names: str) -> np.random.Generator:
    """Return the generator of one named stream under a seed.

    Parameters
    ----------
    seed : int
        The run's seed, not negative.
    *names : str
        Path of the stream, for example ``"simulate"`` or ``"sobol", "replicate 3"``.

    Examples
    --------
    >>> a, b = stream(7, "budget"), stream(7, "network")
    >>> bool(a.random() == b.random())
    False
    """
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def seed_of(rng: RandomSource) -> int:
    """Return an integer seed in 1 .. 2**31 - 1 for libraries that take nothing else.

    Zero is never returned: SALib ignores ``seed=0``.
    """
    return int(generator(rng).integers(1, 2**31 - 1))
