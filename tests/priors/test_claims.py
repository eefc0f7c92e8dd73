"""Completeness: every number of the review has its row, and every row's number stands in the review."""

import functools
import os
import re
from pathlib import Path

import numpy as np
import pytest

from sinkrisk import files, priors
from sinkrisk.priors import references, tables

SECTION = re.compile(r"(?P<number>\d(?:\.\d)*)\.? [A-Z]")
CAPTION = re.compile(r"Table (?P<number>\d)\. ")
PARAGRAPH = re.compile(r"section (?P<section>\d(?:\.\d)*), paragraph (?P<paragraph>\d+)")
CELL = re.compile(r"Table (?P<table>[1-5]), (?P<row>.+)")

# Numbers that stand in the review as words; those of one size are read the same everywhere.
WORDS = {
    "one-quarter": 25, "one-third": 100 / 3, "one thousand": 1000, "ten thousand": 10_000,
    "five times": 5, "ten times": 10, "thirteen": 13, "millennial": 1000, "centennial": 100,
    "decades to centuries": 10, "centuries": 1000, "second-largest": 2, "largest": 1,
    "most significant": 1, "neutral": 0,
}  # fmt: skip
# Readings of a word that depend on its sentence: place, subject, number.
READINGS = {
    ("section 3.3.1, paragraph 2", "ocean_doc", 200.0),  # several centuries
    ("section 3.3.4, paragraph 4", "biological_pump", 20.0),  # several tens of percent
    ("section 3.4.7, paragraph 3", "daccs", 200.0),  # several hundred gigatons
    ("section 3.4.4, paragraph 1", "biochar", 30.0),  # several decades
    ("section 3.4.4, paragraph 1", "biochar", 100.0),  # over a century
    ("section 3.2.1, paragraph 4", "forests", 0.3333),  # one-third, as a fraction
}
# Numbers with a unit behind them that state no size: years before a range, an exponent.
YEARS = range(1900, 2101)
UNIT = (
    r"(?:%|GtC|Gt|Pg|Tg|Mt|Mg|GJ|MWh|USD|ppm|Mha|million|billion|km|petagram|teragram|gigaton|tonne|ton"
    r"|kg|g C|µm|years?|projects?|times|units|pH)"
)


def _review():
    shared = os.environ.get("SINKRISK_SHARED")
    root = Path(shared) if shared else files.data_path("priors").parent.parent / "shared"
    path = root / "reference" / "carbon-sink-review.txt"
    if not path.is_file():
        pytest.skip(f"the review's text is not beside the checkout: {path}")
    return _parse(path)


@functools.cache
def _parse(path):
    """Return the paragraphs of each section, page breaks healed, and the cells of each table."""
    sections, cells, here, table = {}, {}, None, None
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.rstrip()
        if line.startswith("References"):
            break
        if not line:
            continue
        if caption := CAPTION.match(line):
            table = caption["number"]
            cells[table] = []
        elif "\t" in line and table:
            cells[table].append(line.split("\t"))
        elif (head := SECTION.match(line)) and len(line) < 130 and not line.endswith("."):
            table, here = None, head["number"]
            sections[here] = []
        elif here and not line.startswith(("Figure ", "(a)", "(b)", "Note:")):
            table = None
            # A paragraph that does not end a sentence goes on behind the page break.
            if sections[here] and not re.search(r"[.:?][\"”)\]*]*$", sections[here][-1]):
                sections[here][-1] += " " + line
            else:
                sections[here].append(line)
    return sections, cells


def _plain(text):
    text = re.sub(r"[−–‐‑—~]", "-", text).replace("≈", " ").replace("×", "x")
    return re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)


def _numbers(text):
    text = _plain(text)
    text = re.sub(r"(\d+(?:\.\d+)?) ?x ?10\^(\d+)", lambda m: str(float(m[1]) * 10 ** int(m[2])), text)
    text = text.replace("²", "2").replace("³", "3")
    text = re.sub(r"10 ?\^?([23])\b", lambda m: str(10 ** int(m[1])), text)
    found = {float(m[0]) for m in re.finditer(r"\d+(?:\.\d+)?(?:e\+?\d+)?", text)}
    return found | {float(number) for word, number in WORDS.items() if word in text}


def _stated():
    """Return (table, subject, locator, note, numbers) of every row that is a statement of the review."""
    rows = []
    frames = {f"observations/{name}": priors.load_observations(name) for name in tables.OBSERVATION_TABLES}
    frames["claims"] = priors.load_claims()
    for name, frame in frames.items():
        for row in frame.to_dict("records"):
            if row["source"] == references.ASSUMPTION or row["note"].startswith("not stated"):
                continue
            columns = ["value", "central", "low", "high", "sd"]
            if "the table prints no uncertainty" in row["note"]:
                columns.remove("sd")
            numbers = [row[c] for c in columns if c in row and not np.isnan(row[c])]
            subject = row.get("component", row.get("pathway"))
            rows.append((name, subject, row["locator"], row["note"], numbers))
    return rows


