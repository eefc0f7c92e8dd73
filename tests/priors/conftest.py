"""Workbooks in the layouts of several releases, built from known numbers."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from sinkrisk import priors

GOBMS = ["NEMO-PlankTOM5", "NEMO-PISCES (IPSL)", "CCSM-BEC", "MICOM-HAMOCC (NorESM-OC)", "CSIRO"]
PRODUCTS = ["Landschützer", "Rödenbeck", "JMA-MLR", "UOEx-Watson"]
DGVMS = ["CABLE", "CLASS-CTEM", "JULES", "LPJ-GUESS", "OCN", "VISIT"]
BOOKKEEPERS = ["H&N", "BLUE", "OSCAR"]
SINKS = ("atmosphere", "ocean", "land", "cement")


@dataclass
class Numbers:
    """What is put into a workbook, GtC/yr: the budget and the estimates, by (component, method, name)."""

    years: np.ndarray
    budget: dict
    estimates: dict
    sd: dict = field(default_factory=dict)

    def group(self, component, method):
        return {n: v for (c, m, n), v in self.estimates.items() if (c, m) == (component, method)}

    def mean(self, component, method, without=()):
        # All members of a group here begin in the same year, so a plain mean is NaN where all are.
        return np.mean([v for n, v in self.group(component, method).items() if n not in without], axis=0)


def make_numbers(last, *, cement=True, seed=1, models=0):
    """Numbers of a world that closes: a release ending in `last`, `models` further land models."""
    rng = np.random.default_rng(seed)
    years = np.arange(1959, last + 1)
    n, t = len(years), np.linspace(0, 1, len(years))
    budget = {
        "fossil": 2.5 + 7.5 * t + 0.05 * rng.normal(size=n),
        "land_use": 1.8 - 0.6 * t + 0.2 * rng.normal(size=n),
        "atmosphere": 1.5 + 3.7 * t + 0.8 * rng.normal(size=n),
        "ocean": 0.9 + 2.0 * t + 0.1 * rng.normal(size=n),
        "land": 0.8 + 2.4 * t + 0.9 * rng.normal(size=n),
    }
    if cement:
        budget["cement"] = 0.01 + 0.19 * t
    budget["imbalance"] = budget["fossil"] + budget["land_use"] - sum(budget[s] for s in SINKS if s in budget)
    estimates = {}

    def add(component, method, names, spread, first=1959):
        for name in names:
            values = budget[component] + spread * rng.normal() + 0.1 * rng.normal(size=n)
            estimates[component, method, name] = np.where(years < first, np.nan, values)

    add("ocean", "gobm", GOBMS, 0.3)
    add("ocean", "fco2", PRODUCTS, 0.4, first=1985)
    add("land", "dgvm", DGVMS + [f"NEW-{i}" for i in range(models)], 0.5)
    add("land_use", "bookkeeping", BOOKKEEPERS, 0.3)
    add("land_use", "dgvm", DGVMS, 0.4)
    if cement:
        add("cement", "model", ["Cao", "Guo"], 0.01)
        estimates["cement", "model", "Cao"][-3:] = np.nan
    return Numbers(years, budget, estimates, {"ocean": 0.3 + 0.01 * np.arange(n)})


def put(sheet, row, cells, column=1):
    """Write cells into a row; None and NaN leave a cell empty."""
    for offset, value in enumerate(cells):
        if value is None or (isinstance(value, float) and np.isnan(value)):
            continue
        if isinstance(value, np.generic):
            value = value.item()
        sheet.cell(row, column + offset, value)


def put_series(sheet, row, years, columns, *, year_column=1, factor=1.0, year=int):
    """Write years and columns below `row`; a column is (its number, values)."""
    for i, y in enumerate(years):
        sheet.cell(row + 1 + i, year_column, year(y))
        for column, values in columns:
            put(sheet, row + 1 + i, [float(values[i]) * factor], column)
    return row + len(years) + 1


SENTENCE = (
    "All values in billion tonnes of carbon per year (GtC/yr), for the globe. For values in billion tonnes "
    "of carbon dioxide per year (GtCO2/yr), multiply the numbers below by 3.664."
)
STATED = [
    "All uncertainties represent ± 1 sigma error (68 % chance of being in the range provided)",
    "Emissions from fossil fuel combustion and industrial processes (uncertainty of ±5% for a ± 1 sigma "
    "confidence level):",
    "Emissions from land-use change (uncertainty of ±0.7 GtC/yr). Average of bookkeeping models.",
    "The atmospheric CO2 growth rate (variable uncertainty around 0.2 GtC/yr from 1980) is estimated",
    "The ocean sink (uncertainty of ±0.5 GtC/yr) is estimated from the average of several models",
    "The land sink (uncertainty of ±0.9 GtC/yr on average) was estimated from the average of several models",
]
CITED = (
    "Someone, A., Other, B. and Third, C.: A model of something described at length, J. Some. Sci., 1, 1-2."
)


def save(book, path):
    del book["Sheet"]
    book.save(path)
    return path


def layout_2017(path):
    """No units row, no groups: sentences and lists of citations say what is what; column GCP."""
    data = make_numbers(2016, cement=False, seed=17)
    book = openpyxl.Workbook()
    summary = book.create_sheet("Summary")
    put(summary, 1, ["The Global Carbon Budget 2017 is a collaborative effort of the community."])

    sheet = book.create_sheet("Global Carbon Budget")
    sheet.merge_cells("A1:G1")
    put(sheet, 1, ["Global Carbon Budget"])
    for i, text in enumerate([SENTENCE, *STATED]):
        put(sheet, 2 + i, [text])
    names = ["fossil fuel and industry", "land-use change emissions", "atmospheric growth", "ocean sink"]
    put(sheet, 12, ["Year", *names, "land sink", "budget imbalance"])
    order = ["fossil", "land_use", "atmosphere", "ocean", "land", "imbalance"]
    end = put_series(sheet, 12, data.years, [(2 + i, data.budget[c]) for i, c in enumerate(order)])
    put(sheet, end + 2, ["* values of the last two years are preliminary"])
    put(sheet, end + 3, ["Mean 2007-2016", 9.4, 1.3, 4.7, 2.4, 3.0, 0.6])

    sheet = book.create_sheet("Historical Budget")
    put(sheet, 1, ["Historical CO2 budget"])
    put(sheet, 2, [SENTENCE])
    put(sheet, 5, ["Year", *names, "land sink", "budget imbalance"])
    years = np.arange(1750, 2017)
    long = [np.r_[np.full(209, np.nan if c == "land_use" else 0.1), data.budget[c]] for c in order]
    put_series(sheet, 5, years, [(2 + i, values) for i, values in enumerate(long)])

    sheet = book.create_sheet("Fossil Emissions by Fuel Type")
    put(sheet, 1, ["All values in million tonnes of carbon per year (MtC/yr)"])
    put(sheet, 3, ["Year", "Total", "Coal", "Oil", "Gas", "Cement", "Flaring", "Per Capita"])
    put_series(sheet, 3, data.years, [(2 + i, data.budget["fossil"] * 100) for i in range(7)])

    sheet = book.create_sheet("land-use change")
    put(sheet, 1, ["Land-use change emissions"])
    put(sheet, 2, [SENTENCE])
    put(sheet, 6, ["Year", "GCP", None, "H&N", "BLUE", "OSCAR", None, *DGVMS, None, "MMM (multi-model mean)"])
    members = [
        *data.group("land_use", "bookkeeping").values(),
        None,
        *data.group("land_use", "dgvm").values(),
    ]
    columns = [(4 + i, v) for i, v in enumerate(members) if v is not None]
    columns += [(2, data.budget["land_use"]), (4 + len(members) + 1, data.mean("land_use", "dgvm"))]
    put_series(sheet, 6, data.years, columns)

    sheet = book.create_sheet("ocean sink")
    put(sheet, 1, ["Ocean CO2 sink (positive values represent a flux from the atmosphere to the ocean)"])
    put(sheet, 2, [SENTENCE])
    note = (
        "Note: the data products include a pre-industrial steady state source of CO2 (of about 0.78 GtC/yr)"
    )
    put(sheet, 3, [note + " and therefore are not directly comparable with the ocean model results."])
    put(sheet, 4, [None, "Model results used to compute the annual values:"])
    for i, name in enumerate(GOBMS):
        put(sheet, 5 + i, [None, name, CITED])
    put(sheet, 10, [None, "Data products used to evaluate the results:"])
    for i, name in enumerate(PRODUCTS):
        put(sheet, 11 + i, [None, name, CITED])
    put(sheet, 18, ["Year", "GCP", None, *GOBMS, None, *PRODUCTS])
    members = [*data.group("ocean", "gobm").values(), None, *data.group("ocean", "fco2").values()]
    columns = [(4 + i, v) for i, v in enumerate(members) if v is not None]
    put_series(sheet, 18, data.years, [(2, data.budget["ocean"]), *columns])

    sheet = book.create_sheet("terrestrial sink")
    put(sheet, 1, ["Terrestrial CO2 sink (positive values represent a flux from the atmosphere to the land)"])
    put(sheet, 2, [SENTENCE])
    put(sheet, 6, ["Year", " of the global carbon budget", None, *[f"{n} " for n in DGVMS], None, "MMM"])
    members = list(data.group("land", "dgvm").values())
    columns = [(4 + i, v) for i, v in enumerate(members)] + [(2, data.budget["land"])]
    put_series(sheet, 6, data.years, [*columns, (5 + len(members), data.mean("land", "dgvm"))])
    return save(book, path / "Global_Carbon_Budget_2017v1.3.xlsx"), data


def layout_2020(path):
    """Units rows, groups above the names, yearly sigma of the ocean, cement in MtC/yr, extra columns."""
    data = make_numbers(2019, seed=20)
    book = openpyxl.Workbook()
    sheet = book.create_sheet("Cement Carbonation Sink")
    put(sheet, 1, [None, "Cement Carbonation sink (a flux from the atmosphere to the land)"])
    put(sheet, 2, [None, "1MtC = 1 million tonne of carbon = 3.664 million tonnes of CO2"])
    put(sheet, 9, ["MtC/yr"])
    put(sheet, 10, ["Year", "GCB", None, "Cao", "Guo"])
    members = list(data.group("cement", "model").values())
    columns = [(2, data.budget["cement"]), *[(4 + i, v) for i, v in enumerate(members)]]
    put_series(sheet, 10, data.years, columns, factor=1000.0)

    sheet = book.create_sheet("Terrestrial Sink")
    put(sheet, 5, ["GtC/yr", None, None, "Individual models"])
    sheet.merge_cells("D5:J5")
    put(sheet, 6, ["Year", "GCB", None, *DGVMS, None, "Multi-model mean", "Model Spread (sd)"])
    members = list(data.group("land", "dgvm").values())
    spread = np.std(members, axis=0, ddof=1)
    columns = [(2, data.budget["land"]), *[(4 + i, v) for i, v in enumerate(members)]]
    columns += [(5 + len(members), data.mean("land", "dgvm")), (6 + len(members), spread)]
    put_series(sheet, 6, data.years, columns)

    sheet = book.create_sheet("Ocean Sink")
    put(
        sheet,
        2,
        [None, "Note: the data products include a pre-industrial steady state source of CO2 from rivers"],
    )
    put(
        sheet,
        31,
        ["year", "GCB", "1 sigma uncertainty", None, *PRODUCTS, "Average (excl. Watson)", None, *GOBMS],
    )
    groups = [
        "GtC/yr",
        None,
        None,
        None,
        "Data-based products",
        None,
        None,
        None,
        None,
        None,
        "Individual models",
    ]
    put(sheet, 30, groups)
    products, models = data.group("ocean", "fco2"), data.group("ocean", "gobm")
    columns = [(2, data.budget["ocean"]), (3, data.sd["ocean"])]
    columns += [(5 + i, v) for i, v in enumerate(products.values())]
    columns.append((9, data.mean("ocean", "fco2", without=("UOEx-Watson",))))
    columns += [(11 + i, v) for i, v in enumerate(models.values())]
    put_series(sheet, 31, data.years, columns)

    sheet = book.create_sheet("Land-Use Change Emissions")
    put(sheet, 8, ["GtC/yr", None, None, "Bookkeeping models", None, None, None, "Individual models (NET)"])
    put(sheet, 9, ["Year", "GCB", None, *BOOKKEEPERS, None, *DGVMS, None, "MMM (multi-model mean)"])
    members = [*data.group("land_use", "bookkeeping").values(), None]
    # As in the release of 2023 the land models' emissions are printed with the sinks' sign.
    members += [-v for v in data.group("land_use", "dgvm").values()]
    columns = [(4 + i, v) for i, v in enumerate(members) if v is not None] + [(2, data.budget["land_use"])]
    put_series(sheet, 9, data.years, [*columns, (5 + len(members), data.mean("land_use", "dgvm"))])

    sheet = book.create_sheet("Global Carbon Budget")
    for i, text in enumerate([SENTENCE, *STATED]):
        put(sheet, 1 + i, [None, text])
    put(sheet, 20, ["GtC/yr"])
    header = [
        "budget imbalance",
        "cement carbonation sink",
        "CO2 concentration (ppm)",
        "land sink",
        "ocean sink",
    ]
    header += [
        "atmospheric growth",
        "land-use change emissions",
        "fossil emissions excluding carbonation",
        "remark",
    ]
    put(sheet, 21, ["Year", *header])
    order = ["imbalance", "cement", None, "land", "ocean", "atmosphere", "land_use", "fossil"]
    columns = [(2 + i, data.budget[c]) for i, c in enumerate(order) if c]
    columns.append((4, np.linspace(316.0, 410.0, len(data.years))))
    put_series(sheet, 21, data.years, columns)
    sheet.cell(40, 10, "a volcano")
    figures = book.create_sheet("Figures")
    put(figures, 1, ["Figure 1. The budget"])
    hidden = book.create_sheet("scratch")
    put(hidden, 1, ["Year", "ocean sink"])
    hidden.sheet_state = "hidden"
    return save(book, path / "Global_Carbon_Budget_2020v1.0.xlsx"), data


def layout_2025(path):
    """Parts under each bookkeeping model, unadjusted series, other growth rates, inversions."""
    data = make_numbers(2024, seed=25, models=3)
    years, n = data.years, len(data.years)
    rng = np.random.default_rng(5)
    growth = data.budget["atmosphere"]
    extra = {("atmosphere", "observation", "GRESO"): np.where(years < 2015, np.nan, growth + 0.1)}
    for name in ("CAMS", "UoE", "CTE"):
        extra["atmosphere", "inversion", name] = np.where(
            years < 2001, np.nan, growth + 0.1 * rng.normal(size=n)
        )
    data.estimates.update(extra)
    book = openpyxl.Workbook()

    sheet = book.create_sheet("Atmospheric Growth")
    put(sheet, 1, [None, "Growth in atmospheric CO2"])
    put(sheet, 2, [None, "All values in billion tonnes of carbon per year (GtC/yr)"])
    put(sheet, 8, ["GtC/yr", None, None, None, None, "Individual Inversions"])
    put(sheet, 9, ["Year", "GCB", "GRESO", "Inversions mean", None, "CAMS", "UoE", "CTE"])
    columns = [(2, growth), (3, extra["atmosphere", "observation", "GRESO"])]
    inversions = list(data.group("atmosphere", "inversion").values())
    columns += [(4, np.mean(inversions, axis=0)), *[(6 + i, v) for i, v in enumerate(inversions)]]
    put_series(sheet, 9, years, columns)

    sheet = book.create_sheet("Land-Use Change Emissions")
    put(sheet, 37, ["GtC/yr"])
    put(sheet, 37, ["Bookkeeping methods"], 5)
    put(sheet, 37, ["peat drainage & peat fires"], 12)
    put(sheet, 37, ["Individual models (NET) - Does not include peat emissions"], 15)
    put(
        sheet,
        38,
        ["Year", "GCB", None, None, "BLUE", None, "H&N", None, "OSCAR", None, None, "FAO", "LPX-Bern"],
    )
    put(sheet, 38, [*DGVMS, None, "MMM (multi-model mean)"], 15)
    put(sheet, 39, [None, "Net", "deforestation (total)", None, *["Net", "forest regrowth (total)"] * 3])
    columns = [(2, data.budget["land_use"]), (3, data.budget["land_use"] + 1)]
    for i, name in enumerate(["BLUE", "H&N", "OSCAR"]):
        values = data.estimates["land_use", "bookkeeping", name]
        columns += [(5 + 2 * i, values), (6 + 2 * i, values - 2.0)]
    columns += [(12, np.full(n, 0.2)), (13, np.full(n, 0.3))]
    members = list(data.group("land_use", "dgvm").values())
    columns += [(15 + i, v) for i, v in enumerate(members)]
    put_series(sheet, 39, years, [*columns, (16 + len(members), data.mean("land_use", "dgvm"))])

    sheet = book.create_sheet("Ocean Sink")
    note = (
        "Note: the surface ocean fCO2-products are adjusted for a pre-industrial steady state source of CO2"
    )
    put(sheet, 3, [None, note + " from rivers (of 0.65 GtC/yr)"])
    put(
        sheet, 31, ["GtC/yr", None, None, None, "Individual models", None, None, None, None, None, None, None]
    )
    put(sheet, 31, ["fCO2-products"], 13)
    put(sheet, 32, ["year", "GCB", "GCB unadjusted", None, *GOBMS, None, "Multi-model mean", None, *PRODUCTS])
    models, products = data.group("ocean", "gobm"), data.group("ocean", "fco2")
    columns = [(2, data.budget["ocean"]), (3, data.budget["ocean"] - 0.2)]
    columns += [(5 + i, v) for i, v in enumerate(models.values())] + [(11, data.mean("ocean", "gobm"))]
    columns += [(13 + i, v) for i, v in enumerate(products.values())]
    end = put_series(sheet, 32, years, columns)
    # A second table below the first, with years given again.
    put(sheet, end + 2, ["year", "North", "Tropics"])
    put_series(sheet, end + 2, years[-20:], [(2, data.budget["ocean"]), (3, data.budget["ocean"])])

    sheet = book.create_sheet("Terrestrial Sink")
    put(sheet, 29, ["GtC/yr", None, None, None, "Individual models"])
    names = list(data.group("land", "dgvm"))
    put(sheet, 30, ["Year", "GCB", "GCB unadjusted", None, *names, None, "Multi-model mean"])
    columns = [(2, data.budget["land"]), (3, data.mean("land", "dgvm"))]
    columns += [(5 + i, v) for i, v in enumerate(data.group("land", "dgvm").values())]
    put_series(sheet, 30, years, [*columns, (6 + len(names), data.mean("land", "dgvm"))])

    sheet = book.create_sheet("Cement Carbonation Sink")
    put(sheet, 9, ["MtC/yr"])
    put(sheet, 10, ["Year", "GCB", None, "Cao", "Guo"])
    members = list(data.group("cement", "model").values())
    columns = [(2, data.budget["cement"]), *[(4 + i, v) for i, v in enumerate(members)]]
    put_series(sheet, 10, years, columns, factor=1000.0)

    sheet = book.create_sheet("Global Carbon Budget")
    for i, text in enumerate([SENTENCE, *STATED]):
        put(sheet, 1 + i, [None, text])
    put(sheet, 21, ["GtC/yr"])
    header = ["fossil emissions excluding carbonation", "land-use change emissions", "atmospheric growth"]
    put(
        sheet, 22, ["Year", *header, "ocean sink", "land sink", "cement carbonation sink", "budget imbalance"]
    )
    order = ["fossil", "land_use", "atmosphere", "ocean", "land", "cement", "imbalance"]
    put_series(sheet, 22, years, [(2 + i, data.budget[c]) for i, c in enumerate(order)])
    return save(book, path / "Global_Carbon_Budget_2025_v1.0.xlsx"), data


def layout_strange(path):
    """Another hand: nameless sheets, MtCO2/yr, years as text in the middle, symbols, two header rows."""
    data = make_numbers(2021, seed=7)
    to_co2 = 1000.0 * 44.0 / 12.0
    book = openpyxl.Workbook()
    sheet = book.create_sheet("Tabelle1")
    put(sheet, 2, [None, "Ocean carbon uptake, models and observation-based products"])
    put(sheet, 4, [None, "in MtCO2 yr-1"])
    put(
        sheet,
        6,
        ["fCO2-based products", None, None, None, None, "YEAR", "Best estimate", None, "Ocean models"],
    )
    put(sheet, 7, [*PRODUCTS, None, None, None, None, *GOBMS])
    sheet.merge_cells("F6:F7")
    members = list(data.group("ocean", "fco2").values())
    columns = [(1 + i, v) for i, v in enumerate(members)] + [(7, data.budget["ocean"])]
    columns += [(9 + i, v) for i, v in enumerate(data.group("ocean", "gobm").values())]
    put_series(sheet, 7, data.years, columns, year_column=6, factor=to_co2, year=str)

    sheet = book.create_sheet("Tabelle2")
    put(sheet, 1, ["Annual global CO2 budget (MtCO2/yr)"])
    put(sheet, 3, [None, None, "Sources", None, "Sinks"])
    put(sheet, 4, ["B_IM", None, "E_FF", "E_LUC", "G_ATM", "S_OCEAN", "S_LAND", "cement carbonation", "Year"])
    put(sheet, 5, ["MtCO2/yr"])
    order = {1: "imbalance", 3: "fossil", 4: "land_use", 5: "atmosphere", 6: "ocean", 7: "land", 8: "cement"}
    columns = [(i, data.budget[c]) for i, c in order.items()]
    put_series(sheet, 6, data.years, columns, year_column=9, factor=to_co2)
    for key in list(data.estimates):
        if key[0] != "ocean":
            del data.estimates[key]
    return save(book, path / "budget.xlsx"), data


LAYOUTS = {"2017": layout_2017, "2020": layout_2020, "2025": layout_2025, "strange": layout_strange}


@pytest.fixture(scope="session")
def workbooks(tmp_path_factory):
    """Layout name -> (path, numbers put in)."""
    return {name: build(tmp_path_factory.mktemp(f"layout_{name}")) for name, build in LAYOUTS.items()}


@pytest.fixture(scope="session")
def official():
    """The folder of the official workbooks, outside the repository."""
    beside = Path(priors.__file__).parents[3] / "shared"
    folder = Path(os.environ.get("SINKRISK_SHARED", beside)) / "data" / "gcb"
    if not (folder / "SOURCES.md").is_file():
        pytest.skip(
            "the official workbooks are not here; set SINKRISK_SHARED to the folder that holds data/gcb"
        )
    return folder
