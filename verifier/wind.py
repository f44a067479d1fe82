"""What a turbine should yield: its own power curve over density-corrected wind."""

import numpy as np

from state.codec import Wire
from verifier.intake import MISSING, Flags, Ints, Series
from verifier.tables import density_factor

BIN_MM_S = 500
BINS = 60  # up to 30 m/s; stronger wind counts in the last bin
FEWEST = 4  # readings of a bin that may speak for itself
OUTAGE_PERCENT = 30  # of the bin's median: below it the turbine was down or curtailed, which is no weather
USUAL_CENTI_C = 1_500


class WindCurve(Wire, frozen=True, tag="wind"):
    """Mean power of normal operation, ppm of nameplate, at each bin's middle; bins beyond `strongest` carry it."""

    power_ppm: tuple[int, ...]
    strongest: int  # last bin with readings of its own


def corrected_mm_s(wind_mm_s: Ints, temperature_centi_c: Ints) -> Ints:
    """Wind with the force it would have at 15 C; where no temperature was measured, 15 C. Bound: 2^37 x 2^21."""
    temperature = np.where(temperature_centi_c == MISSING, USUAL_CENTI_C, temperature_centi_c)
    return np.clip(wind_mm_s, 0, 100_000) * density_factor(temperature) >> 20


def fit(series: Series) -> WindCurve:
    """Means by bin; a bin with too few readings takes the one below it."""
    known = (series.wind_mm_s != MISSING) & (series.power_ppm != MISSING)
    bins = _bins(corrected_mm_s(series.wind_mm_s[known], series.temperature_centi_c[known]))
    power = np.maximum(series.power_ppm[known], 0)
    means: list[int] = []
    strongest = 0
    for index in range(BINS):
        members = np.sort(power[bins == index])
        if len(members) >= FEWEST:
            normal = members[members * 100 >= OUTAGE_PERCENT * members[len(members) // 2]]
            means.append(int(normal.sum()) // len(normal))
            strongest = index
        else:
            means.append(means[-1] if means else 0)
    return WindCurve(tuple(means), strongest)


def expected(curve: WindCurve, series: Series) -> tuple[Ints, Flags]:
    """Expected power in ppm of nameplate, linear between bin middles, and where it is known."""
    known = series.wind_mm_s != MISSING
    table = np.array(curve.power_ppm, dtype=np.int64)
    wind = corrected_mm_s(np.where(known, series.wind_mm_s, 0), series.temperature_centi_c)
    offset = np.clip(wind - BIN_MM_S // 2, 0, (BINS - 1) * BIN_MM_S - 1)
    low, part = offset // BIN_MM_S, offset % BIN_MM_S
    return table[low] + (table[low + 1] - table[low]) * part // BIN_MM_S, known


def _bins(wind_mm_s: Ints) -> Ints:
    return np.minimum(wind_mm_s // BIN_MM_S, BINS - 1)
