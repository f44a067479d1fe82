"""What the energy codes of a plant are called in words and in other registries. Data; the ledger holds EECS codes.

EECS is a tree and so is each mapping: the longest prefix that is listed answers. Where only the first level is certain
(a solar plant may stand on a roof or in a field), the second is left empty: an export must not know more than we do.
Sources: EECS Rules fact sheet 5, the I-REC fuel and technology codes, M-RETS fuel types.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Foreign:
    """One row: an EECS technology prefix and what it is elsewhere; an empty text where nothing is certain."""

    technology: str  # EECS prefix
    words: str  # message of the texts catalogue
    source: str  # EnergyTag energy_source
    irec_fuel: str
    irec_technology: str
    mrets: str


TABLE = (
    Foreign("T010000", "solar", "solar", "ES100", "", "SO1"),
    Foreign("T01", "solar", "solar", "ES100", "", "SO1"),
    Foreign("T020001", "onshore wind", "wind", "ES200", "TC210", "WND"),
    Foreign("T020002", "offshore wind", "wind", "ES200", "TC220", "WND"),
    Foreign("T02", "wind", "wind", "ES200", "", "WND"),
    Foreign("T03", "hydro", "hydro", "ES300", "", "H2O"),
    Foreign("T04", "marine", "hydro", "", "", "OC1"),
    Foreign("T05", "thermal", "other", "", "", ""),
    Foreign("T06", "nuclear", "nuclear", "", "", ""),
    Foreign("T", "other", "other", "", "", ""),
)

SOURCES = ("solar", "wind", "hydro", "biomass", "nuclear", "other")  # EnergyTag energy_source

FUEL_SOURCES = {"F010100": "biomass", "F010300": "biomass", "F0201": "other", "F0203": "other"}  # of thermal plants


def foreign(technology: str) -> Foreign:
    """The row of the longest prefix of an EECS technology code."""
    rows = [row for row in TABLE if technology.startswith(row.technology)]
    return max(rows, key=lambda row: len(row.technology), default=TABLE[-1])


def codes_dict(technology: str, fuel: str) -> dict[str, str]:
    row = foreign(technology)
    return {
        "eecs_technology": technology,
        "eecs_fuel": fuel,
        "irec_fuel": row.irec_fuel,
        "irec_technology": row.irec_technology,
        "mrets": row.mrets,
    }


def energy_source(technology: str, fuel: str) -> str:
    """EnergyTag's `energy_source`: for thermal plants the fuel decides."""
    if technology.startswith("T05"):
        return next((source for prefix, source in FUEL_SOURCES.items() if fuel.startswith(prefix)), "other")
    return foreign(technology).source
