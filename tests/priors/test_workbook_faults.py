"""Broken workbooks: one clear error that names the place, nothing loaded, memory bounded."""

import resource
import shutil
import struct
import zipfile

import numpy as np
import openpyxl
import pytest

from sinkrisk import priors
from sinkrisk.errors import InputError
from sinkrisk.priors import workbook_files

FIRST = 22  # the first year's row of the annual budget in the layout of 2020; columns B..I hold it


@pytest.fixture
def edited(workbooks, tmp_path):
    """Return a function that edits the workbook of the 2020 layout and loads the result."""

    def load(edit, sheet="Global Carbon Budget", name="Global_Carbon_Budget_2020v1.0.xlsx"):
        book = openpyxl.load_workbook(workbooks["2020"][0])
        edit(book[sheet] if sheet else book)
        book.save(tmp_path / name)
        return priors.load_observations(tmp_path / name)

    return load


def _refused(call, *words):
    with pytest.raises(InputError) as caught:
        call()
    text = str(caught.value)
    for word in words:
        assert word in text, text
    assert caught.value.exit_code == 2
    assert all(problem.file for problem in caught.value.problems)
    return caught.value.problems


def test_a_file_cut_off_anywhere(workbooks, tmp_path):
    whole = workbooks["2020"][0].read_bytes()
    path = tmp_path / "cut.xlsx"
    for size in (1, 3, 40, 2000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        _refused(lambda: priors.load_observations(path), "cut.xlsx", "workbook: ")


def test_bytes_changed_within(workbooks, tmp_path):
    whole = bytearray(workbooks["2020"][0].read_bytes())
    path = tmp_path / "damaged.xlsx"
    whole[len(whole) // 3 : len(whole) // 3 + 64] = bytes(64)
    path.write_bytes(whole)
    _refused(lambda: priors.load_observations(path), "cut off or damaged")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty file"),
        (b"<!DOCTYPE html>\n<html><body>Accept the licence</body></html>", "a web page (HTML)"),
        (b"\xef\xbb\xbf  <HTML><head>", "a web page (HTML)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an old .xls or an encrypted file"),
        (b"Year,ocean\n1959,0.9\n", "not an .xlsx file"),
        (b"PK\x03\x04" + bytes(100), "not a readable zip archive"),
    ],
)
def test_what_is_no_workbook(tmp_path, content, words):
    path = tmp_path / "renamed.xlsx"
    path.write_bytes(content)
    _refused(lambda: priors.load_observations(path), words)


def test_another_zip_archive_renamed(tmp_path):
    path = tmp_path / "renamed.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "no workbook")
    _refused(lambda: priors.load_observations(path), "a zip archive, but no workbook in it", "notes.txt")


def test_no_such_file_names_what_is_there(workbooks):
    path = workbooks["2020"][0]
    _refused_text = f"{path.parent}/Global_Carbon_Budget_2020.xlsx"
    with pytest.raises(InputError, match=r"no such file.*Global_Carbon_Budget_2020v1\.0\.xlsx"):
        priors.load_observations(_refused_text)


