"""Names as a reader meets them: no acronym in small letters, in the name of any driver, node or criterion."""

from __future__ import annotations

import re

import pytest

from sinkrisk import inputs, network
from sinkrisk.plots.decision import learned_word
from sinkrisk.plots.labels import readable
from sinkrisk.priors import load_table

SMALL = re.compile(r"\b(beccs|daccs|dac|ccs|ccus|cdr|oae|oif|trl|mrv|co2|ch4|n2o)\b")


@pytest.fixture(scope="module")
def names():
    tables = [
        load_table(name).iloc[:, 0].astype(str) for name in ("criteria", "pathways", "regions", "resources")
    ]
    return [*inputs.drivers(network=network.load()).names, *(name for table in tables for name in table)]


def test_acronyms_are_set_as_such_in_every_name(names):
    wrong = {name: readable(name) for name in names if SMALL.search(readable(name)) or "_" in readable(name)}
    assert not wrong


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("years_per_trl", "years per TRL level"),
        ("use_co2_transport__daccs", "use CO₂ transport, DACCS"),
        ("coupling__beccs_powers_oae", "coupling, BECCS powers OAE"),
        ("point_source_ccs", "point-source CCS"),
        ("daccs_only", "DACCS only"),
        ("mrv_breakthrough__mid_term", "MRV breakthrough, mid term"),
        ("half_life__forests", "half-life, forests"),
        ("accslope", "accslope"),
    ],
)
def test_words(name, words):
    assert readable(name) == words


def test_what_is_learnt_is_called_alike():
    assert learned_word("years_per_trl") == readable("years_per_trl")
