"""What a turbine should yield: its own power curve over wind corrected for the weight of the air.

Heavy air carries more power, and behind the rotor the anemometer itself reads otherwise in cold air than in warm. How
strongly a turbine answers is fitted on its commissioning window as a multiple of what density alone would do.
"""

import numpy as np

from state.codec import Wire
from verifier.intake import MISSING, Flags, Ints, Series
from verifier.running import HIGH_PPM, LOW_PPM, NORMAL_PERCENT
from verifier.tables import density_factor

BIN_MM_S = 500
BINS = 60  # up to 30 m/s; stronger wind counts in the last bin
FEWEST = 4  # readings of a bin that may speak for itself
OUTAGE_PERCENT = 30  # of the bin's median: below it the turbine was down or curtailed, which is no weather
USUAL_CENTI_C = 1_500
GAIN_BITS = 4
PLAIN_GAIN = 1 << GAIN_BITS  # density alone
MOST_GAIN = 4 << GAIN_BITS
THIRDS = 3  # the coldest and the warmest third of normal operation are compared
APART_CENTI_K = 800  # by which these must differ on average, for the window to say anything
FEWEST_IN_THIRD = 300


class WindCurve(Wire, frozen=True, tag="wind"):
    """Mean power of normal operation, ppm of nameplate, at each bin's middle; bins beyond `strongest` carry it."""

    power_ppm: tuple[int, ...]
    strongest: int  # last bin with readings of its own
    gain: int = PLAIN_GAIN  # of the correction for air, in sixteenths


def corrected_mm_s(wind_mm_s: Ints, temperature_centi_c: Ints, gain: int = PLAIN_GAIN) -> Ints:
    """Wind with the force it would have at 15 C; where no temperature was measured, 15 C. Bound: 2^17 x 2^21."""
    temperature = np.where(temperature_centi_c == MISSING, USUAL_CENTI_C, temperature_centi_c)
    factor = (1 << 20) + ((density_factor(temperature) - (1 << 20)) * gain >> GAIN_BITS)
    corrected: Ints = np.minimum(np.maximum(wind_mm_s, 0), 100_000) * factor >> 20
    return corrected


def fit(series: Series) -> WindCurve:
    """The curve under which cold and warm readings agree best."""
    plain, double = (_fit(series, gain) for gain in (PLAIN_GAIN, 2 * PLAIN_GAIN))
    apart, apart_double = _apart(plain, series), _apart(double, series)
    if apart is None or apart_double is None or apart == apart_double:
        return plain
    # The difference falls nearly in a line, so two points of it say where it is gone.
    gain = PLAIN_GAIN + PLAIN_GAIN * apart // (apart - apart_double)
    return _fit(series, min(max(gain, 0), MOST_GAIN))


def _apart(curve: WindCurve, series: Series) -> int | None:
    """By how much (ppm) the coldest third of normal operation exceeds the curve more than the warmest does."""
    expected_ppm, known = expected(curve, series)
    temperature = series.temperature_centi_c
    ran = known & (temperature != MISSING) & (series.power_ppm * 100 >= expected_ppm * NORMAL_PERCENT)
    ran &= (expected_ppm >= LOW_PPM) & (expected_ppm <= HIGH_PPM)
    count = int(ran.sum()) // THIRDS
    if count < FEWEST_IN_THIRD:
        return None
    # Ties keep the order of time, so the order of arrival cannot matter.
    order = np.flatnonzero(ran)[np.argsort(temperature[ran], kind="stable")]
    cold, warm = order[:count], order[-count:]
    if int(temperature[warm].sum() - temperature[cold].sum()) < APART_CENTI_K * count:
        return None
    of_cold, of_warm = (
        int(series.power_ppm[part].sum()) * 1_000_000 // int(expected_ppm[part].sum()) for part in (cold, warm)
    )
    return of_cold - of_warm


def _fit(series: Series, gain: int) -> WindCurve:
    """Means by bin; a bin with too few readings takes the one below it."""
    known = (series.wind_mm_s != MISSING) & (series.power_ppm != MISSING)
    bins = _bins(corrected_mm_s(series.wind_mm_s[known], series.temperature_centi_c[known], gain))
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
    return WindCurve(tuple(means), strongest, gain)


def expected(curve: WindCurve, series: Series) -> tuple[Ints, Flags]:
    """Expected power in ppm of nameplate, linear between bin middles, and where it is known."""
    known = series.wind_mm_s != MISSING
    table = np.array(curve.power_ppm, dtype=np.int64)
    wind = corrected_mm_s(np.where(known, series.wind_mm_s, 0), series.temperature_centi_c, curve.gain)
    offset = np.minimum(np.maximum(wind - BIN_MM_S // 2, 0), (BINS - 1) * BIN_MM_S - 1)
    low, part = offset // BIN_MM_S, offset % BIN_MM_S
    return table[low] + (table[low + 1] - table[low]) * part // BIN_MM_S, known


def _bins(wind_mm_s: Ints) -> Ints:
    return np.minimum(wind_mm_s // BIN_MM_S, BINS - 1)