def _text(locator, sections, cells):
    """Return the text a locator points to; fail where there is no such place."""
    if where := PARAGRAPH.fullmatch(locator):
        paragraphs = sections[where["section"]]
        assert 1 <= int(where["paragraph"]) <= len(paragraphs), locator
        return paragraphs[int(where["paragraph"]) - 1]
    where = CELL.fullmatch(locator)
    assert where is not None, f"no place of the review: {locator}"
    head = where["row"].replace(".", "")
    rows = [r for r in cells[where["table"]][1:] if head.startswith(r[0].strip().replace(".", ""))]
    assert rows, f"no such row: {locator}"
    row = max(rows, key=lambda r: len(r[0]))
    rest = head[len(row[0].strip().replace(".", "")) :].strip(", ")
    titles = cells[where["table"]][0]
    # Where the locator names the column too, the number has to stand in that very cell.
    columns = [i for i, title in enumerate(titles) if rest and _same(rest, title)]
    return row[columns[0]] if len(columns) == 1 else " ".join(row[1:])


def _same(words, title):
    letters = re.sub(r"\(.*?\)", "", title)
    return re.sub(r"\W", "", letters).casefold() == re.sub(r"\W", "", words).casefold()


def test_at_least_400_rows_are_statements_of_the_review():
    rows = _stated()
    assert len(rows) >= 400
    assert sum(name == "claims" for name, *_ in rows) >= 100


def test_every_locator_has_the_form_of_a_place():
    wrong = [r[2] for r in _stated() if not (PARAGRAPH.fullmatch(r[2]) or CELL.fullmatch(r[2]))]
    assert wrong == []


def test_every_number_of_every_row_stands_at_its_place_in_the_review():
    sections, cells = _review()
    missing, used = [], set()
    for name, subject, locator, _, numbers in _stated():
        printed = _numbers(_text(locator, sections, cells))
        for number in numbers:
            if any(abs(abs(number) - p) <= 1e-5 * max(1.0, p) for p in printed):
                continue
            reading = (locator, subject, number)
            used.add(reading)
            if reading not in READINGS:
                missing.append((name, *reading))
    assert missing == []
    assert used == READINGS


def test_every_number_with_a_unit_in_sections_2_to_4_has_a_row_at_its_place():
    sections, _ = _review()
    held = {}
    for _, _, locator, _, numbers in _stated():
        held.setdefault(locator, set()).update(abs(n) for n in numbers)
    pattern = re.compile(
        r"(?<![\w.^])(?P<a>\d+(?:\.\d+)?)(?=\s*(?:-|\+|±|to|and|or)?\s*(?:±|\+/-)?\s*(?:\d+(?:\.\d+)?)?\s*\)?\s*"
        + UNIT
        + r")|USD (?P<b>\d+)(?:(?:-| to | and )(?P<c>\d+))?"
    )
    seen, missing = 0, []
    for section, paragraphs in sections.items():
        if section[0] not in "234":
            continue
        for place, paragraph in enumerate(paragraphs, 1):
            locator = f"section {section}, paragraph {place}"
            # Citations carry years and nothing else.
            text = re.sub(r"\([^()]*\d{4}[a-z]?[^()]*\)", " ", _plain(paragraph))
            for match in pattern.finditer(text):
                for number in (float(g) for g in match.groups() if g):
                    seen += 1
                    if number not in YEARS and not any(abs(number - h) < 1e-9 for h in held.get(locator, ())):
                        missing.append((locator, number, text[match.start() - 30 : match.end() + 30]))
    assert missing == []
    # The scan itself found what there is to find.
    assert seen > 250


def test_every_cell_of_the_tables_has_its_row():
    _, cells = _review()
    held = {}
    for _, _, locator, _, numbers in _stated():
        if where := CELL.fullmatch(locator):
            held.setdefault(where["table"], []).extend(abs(n) for n in numbers)
    for number in "2345":
        left = list(held[number])
        for row in cells[number][1:]:
            for cell in row[1:]:
                # Decades and years in brackets are windows, not sizes.
                for size in _numbers(re.sub(r"\([^()]*\d{4}[^()]*\)", "", cell)):
                    near = [h for h in left if abs(h - size) < 1e-9]
                    assert near, (number, row[0], cell)


def test_table_1_reads_the_same_in_both_files():
    mechanisms = priors.load_table("ocean_mechanisms").set_index("locator")
    properties = priors.load_observations("properties")
    printed = properties[properties["locator"].str.startswith("Table 1")]
    assert (
        len(printed)
        == mechanisms["low"].notna().sum() + mechanisms["low"].isna().mul(mechanisms["high"].notna()).sum()
    )
    for row in printed.to_dict("records"):
        same = mechanisms.loc[row["locator"]]
        low = row["value"] if np.isnan(row["low"]) and not np.isnan(row["value"]) else row["low"]
        high = row["value"] if np.isnan(row["high"]) and not np.isnan(row["value"]) else row["high"]
        np.testing.assert_equal((low, high, row["unit"]), (same["low"], same["high"], same["unit"]))


def test_the_text_on_the_budgets_repeats_the_tables_to_the_digit():
    # Two transcriptions of the same numbers, made apart: section 3.1 and Tables 2 and 3.
    text = priors.load_observations("overview")
    keys = ["component", "geography", "start", "end"]
    for name in ("global", "china"):
        table = priors.load_observations(name).set_index(keys)["value"]
        both = text[(text["geography"] == name) & text["unit"].eq("GtC/yr") & text["value"].notna()]
        both = both[both["component"] != "ocean_and_land"].set_index(keys)["value"]
        assert len(both) > 7
        np.testing.assert_array_equal(both.to_numpy(), table.loc[both.index].to_numpy())


def test_every_source_is_cited_by_a_row():
    sources = priors.list_sources()
    assert (sources["rows"] > 0).all()
    assert len(sources) == len(priors.load_references()) + 1  # the assumptions