def _bomb(workbooks, path, size):
    shutil.copy(workbooks["2020"][0], path)
    archive = zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED)
    with archive, archive.open("xl/media/image1.bin", "w") as part:
        for _ in range(size // (1 << 20)):
            part.write(bytes(1 << 20))
    return path


@pytest.mark.parametrize(
    ("mebibytes", "words"), [(20, "a part unpacks too far"), (200, "unpacks to too much")]
)
def test_a_zip_bomb_is_refused_before_it_is_unpacked(workbooks, tmp_path, mebibytes, words):
    path = _bomb(workbooks, tmp_path / "bomb.xlsx", mebibytes << 20)
    assert path.stat().st_size < 1 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _refused(lambda: priors.load_observations(path), words, "zip bomb")
    # Kilobytes: the peak of the process did not rise by what the part would unpack to.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_a_zip_directory_that_lies_about_sizes(workbooks, tmp_path):
    path = _bomb(workbooks, tmp_path / "bomb.xlsx", 40 << 20)
    raw = path.read_bytes().replace(struct.pack("<I", 40 << 20), struct.pack("<I", 1000))
    path.write_bytes(raw)
    _refused(lambda: priors.load_observations(path), "not a readable zip archive")


def test_xml_entities_are_refused(workbooks, tmp_path):
    path = tmp_path / "entities.xlsx"
    with zipfile.ZipFile(workbooks["2020"][0]) as old, zipfile.ZipFile(path, "w") as new:
        for part in old.infolist():
            data = old.read(part)
            if part.filename == "xl/workbook.xml":
                data = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + data
            new.writestr(part.filename, data)
    _refused(lambda: priors.load_observations(path), "declares a document type")


def test_a_sheet_too_long_or_too_wide(tmp_path):
    for name, cells in (
        ("long", (workbook_files.MAX_ROWS + 5, 1)),
        ("wide", (1, workbook_files.MAX_COLUMNS + 5)),
    ):
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("s")
        for _ in range(cells[0]):
            sheet.append([1] * cells[1])
        path = tmp_path / f"{name}.xlsx"
        book.save(path)
        _refused(lambda path=path: priors.load_observations(path), f"sheet 's' is too {name}")


def test_a_year_left_out(edited):
    problems = _refused(lambda: edited(lambda s: s.delete_rows(FIRST + 10)), "years do not follow each other")
    assert (problems[0].row, problems[0].key, problems[0].got) == (FIRST + 10, "A", "1968, 1970")


def test_a_year_left_out_where_a_blank_row_stays(edited):
    def edit(sheet):
        for column in range(1, 11):
            sheet.cell(FIRST + 10, column).value = None

    _refused(lambda: edited(edit), "years do not follow each other: got '1968, 1970'")


def test_a_year_left_out_of_the_estimates(edited):
    call = lambda: edited(lambda s: s.delete_rows(40), "Ocean Sink")  # noqa: E731
    _refused(call, "sheet 'Ocean Sink': years do not follow each other")


def test_a_year_given_twice(edited):
    problems = _refused(lambda: edited(lambda s: s.cell(FIRST + 5, 1, 1963)), "year given twice: got 1963")
    assert problems[0].hint == f"the first is row {FIRST + 4}"


def test_a_lost_year(edited):
    def edit(sheet):
        sheet.cell(FIRST + 5, 1).value = None

    problems = _refused(lambda: edited(edit), "a row of numbers without a year")
    assert problems[0].row == FIRST + 5


@pytest.mark.parametrize("text", ["about 2", "2,31", "#REF!", "2.4", True])
@pytest.mark.parametrize(
    ("sheet", "row", "column"), [("Global Carbon Budget", FIRST + 3, 6), ("Ocean Sink", 60, 11)]
)
def test_text_in_a_cell_of_numbers(edited, sheet, row, column, text):
    problems = _refused(lambda: edited(lambda s: s.cell(row, column, text), sheet), "not a number under")
    assert len(problems) == 1
    assert (problems[0].row, problems[0].key, problems[0].got) == (row, "F" if column == 6 else "K", text)


def test_several_faults_are_reported_at_once(edited):
    def edit(sheet):
        sheet.cell(FIRST + 3, 6, "x")
        sheet.cell(FIRST + 4, 7, "y")
        sheet.cell(FIRST + 5, 8).value = None

    problems = _refused(lambda: edited(edit), "no number for 'land-use change emissions' in 1964")
    assert [problem.key for problem in problems] == ["H", "G", "F"]


@pytest.mark.parametrize(
    ("column", "component"), [(9, "fossil"), (7, "atmosphere"), (6, "ocean"), (5, "land")]
)
def test_the_other_sign_convention(edited, column, component):
    def edit(sheet):
        for row in range(FIRST, FIRST + 61):
            sheet.cell(row, column).value = -sheet.cell(row, column).value

    problems = _refused(lambda: edited(edit), f"{component} has the other sign", "sinks positive out of it")
    assert len(problems) == 1


def test_estimates_of_the_other_sign_without_a_mean_that_proves_it(edited):
    def edit(sheet):
        for row in range(32, 93):
            for column in range(11, 16):
                sheet.cell(row, column).value = -sheet.cell(row, column).value

    _refused(lambda: edited(edit, "Ocean Sink"), "sheet 'Ocean Sink': the gobm estimates have the other sign")


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (44 / 12, "they look like GtCO2/yr"),
        (1000, "they look like MtC/yr"),
        (1000 * 3.664, "they look like MtCO2/yr"),
        (12 / 44, "GtC/yr taken for GtCO2/yr?"),
    ],
)
def test_numbers_of_another_unit_than_stated(edited, factor, words):
    def edit(sheet):
        for row in range(FIRST, FIRST + 61):
            for column in (2, 3, 5, 6, 7, 8, 9):
                sheet.cell(row, column).value *= factor

    _refused(lambda: edited(edit), "the numbers are not in GtC/yr", words)


