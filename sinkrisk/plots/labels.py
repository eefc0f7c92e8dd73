"""Names as a reader meets them: identifiers of the tables turned into words."""

from __future__ import annotations

from collections.abc import Iterable

_ACRONYMS = {
    **{a.lower(): a for a in ("BECCS", "DACCS", "DAC", "CCS", "CCUS", "CDR", "OAE", "OIF", "TRL", "MRV")},
    "co2": "CO₂",
    "ch4": "CH₄",
    "n2o": "N₂O",
}
"""Parts of a name that are set in capitals wherever they stand."""

_WORDS = {
    "point_source_ccs": "point-source CCS",
    "land_based": "land-based",
    "fossil": "fossil",
    "land_use": "land-use change",
    "atmosphere": "atmospheric growth",
    "ocean": "ocean",
    "land": "land",
    "cement": "cement carbonation",
    "china_east_coast": "China, east coast",
    "china_southwest": "China, southwest",
    "china_arid_north": "China, arid north",
    "southeast_asia_tropics": "Southeast Asia, tropics",
    "north_america": "North America",
    "northern_europe": "Northern Europe",
    "net_removal_2050": "net removal until 2050",
    "net_removal_2100": "net removal until 2100",
    "reallocated_share": "share moved to other pathways",
    "ranked_first": "being the best portfolio",
    "target_missed": "the target being missed",
    "margin": "margin between the two best portfolios",
    "total_cost": "total discounted cost",
    "co2_2100": "CO₂ in 2100",
    "retained_2200": "still stored in 2200",
    "utilised_carbon": "fossil carbon in products",
    "cost_per_durable_tonne": "cost per durable tonne",
    "point_co2": "CO₂ of point sources",
    "non_co2": "non-CO₂ effects",
    "co_benefit": "co-benefit premium",
    "other_gases": "other gases",
    "non_co2_young": "non-CO₂ effects of young capacity",
    "non_co2_fade": "fading of non-CO₂ effects",
    "years_per_trl": "years per TRL level",
    "half_life": "half-life",
    "fast_half_life": "half-life of the fast pool",
    "fast_share": "share of the fast pool",
    "shock_own": "shock of one region",
    "shock_common": "shock common to all regions",
    "outlook_land_half_saturation": "outlook land half-saturation",
    "oae_oif": "OAE and OIF",
}

_SCALES = {
    "technological_maturity": "TRL",
    "ecological_risk": "score 0 to 1",
    "storage_permanence": "share",
    "reallocated_share": "share",
    "acceptance": "share",
    "regional_equity": "1 is equal",
}

PERIODS: tuple[str, ...] = ("near_term", "mid_term", "long_term")
"""Order of the periods; others follow as they come."""


def readable(name: object) -> str:
    """Return a name in words.

    Examples
    --------
    >>> readable("beccs"), readable("marginal_abatement_cost"), readable("near_term")
    ('BECCS', 'marginal abatement cost', 'near term')
    >>> readable("growth_rate__daccs"), readable("years_per_trl"), readable("use_co2_transport")
    ('growth rate, DACCS', 'years per TRL level', 'use CO₂ transport')
    """
    text = str(name)
    if "__" in text.strip("_"):
        # A driver of one pathway, or a node of one region and period.
        return ", ".join(readable(part) for part in text.split("__") if part)
    return _WORDS.get(text) or " ".join(_ACRONYMS.get(part, part) for part in text.split("_"))


def sentence_case(name: object) -> str:
    """Return the readable name with a capital first letter.

    Examples
    --------
    >>> sentence_case("total_cost"), sentence_case("daccs")
    ('Total discounted cost', 'DACCS')
    """
    text = readable(name)
    return text[:1].upper() + text[1:]


def unit_text(unit: object) -> str:
    """Return a unit with subscripts; the unit of a pure number is empty.

    Examples
    --------
    >>> unit_text("GtCO2/yr"), unit_text("USD/tCO2"), unit_text("1")
    ('GtCO₂/yr', 'USD/tCO₂', '')
    """
    text = str(unit)
    return "" if text in {"1", "nan"} else text.replace("CO2", "CO₂")


def scale_text(criterion: object, unit: object) -> str:
    """Return what a criterion is measured in: its unit, or the scale of a pure number, or nothing.

    Examples
    --------
    >>> scale_text("total_cost", "billion USD"), scale_text("technological_maturity", "1")
    ('billion USD', 'TRL')
    """
    return unit_text(unit) or _SCALES.get(str(criterion), "")


def signed(value: float, decimals: int = 2) -> str:
    """Return a number with its sign, the minus as typographers set it.

    Examples
    --------
    >>> signed(-0.4), signed(0.25), signed(-0.001)
    ('−0.40', '+0.25', '0.00')
    """
    if round(value, decimals) == 0:
        return f"{0.0:.{decimals}f}"
    return f"{value:+.{decimals}f}".replace("-", "−")


def in_order(values: Iterable[object], order: tuple[str, ...] = PERIODS) -> list[str]:
    """Return the distinct values, known ones in their order first, then the rest as they come.

    Examples
    --------
    >>> in_order(["long_term", "near_term", "x", "near_term"])
    ['near_term', 'long_term', 'x']
    """
    seen = list(dict.fromkeys(str(v) for v in values))
    return [v for v in order if v in seen] + [v for v in seen if v not in order]
