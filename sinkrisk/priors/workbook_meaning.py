"""What the words of a workbook mean: which flux a sheet holds, what a column of it is.

Releases from 2017 on name sheets, groups and columns differently. Words decide, in an order that
puts the more telling first ("cement carbonation sink" is cement, though it is a sink of the land).
What no word decides is left open; the caller lists it and never guesses.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sinkrisk.priors.workbook_files import Sheet
from sinkrisk.priors.workbook_tables import LABEL_LENGTH, Column, Table, text_of

FLUXES: tuple[str, ...] = ("fossil", "land_use", "atmosphere", "ocean", "land", "cement")
"""Components of the budget, in the order of the identity."""

REQUIRED: tuple[str, ...] = FLUXES[:5]
"""Components every release since 2017 has; cement carbonation came with 2020."""

_COMPONENTS: tuple[tuple[str, str], ...] = (
    ("imbalance", r"imbalance|\bb ?im\b"),
    ("fossil", r"fossil|\be ?ff\b|\be ?fos\b"),
    ("land_use", r"land ?use|\be?lu(lu)?c\b|\blulcc\b|deforestation"),
    ("cement", r"carbonation|cement\b.*\b(sink|uptake)"),
    ("atmosphere", r"atmospher|\bg ?atm\b"),
    ("ocean", r"\boceans?\b|\bs ?ocean\b"),
    ("land", r"terrestrial|\bland\b|\bs ?land\b|biospher"),
)
_OTHER_QUANTITY = re.compile(
    r"concentration|\bppm\b|fraction|cumulat|per ?cap|\bgdp\b|population|temperature"
)
_TOTAL = re.compile(r"\btotal\b|\bsum\b")
_SPREAD = re.compile(r"\bsd\b|\bstd\b|spread|\bsigma\b|σ|uncertaint|standard dev|\berror\b")
_MEAN = re.compile(r"\bmeans?\b|\bmmm\b|averag|\bensemble\b|median")
_UNADJUSTED = re.compile(r"unadjusted|before adjust|without adjust|not adjusted")
_ASSESSED = re.compile(r"^\W*(gcb|gcp)\b|global carbon (budget|project)|\bassess")
# Names that no estimate bears: earlier releases, choices, counts, parts of the globe, single causes.
_NO_ESTIMATE = re.compile(
    r"^\W*(gcb|gcp) ?\d|\bprevious|\bbest\b|\badopted|\bnumber of\b|\bcounts?\b|\bresidual|\bweighted\b"
    r"|\bregion|\bbasins?\b|\bnorth|\bsouth|\btropic|\bextra ?tropic|\barctic|\bantarctic|\bpacific"
    r"|\batlantic|\bindian\b|\blatitud|\bboreal|\btemperate|\bhemispher|\bcoastal|\bonly\b"
)
_ALL = re.compile(r"\ball\b")
_SUBFLUX = re.compile(
    r"deforest|regrowth|transition|peat|harvest|gross|\bsinks?\b$|\bsources?\b$|degradation|fire|forest"
)
_REGIONAL = re.compile(
    r"\bregion|\bnorth|\bsouth|tropic|\bcountr|national|territorial|latitud|consumption|transfer"
)
_HISTORICAL = re.compile(r"histor|since 1750|1750|pre ?industrial era|long[ -]term")

_GROUPS: tuple[tuple[str, str], ...] = (
    ("bookkeeping", r"book ?keep"),
    ("inversion", r"inversion"),
    ("fco2", r"products?\b|\b[fp] ?co ?2\b|observation based|data based"),
    ("model", r"\bmodels?\b|\bmodelled\b|dgvm|\bgobm|vegetation|biogeochem|\bprocess based\b|trendy"),
    ("peat", r"\bpeat"),
)
# Families of estimates by the words in their names: the last resort, where a sheet groups nothing.
_FAMILIES: dict[str, tuple[tuple[str, str], ...]] = {
    "ocean": (
        (
            "fco2",
            r"ffn|\bmlr\b|\bml\d|\bmls\b|\bhpd\b|cmems|landsch|r[oö]denbeck|oceansoda|os eth|watson"
            r"|jena|jma|nies",
        ),
        (
            "model",
            r"nemo|pisces|plankt|recom|fesom|hamocc|mpiom|micom|noresm|cobalt|mom\d|cesm|ccsm|access|csiro"
            r"|mitgcm|mri esm",
        ),
    ),
    "land_use": (("bookkeeping", r"^blue\b|^h ?& ?[nc]|^hn\b|houghton|hansis|^oscar\b|^luce\b|gasser"),),
}
_SUBJECTS_BY_FAMILY = (
    ("ocean", r"\bgobms?\b|\b[fp] ?co ?2\b"),
    ("land_use", r"book ?keep"),
    ("land", r"\bdgvms?\b|vegetation"),
)
_METHODS = {
    ("ocean", "model"): "gobm",
    ("ocean", "fco2"): "fco2",
    ("land", "model"): "dgvm",
    ("land_use", "model"): "dgvm",
    ("land_use", "bookkeeping"): "bookkeeping",
    ("cement", "model"): "model",
    ("atmosphere", "inversion"): "inversion",
    ("atmosphere", "model"): "observation",
    ("land", "inversion"): "inversion",
    ("ocean", "inversion"): "inversion",
}


@dataclass(frozen=True)
class Role:
    """What a column is.

    Parameters
    ----------
    kind : str
        ``assessed``, ``assessed_sd``, ``member``, ``mean``, ``spread`` or ``skipped``.
    method : str
        Of members, means and spreads.
    reason : str
        Why a column is skipped.
    placed : bool
        False where no word says what the column is.
    guessed : bool
        Whether only the column's neighbours or the sheet's flux say what it is.
    """

    kind: str
    method: str = ""
    reason: str = ""
    placed: bool = True
    guessed: bool = False


def plain(text: str) -> str:
    """Return a label in lower case, its dots, dashes and underscores as blanks.

    Examples
    --------
    >>> plain("fossil.emissions.excluding.carbonation")
    'fossil emissions excluding carbonation'
    """
    text = text.lower().replace("\u2082", "2")
    return " ".join(re.sub(r"[._\-–—/,;:]+", " ", text).split())


def component_of(label: str) -> tuple[str, bool] | None:
    """Return the component of the budget a label names, and whether it names its uncertainty.

    Examples
    --------
    >>> component_of("fossil emissions excluding carbonation"), component_of("ocean sink (1 sigma)")
    (('fossil', False), ('ocean', True))
    >>> component_of("atmospheric CO2 concentration (ppm)") is None
    True
    """
    words = plain(label)
    if _OTHER_QUANTITY.search(words):
        return None
    named = [name for name, pattern in _COMPONENTS if re.search(pattern, words)]
    if not named:
        return None
    if {"fossil", "land_use"} <= set(named) and named[0] != "imbalance":
        return ("total_emissions", False)
    if _TOTAL.search(words) and named[0] != "imbalance":
        return ("total_emissions", False) if "emission" in words else None
    return named[0], _SPREAD.search(words) is not None


def component_of_column(column: Column) -> tuple[str, bool] | None:
    """Return the component a column of the budget table holds: by its lowest label that names one."""
    for label in (column.sub, column.name, *reversed(column.groups)):
        found = component_of(label) if label else None
        if found is not None:
            is_sd = found[1] or any(_SPREAD.search(plain(t)) for t in (column.sub, column.name) if t)
            return found[0], is_sd
    return None


def subject_of(sheet: Sheet) -> str | None:
    """Return the flux a sheet is about: by its name, else by its first texts; None where none is named."""
    texts = [sheet.name, *_first_texts(sheet)]
    for text in texts:
        words = plain(re.sub(r"\([^)]*\)", " ", text))
        for name, pattern in _COMPONENTS:
            if name in ("imbalance", "fossil"):
                continue
            if re.search(pattern, words) and not re.search(r"fossil", words):
                return name
    named = plain(sheet.name)
    return next((name for name, pattern in _SUBJECTS_BY_FAMILY if re.search(pattern, named)), None)


def is_regional(sheet: Sheet) -> bool:
    """Return whether a sheet is about parts of the globe."""
    return _REGIONAL.search(plain(sheet.name)) is not None


def is_fuel_table(table: Table) -> bool:
    """Return whether a table splits fossil emissions by fuel."""
    return len({plain(column.name) for column in table.columns} & {"coal", "oil", "gas", "flaring"}) >= 2


def is_historical(sheet: Sheet) -> bool:
    """Return whether a sheet says it holds the budget before the years of measurement."""
    return any(_HISTORICAL.search(plain(text)) for text in (sheet.name, *_first_texts(sheet)[:1]))


def _first_texts(sheet: Sheet) -> list[str]:
    out: list[str] = []
    for row in sheet.rows[:12]:
        out.extend(t for t in map(text_of, row) if t and not re.match(r"(?i)^(all values|year|note|\d)", t))
        if len(out) >= 2:
            break
    return [text[:160] for text in out[:2]]


def group_of(text: str) -> str | None:
    """Return the family of estimates a group label names.

    Examples
    --------
    >>> group_of("Bookkeeping methods"), group_of("Data-based products"), group_of("Individual Inversions")
    ('bookkeeping', 'fco2', 'inversion')
    """
    words = plain(text)
    return next((name for name, pattern in _GROUPS if re.search(pattern, words)), None)


def listed_families(table: Table) -> dict[str, str]:
    """Return the families that the sheet's own list of citations gives its estimates.

    Such a list has headings ("Global ocean biogeochemical models:", "fCO2-products:"), each
    followed by rows of a name and its citation.
    """
    out: dict[str, str] = {}
    current: str | None = None
    for row in table.sheet.rows[: table.header_row]:
        texts = [t for t in map(text_of, row) if t]
        if not texts:
            continue
        if len(texts) == 1:
            if len(texts[0]) <= LABEL_LENGTH and group_of(texts[0]):
                current = group_of(texts[0])
            elif current and len(texts[0]) <= LABEL_LENGTH:
                out[_key(texts[0])] = current
        elif current and len(texts[0]) <= LABEL_LENGTH:
            out[_key(texts[0])] = current
    return out


def _key(name: str) -> str:
    return re.sub(r"\W", "", plain(name))


def roles(table: Table, subject: str, land_models: Iterable[str] = ()) -> dict[int, Role]:
    """Return what each column of a sheet about one flux is: column index -> role.

    Parameters
    ----------
    table : Table
    subject : str
        The sheet's flux.
    land_models : iterable of str
        Names of the land models, which also estimate land-use change.
    """
    listed = listed_families(table)
    known = {_key(name) for name in land_models}
    named = group_of(table.sheet.name)
    whole = named or _only_family(subject)
    out: dict[int, Role] = {}
    open_columns: list[Column] = []
    families: dict[int, Counter[str]] = {}
    for column in table.columns:
        role, family = _role(column, subject, listed, known, group_of(table.sheet.name))
        if role is not None:
            out[column.index] = role
        else:
            open_columns.append(column)
        if family is not None:
            families.setdefault(column.section, Counter())[family] += 1
    for column in open_columns:
        votes = families.get(column.section, Counter())
        # Columns side by side without a gap are of one family when all that are known agree.
        family = next(iter(votes)) if len(votes) == 1 else whole
        if family is None:
            reason = "no label says what kind of estimate it is"
            out[column.index] = Role("skipped", reason=reason, placed=False)
        else:
            out[column.index] = replace(_member(subject, family), guessed=named is None)
    return out


def _only_family(subject: str) -> str | None:
    """Return the one family of estimates a sheet of that flux holds where it names none."""
    return "model" if subject in ("land", "cement", "atmosphere") else None


def _member(subject: str, family: str) -> Role:
    method = _METHODS.get((subject, family))
    if method is None:
        return Role(
            "skipped",
            reason=f"{family} is a part of the {subject.replace('_', ' ')} flux, not an estimate of it",
        )
    return Role("member", method)


def _role(
    column: Column, subject: str, listed: dict[str, str], land_models: set[str], sheet_family: str | None
) -> tuple[Role | None, str | None]:
    """Return a column's role (None while open) and the family its labels name (None for none)."""
    words = plain(column.label)
    name = plain(column.name)
    if not column.name:
        return Role("skipped", reason="numbers without a header", placed=False), None
    if not column.numbers:
        return Role("skipped", reason="no numbers in it"), None
    if _OTHER_QUANTITY.search(words):
        return Role("skipped", reason="another quantity than a flux"), None
    family = next((g for g in map(group_of, reversed(column.groups)) if g), None)
    if column.sub and group_of(column.name) and not _ASSESSED.search(name):
        family, name = group_of(column.name), plain(column.sub)
        words = name
    aggregate = _MEAN.search(words) is not None
    spread = _SPREAD.search(words) is not None
    denied = _NO_ESTIMATE.search(words) or (_ALL.search(words) and not (aggregate or spread))
    if denied and _key(column.name) not in listed:
        return Role("skipped", reason="its name is that of no single estimate", placed=False), None
    own = group_of(column.label) if aggregate or spread else None
    if _ASSESSED.search(name) or (own is None and family is None and _names_subject(name, subject)):
        return _assessed(column, words, spread), None
    if spread or aggregate:
        if spread and own is None and family is None and sheet_family is None:
            return Role("assessed_sd"), None
        chosen = own or family or sheet_family or _only_family(subject)
        method = _METHODS.get((subject, chosen or ""))
        if method is None:
            return Role("skipped", reason="a mean or spread of what no label says", placed=False), None
        return Role("spread" if spread else "mean", method), None
    if family == "peat":
        return Role("skipped", reason="peat is a part of the land-use flux, not an estimate of it"), None
    if column.sub and _SUBFLUX.search(plain(column.sub)) and not re.search(r"\bnet\b", plain(column.sub)):
        return Role("skipped", reason=f"a part of the net flux of {column.name}"), None
    if _UNADJUSTED.search(words):
        return Role("skipped", reason="a variant before the release's own adjustments"), None
    family = family or listed.get(_key(column.name))
    if family is None:
        for candidate, pattern in _FAMILIES.get(subject, ()):
            if re.search(pattern, name):
                family = candidate
                break
    if family is None and subject == "land_use" and _key(column.name) in land_models:
        family = "model"
    return (_member(subject, family), family) if family is not None else (None, None)


def _names_subject(name: str, subject: str) -> bool:
    found = component_of(name)
    return found is not None and found[0] == subject and not found[1]


def _assessed(column: Column, words: str, spread: bool) -> Role:
    if _UNADJUSTED.search(words):
        return Role("skipped", reason="the assessed series before the release's own adjustments")
    if spread:
        return Role("assessed_sd")
    if column.sub and _SUBFLUX.search(plain(column.sub)) and not re.search(r"\bnet\b", plain(column.sub)):
        return Role("skipped", reason="a part of the assessed net flux")
    return Role("assessed")


def excluded_names(label: str, members: Iterable[str]) -> tuple[str, ...]:
    """Return the members that the label of a mean says it leaves out.

    Examples
    --------
    >>> excluded_names("Average data-products (excl. Watson.)", ["JMA-MLR", "UOEx-Watson"])
    ('UOEx-Watson',)
    """
    match = re.search(r"(?i)\b(?:excl\w*|without|except)\b\.?\s*([^)]+)", label)
    if match is None:
        return ()
    tokens = [_key(t) for t in re.split(r",|&|\band\b", match[1])]
    return tuple(name for name in members if any(token and token in _key(name) for token in tokens))