def test_a_workbook_in_mtco2_that_says_so_is_converted(edited, workbooks):
    def edit(sheet):
        sheet.cell(20, 1, "MtCO2/yr")
        sheet.cell(1, 2).value = "All values in million tonnes of carbon dioxide per year"
        for row in range(FIRST, FIRST + 61):
            for column in (2, 3, 5, 6, 7, 8, 9):
                sheet.cell(row, column).value *= 1000 * 44 / 12

    rows = edited(edit)
    fossil = rows[rows["component"] == "fossil"]["value"]
    np.testing.assert_allclose(fossil, workbooks["2020"][1].budget["fossil"], rtol=1e-12)


def test_no_unit_and_two_units(edited):
    def erase(sheet):
        sheet.cell(20, 1).value = None
        sheet.cell(1, 2).value = None

    _refused(lambda: edited(erase), "no unit")
    _refused(lambda: edited(lambda s: s.cell(20, 1, "GtCO2/yr")), "two units", "GtCO2/yr, GtC/yr")


def test_a_component_that_cannot_be_placed_is_named_with_what_is_left(edited):
    _refused(
        lambda: edited(lambda s: s.cell(21, 6, "marine term")),
        "no column could be placed as ocean",
        "F 'marine term'",
        "D 'CO2 concentration (ppm)'",
    )


def test_two_columns_for_one_component(edited):
    _refused(
        lambda: edited(lambda s: s.cell(21, 4, "ocean sink, adjusted")),
        "several columns for ocean",
        "D 'ocean sink, adjusted'",
    )


def test_a_budget_that_does_not_close_names_the_year_and_what_could_not_be_placed(edited):
    problems = _refused(
        lambda: edited(lambda s: s.cell(FIRST + 7, 2, 3.0)),
        "does not close in 1 years",
        "in 1966",
        "J 'remark'",
    )
    assert problems[0].row == FIRST + 7


def test_a_small_gap_in_closure_loads_and_fails_the_check(workbooks, tmp_path):
    book = openpyxl.load_workbook(workbooks["2020"][0])
    book["Global Carbon Budget"].cell(FIRST + 7, 2).value += 1e-8
    book.save(tmp_path / "gap.xlsx")
    closure = priors.check_workbook(tmp_path / "gap.xlsx")[0]
    assert closure.passed is False
    assert "1 years beyond 1e-09" in closure.text
    assert "in 1966" in closure.text


def test_two_annual_budgets_and_two_ocean_sheets(edited):
    def copy(name):
        return lambda book: setattr(book.copy_worksheet(book[name]), "title", f"{name} v2")

    _refused(lambda: edited(copy("Global Carbon Budget"), None), "several sheets hold a whole annual budget")
    words = ("sheet 'Ocean Sink v2': an estimate given twice", "of 'Ocean Sink'")
    _refused(lambda: edited(copy("Ocean Sink"), None), *words)


def test_estimates_that_no_label_explains_are_refused(edited):
    def edit(sheet):
        for column in range(4, 16):
            sheet.cell(30, column).value = None
            if sheet.cell(31, column).value is not None:
                sheet.cell(31, column).value = f"series {column}"

    _refused(lambda: edited(edit, "Ocean Sink"), "none of its estimates could be placed", "K 'series 11'")


def test_an_estimate_given_twice(edited):
    _refused(
        lambda: edited(lambda s: s.cell(31, 12, "NEMO-PlankTOM5"), "Ocean Sink"), "an estimate given twice"
    )


def test_no_annual_budget_at_all(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["Year", "coal", "oil"])
    for year in range(1959, 1990):
        book.active.append([year, 1.0, 2.0])
    book.save(tmp_path / "other.xlsx")
    _refused(lambda: priors.load_observations(tmp_path / "other.xlsx"), "no sheet holds the annual budget")
    openpyxl.Workbook().save(tmp_path / "blank.xlsx")
    _refused(lambda: priors.load_observations(tmp_path / "blank.xlsx"), "no sheet has a column of years")


def test_formulas_without_stored_values_are_missing_numbers(edited):
    _refused(lambda: edited(lambda s: s.cell(FIRST, 2, "=1+1")), "no number for 'budget imbalance' in 1959")


@pytest.mark.parametrize("part", ["xl/styles.xml", "xl/sharedStrings.xml"])
def test_styles_and_strings_that_openpyxl_would_blow_up_are_refused(part, tmp_path):
    """Millions of short elements compress modestly and become gigabytes of objects."""
    path = tmp_path / "heavy.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr(part, "<xf/>" * 1_200_000)
    _refused(lambda: priors.load_observations(path), part, "too large")


OFFICIAL = "Global_Carbon_Budget_2024_v1.0.xlsx"


