"""What the electricity emits that the demo's certificates replace: the choice of its schemes, each with its source.

The reference genesis names no factor, because it knows no zone. The demo does: its wind stands in France, its sun over
Colorado. Averages of the grid are the modest choice; a scheme that prefers a residual mix or a marginal factor writes
that into its genesis, with its source, and statements say both.
"""

from typing import Any

# By the name of the scheme: grams of CO2 equivalent for a kWh, and who says so.
EMISSIONS = {
    # Annex I: 0.053 kg of CO2 for a kWh that is used on the French mainland.
    "WIND-MWH": (53, "grid of mainland France: decree of 10 April 2012, TRAT1209296A, annex I"),
    # 1,124.887 lb of CO2, 0.101 of CH4 and 0.014 of N2O a MWh, with the warming of AR5: 28 and 265.
    "SOLAR-KWH": (513, "grid of the Rockies: US EPA eGRID2022, subregion RMPA, total output rate"),
}


def with_emissions(genesis: dict[str, Any]) -> dict[str, Any]:
    """The genesis with the factors of the demo in the schemes that it names."""
    schemes = []
    for scheme in genesis["schemes"]:
        factor = EMISSIONS.get(scheme["name"])
        added = {"emission": {"g_per_kwh": factor[0], "source": factor[1]}} if factor else {}
        schemes.append({**scheme, **added})
    return {**genesis, "schemes": schemes}
