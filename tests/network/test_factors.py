"""Sums of products and their derivatives, by hand-made factors and by split tables."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import network_from_tables, propagation
from sinkrisk.network.conditions import read_conditions
from sinkrisk.network.factors import network_pieces, sum_gradients, table_pieces
from sinkrisk.network.noisy import product_form
from sinkrisk.network.ordering import search_order


def _brute(factors, cards):
    """Oracle: sum over every joint state, and the same with each factor left out, entry by entry."""
    total, slopes = 0.0, [np.zeros_like(values) for _, values in factors]
    for codes in itertools.product(*(range(card) for card in cards)):
        at = [tuple(codes[v] for v in scope) for scope, _ in factors]
        terms = [float(values[index]) for (_, values), index in zip(factors, at, strict=True)]
        total += math.prod(terms)
        for number, index in enumerate(at):
            slopes[number][index] += math.prod(terms[:number] + terms[number + 1 :])
    return total, slopes


def test_sum_and_derivatives_equal_enumeration():
    rng = np.random.default_rng(12)
    for _ in range(60):
        cards = [int(card) for card in rng.integers(1, 4, size=5)]
        factors = []
        for _ in range(int(rng.integers(1, 7))):
            scope = tuple(int(v) for v in rng.permutation(5)[: int(rng.integers(0, 4))])
            # Of both signs and with noughts, as parts of split tables are; constants too.
            values = rng.normal(size=[cards[v] for v in scope])
            factors.append((scope, np.where(rng.random(values.shape) < 0.3, 0.0, values)))
        named = sorted({v for scope, _ in factors for v in scope})
        shrunk = [cards[v] if v in named else 1 for v in range(5)]
        total, slopes = _brute(factors, shrunk)
        got = sum_gradients(factors, cards, [int(v) for v in rng.permutation(named)])
        scale = math.exp(got.log_scale)
        assert got.total * scale == pytest.approx(total, abs=1e-10)
        for gradient, slope in zip(got.gradients, slopes, strict=True):
            np.testing.assert_allclose(gradient * scale, slope, atol=1e-10)


def _noisy_or(causes):
    table = np.ones((2,) * causes + (2,))
    for codes in itertools.product((0, 1), repeat=causes):
        quiet = 0.95 * 0.6 ** sum(codes)
        table[codes] = [quiet, 1.0 - quiet]
    names = [f"c{i}" for i in range(causes)]
    return network_from_tables(
        {name: ["no", "yes"] for name in [*names, "effect"]},
        {"effect": names},
        {**{name: [0.7, 0.3] for name in names}, "effect": table},
    )


def test_split_tables_give_the_same_sum_as_whole_ones(enumerate_joint):
    net = _noisy_or(4)
    for evidence, do in (
        ({"effect": "yes"}, {}),
        ({"effect": {"no": 0.2, "yes": 0.7}, "c1": "yes"}, {}),
        ({"effect": "no"}, {"c2": "yes"}),
    ):
        conditions = read_conditions(net, evidence, do)
        parts = {"effect": product_form(net.tables["effect"])}
        sums = []
        for split in (None, parts):
            pieces, cards = table_pieces(net, conditions, set(net.order), split)
            order, _ = search_order([piece.scope for piece in pieces], cards)
            got = sum_gradients([(piece.scope, piece.values) for piece in pieces], cards, order)
            sums.append(got.total * math.exp(got.log_scale))
        soft = evidence["effect"]
        scale = max(soft.values()) if isinstance(soft, dict) else 1.0
        expected = enumerate_joint(net, evidence, do)[0] / scale
        np.testing.assert_allclose(sums, expected, rtol=1e-12)


def test_tables_are_split_only_where_it_pays():
    for causes, split in ((3, False), (12, True)):
        net = _noisy_or(causes)
        pieces, _, _ = network_pieces(net, read_conditions(net, {"effect": "yes"}, {}), set(net.order))
        assert any(piece.part >= 0 for piece in pieces) is split


def test_too_large_a_table_is_refused(monkeypatch):
    monkeypatch.setattr(propagation, "MAX_CLIQUE_CELLS", 10)
    with pytest.raises(InputError, match="too large a table: got '16 cells over 2 nodes'; allowed: up to 10"):
        sum_gradients([((0, 1), np.ones((4, 4)))], [4, 4], [0, 1])