@pytest.fixture
def changed(official, tmp_path):
    """Return a function that edits a sheet of the official workbook and returns the new path."""

    def make(edit, sheet):
        book = openpyxl.load_workbook(official / OFFICIAL, data_only=True)
        edit(book[sheet])
        book.save(tmp_path / "changed.xlsx")
        return tmp_path / "changed.xlsx"

    return make


def _header(sheet):
    return next(r for r in range(1, 60) if str(sheet.cell(r, 1).value).lower() == "year")


@pytest.mark.parametrize(
    ("a", "b"),
    [("ocean sink", "land sink"), ("fossil", "land-use"), ("cement", "budget imb"), ("atmos", "land sink")],
)
def test_swapped_headers_are_refused(changed, a, b):
    def edit(sheet):
        cells = {w: next(c for c in sheet[_header(sheet)] if str(c.value).startswith(w)) for w in (a, b)}
        cells[a].value, cells[b].value = cells[b].value, cells[a].value

    path = changed(edit, "Global Carbon Budget")
    _refused(lambda: priors.load_observations(path), "GtC/yr")


@pytest.mark.parametrize("name", ["Ocean Sink", "Global Carbon Budget"])
def test_years_moved_by_one_are_refused(changed, name):
    def edit(sheet):
        for row in range(_header(sheet) + 1, sheet.max_row + 1):
            if isinstance(sheet.cell(row, 1).value, int):
                sheet.cell(row, 1).value += 1

    path = changed(edit, name)
    _refused(lambda: priors.load_observations(path), "moved by", "'Ocean Sink'")


def test_the_historical_budget_never_stands_in(changed):
    def edit(sheet):
        next(c for c in sheet[_header(sheet)] if c.value == "ocean sink").value = "marine term"

    path = changed(edit, "Global Carbon Budget")
    _refused(lambda: priors.load_observations(path), "could be placed as ocean", "'marine term'")


@pytest.mark.parametrize(
    ("name", "sheet"),
    [
        *((name, "Ocean Sink") for name in ("GCB2023", "Southern Ocean", "All products", "Weighted")),
        *((n, "Terrestrial Sink") for n in ("Residual", "Tropics", "Number of models", "A new name")),
    ],
)
def test_an_appended_column_is_no_estimate(changed, official, name, sheet):
    def edit(page):
        last = page.max_column + 1
        page.cell(_header(page), last, name)
        for row in range(_header(page) + 1, page.max_row + 1):
            if isinstance(page.cell(row, 2).value, float):
                page.cell(row, last, 0.5 * page.cell(row, 2).value)

    book = priors.read_workbook(changed(edit, sheet))
    assert len(book.observations) == len(priors.load_observations(official / OFFICIAL))
    assert [item.what for item in book.skipped if not item.placed] == [name]


def test_a_mean_that_differs_fails_and_names_the_column(changed):
    def edit(page):
        for row in range(_header(page) + 1, page.max_row + 1):
            if isinstance(page.cell(row, 6).value, float):
                page.cell(row, 6).value *= 1000

    checks = {c.name: c for c in priors.check_workbook(changed(edit, "Terrestrial Sink"))}
    assert checks["ensemble means"].passed is False
    assert "F" in checks["ensemble means"].text
    assert "is 1000 times too large" in checks["ensemble means"].text


@pytest.mark.parametrize("value", [-999.0, 9.97e36])
def test_a_fill_value_among_the_members_is_refused(edited, value):
    def fill(sheet):
        cell = [c for c in sheet[40] if isinstance(c.value, int | float)][-1]
        cell.value = value

    _refused(lambda: edited(fill, "Ocean Sink"), "no flux of a year is this large", "row 40", "a fill value")


def test_a_negative_standard_deviation_is_refused(edited):
    def flip(sheet):
        column = next(c.column for row in sheet.iter_rows() for c in row if c.value == "1 sigma uncertainty")
        sheet.cell(32, column).value = -0.3

    _refused(lambda: edited(flip, "Ocean Sink"), "a standard deviation below 0: got -0.3", "row 32")


@pytest.mark.parametrize(
    ("factor", "words"), [(1000.0, "1000 times too large"), (-1.0, "sign"), (44 / 12, "CO2")]
)
def test_a_member_of_another_unit_or_sign_does_not_load(edited, factor, words):
    """The mean printed beside the members says which column it is."""

    def scale(sheet):
        header = next(r for r in range(1, 60) if str(sheet.cell(r, 1).value).lower() == "year")
        for row in range(header + 1, sheet.max_row + 1):
            if isinstance(sheet.cell(row, 6).value, int | float):
                sheet.cell(row, 6).value *= factor

    _refused(lambda: edited(scale, "Terrestrial Sink"), "holds only if one column is mended", words)
