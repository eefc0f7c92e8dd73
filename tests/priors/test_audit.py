"""The audit: it passes on the library, and each rule fails when its rule is broken."""

import shutil

import pytest

from sinkrisk import files, priors
from sinkrisk.priors import audit


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of the library that the loaders read instead of the real one."""
    shutil.copytree(files.data_path("priors"), tmp_path / "priors")
    monkeypatch.setattr(files, "data_path", lambda *parts: _existing(tmp_path.joinpath(*parts)))
    return tmp_path / "priors"


def _existing(path):
    if not path.exists():
        raise files.InputError(files.Problem("no such packaged data", got=str(path)))
    return path


def _edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def _by_name(checks):
    return {check.name: check for check in checks}


def test_the_library_passes():
    checks = priors.check_priors()
    assert [check.name for check in checks if check.passed is False] == []
    assert sum(check.passed is True for check in checks) == 7


def test_table_2_sums_are_within_rounding_and_the_slips_are_found():
    table = _by_name(priors.check_priors())["row arithmetic of observations/global"].table
    # 6.4 + 1.6 prints as 7.9; 10.8 - 5.2 - 2.9 - 3.2 = -0.5 prints as -0.4: rounding of the source.
    off = table[table["difference"].abs() > 1e-9].set_index(["window", "component"])["difference"]
    assert off.to_dict() == pytest.approx(
        {
            ("1990-1999", "total_emissions"): -0.1,
            ("1970-1979", "imbalance"): 0.1,
            ("2000-2009", "imbalance"): -0.1,
            ("2014-2023", "imbalance"): 0.1,
        }
    )
    assert table["within_rounding"].all()


def test_constant_shares_are_found_in_table_3_and_not_in_table_2():
    checks = _by_name(priors.check_priors())
    china = checks["constant shares in observations/china"].table
    assert china["constant"].all()
    assert china["median_share"].round(2).tolist() == [0.44, 0.23, 0.31]
    assert not checks["constant shares in observations/global"].table["constant"].any()


def test_an_uncited_entry_fails(library):
    with (library / "references.bib").open("a", encoding="utf-8") as handle:
        handle.write("\n@misc{nobody2020,\n  title = {Never cited},\n  year = {2020}\n}\n")
    check = _by_name(priors.check_priors())["bibliography is used"]
    assert check.passed is False
    assert "never cited: nobody2020" in check.text


def test_a_missing_claim_fails(library):
    text = (library / "claims.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in text if not line.startswith("oif_growth_rate_1,")]
    assert len(kept) == len(text) - 1
    (library / "claims.csv").write_text("".join(kept), encoding="utf-8")
    check = _by_name(priors.check_priors())["pathways are complete"]
    assert check.passed is False
    assert check.table.to_dict("records") == [{"pathway": "oif", "quantity": "growth_rate"}]


def test_a_table_that_does_not_load_is_the_only_finding(library):
    _edit(library / "observations" / "global.csv", "friedlingstein2024", "nobody1900")
    checks = audit.check_priors()
    assert [check.passed for check in checks] == [False]
    assert "global.csv, row 2, key 'source': unknown source key: got 'nobody1900'" in checks[0].text


def test_an_arithmetic_slip_is_reported_without_failing(library):
    cell = "total_emissions,global,derived,GCB2024,1960,1969,"
    _edit(library / "observations" / "global.csv", cell + "4.6", cell + "5.6")
    check = _by_name(priors.check_priors())["row arithmetic of observations/global"]
    assert check.passed is None
    wrong = check.table[~check.table["within_rounding"]]
    assert wrong[["window", "component"]].to_numpy().tolist() == [
        ["1960-1969", "total_emissions"],
        ["1960-1969", "imbalance"],
    ]
