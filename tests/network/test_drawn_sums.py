"""Sums over drawn tables against the same sums written out."""

from __future__ import annotations

import numpy as np
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import drawn_sums, network_from_tables, query, query_draws, table_bank
from sinkrisk.network.conditions import read_conditions
from sinkrisk.network.drawn_sums import SumPlan
from sinkrisk.network.exact import Exact


def _written_out(scopes, values, keep):
    letters = "abcdefghij"
    terms = ["".join(letters[v] for v in scope) + "z" for scope in scopes]
    return np.einsum(",".join(terms) + "->" + "".join(letters[v] for v in keep) + "z", *values)


@pytest.mark.parametrize("seed", range(60))
def test_sums_of_random_factors_are_those_written_out(seed):
    rng = np.random.default_rng(seed)
    count, draws = int(rng.integers(2, 7)), int(rng.integers(1, 5))
    cards = rng.integers(1, 4, size=count).tolist()
    scopes = [(v,) for v in range(count)]
    for _ in range(int(rng.integers(1, 6))):
        size = min(count, int(rng.integers(1, 4)))
        scopes.append(tuple(int(v) for v in rng.permutation(count)[:size]))
    values = [rng.normal(size=(*(cards[v] for v in scope), draws)) for scope in scopes]
    # A factor that no draw changes may stand once for all of them.
    values[0] = values[0][..., :1]
    keep = [int(v) for v in rng.permutation(count)[: int(rng.integers(0, 3))]]
    plan = SumPlan(scopes, cards, [int(v) for v in rng.permutation(count)], keep)
    full = [np.broadcast_to(v, (*v.shape[:-1], draws)) for v in values]
    expected = _written_out(scopes, full, keep)
    found = plan.sums(values, draws)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


def test_terms_that_cancel_leave_nought():
    # .1 + .2 - .3 is 5.6e-17 in floating point.
    signs = np.array([1.0, 1.0, -1.0])[:, None]
    plan = SumPlan([(0,), (0, 1)], [3, 1], [0], [1])
    assert plan.sums([signs, np.array([0.1, 0.2, 0.3])[:, None, None]], 1).tolist() == [[0.0]]


def test_much_improbable_evidence_does_not_underflow():
    # 300 children seen in a state of probability 1e-3 and 2e-3: the odds are 2^300, the product 1e-900.
    names = [f"c{i}" for i in range(300)]
    states = {"root": ["a", "b"], **{name: ["n", "y"] for name in names}}
    child = [[0.999, 0.001], [0.998, 0.002]]
    net = network_from_tables(
        states, {name: ["root"] for name in names}, {"root": [0.5, 0.5], **dict.fromkeys(names, child)}
    )
    evidence = dict.fromkeys(names, "y")
    found = query_draws(net, "root", table_bank(net, 2, rng=1), evidence)
    expected = query(net, "root", evidence)["root"]
    np.testing.assert_allclose(found, np.tile(expected, (2, 1)), rtol=1e-9)
    assert 0.0 < found.values[0, 0] < 1e-90


def test_too_large_a_table_is_refused(monkeypatch):
    monkeypatch.setattr(drawn_sums, "MAX_CLIQUE_CELLS", 20)
    with pytest.raises(InputError, match=r"27 cells over 3 nodes"):
        SumPlan([(0, 1), (1, 2), (0, 2)], [3, 3, 3], [0, 1, 2], [])


@pytest.mark.parametrize("period", ["near_term", "mid_term", "long_term"])
def test_what_is_kept_is_what_the_tree_leaves(governance, period):
    # One plan by shape, found first in one region and used in another, against the tree of buckets.
    late = {"deployment_mode__geological__arid_zones__long_term": "collapse"}
    exact = Exact(governance, read_conditions(governance, late, None))
    plans: dict[object, object] = {}
    for region in ("china_southwest", "china_east_coast"):
        names = [f"{base}__mineral__{region}__{period}" for base in ("public_acceptance", "deployment_mode")]
        question = exact.question(names, region, keep=names)
        kept, sums = question.kept(plans)
        tree = question.tree()
        tree.collect()
        scope, values = tree.rest()[0]
        values = values.transpose([scope.index(variable) for variable in kept])
        np.testing.assert_allclose(sums / sums.sum(), values / values.sum(), rtol=1e-10, atol=1e-15)
    assert len(plans) == 1
