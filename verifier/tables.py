"""Sine, arcsine, cube root and the split of daylight, as integer tables.

Made at first use by Python's integers, so every machine has the same table without shipping one. Angles are *brads*:
2^32 to a turn. Fractions are Q30 (2^30 = 1) or ppm.
"""

from functools import cache

import numpy as np

from verifier.intake import COLDEST_CENTI_C, HOTTEST_CENTI_C, Ints

ONE = 1 << 30  # Q30
TURN = 1 << 32  # brads
_QUADRANT = 4_096  # steps; linear interpolation between them errs by at most 2e-8
_STEP_BITS = 18  # brads of one step, as a power of two
_HALF_PI_Q120 = 0x1921FB54442D18469898CC51701B839A >> 4  # pi / 2 in Q120, from the hexadecimal expansion of pi

KELVIN_CENTI = 27_315
DENSITY_REFERENCE_CENTI_K = 28_815  # 15 C, the temperature of the standard atmosphere


@cache
def sine_table() -> Ints:
    """Q30 sine of a whole turn in 4 x 4,096 steps and one more, by adding angles in Q120."""
    bits = 120
    angle = _HALF_PI_Q120 // _QUADRANT
    sine_step, cosine_step = _sine_cosine(angle, bits)
    sine, cosine = 0, 1 << bits
    quarter = [0]
    for _ in range(_QUADRANT):
        sine, cosine = (
            (sine * cosine_step + cosine * sine_step) >> bits,
            (cosine * cosine_step - sine * sine_step) >> bits,
        )
        quarter.append((sine + (1 << (bits - 31))) >> (bits - 30))
    half = quarter + quarter[-2::-1]
    return np.array(half + [-value for value in half[1:]], dtype=np.int64)


def sine(brads: Ints) -> Ints:
    """Q30. Bound of the product: 2^20 x 2^18."""
    table = sine_table()
    turned = brads & (TURN - 1)
    step = turned >> _STEP_BITS
    low = table[step]
    value: Ints = low + (((table[step + 1] - low) * (turned & ((1 << _STEP_BITS) - 1))) >> _STEP_BITS)
    return value


def cosine(brads: Ints) -> Ints:
    return sine(brads + TURN // 4)


def brads(microdegrees: int) -> int:
    return microdegrees * TURN // 360_000_000


@cache
def sine_of_degrees(degrees: int) -> int:
    """Q30, for thresholds stated in whole degrees."""
    return int(sine(np.array([brads(degrees * 1_000_000)], dtype=np.int64))[0])


def arcsine_centi_degrees(value_q30: int) -> int:
    """Hundredths of a degree, -9,000..9,000, rounded to the nearest table step (0.022 degrees)."""
    quarter = sine_table()[: _QUADRANT + 1]
    step = int(np.searchsorted(quarter, min(abs(value_q30), ONE)))
    angle = step * 9_000 // _QUADRANT
    return -angle if value_q30 < 0 else angle


@cache
def density_table() -> Ints:
    """Cube root of 288.15 K / T in Q20 for every 0.1 C from the coldest to the hottest temperature."""
    return np.array(
        [
            _cube_root((DENSITY_REFERENCE_CENTI_K << 60) // (centi_c + KELVIN_CENTI))
            for centi_c in range(COLDEST_CENTI_C, HOTTEST_CENTI_C + 1, 10)
        ],
        dtype=np.int64,
    )


def density_factor(temperature_centi_c: Ints) -> Ints:
    """Q20: by how much wind of this temperature counts as wind of 15 C. Temperatures must be in the table's range."""
    return density_table()[(temperature_centi_c - COLDEST_CENTI_C) // 10]


@cache
def diffuse_table() -> Ints:
    """Share of diffuse light (ppm) by clearness in thousandths, 0..1000: Erbs, Klein, Duffie 1982."""
    return np.array([_diffuse_ppm(thousandths) for thousandths in range(1_001)], dtype=np.int64)


def _diffuse_ppm(k: int) -> int:
    if k <= 220:
        return 1_000_000 - 90 * k
    if k > 800:
        return 165_000
    scale = 10**12  # the polynomial's coefficients carry four decimals, k three
    total = 9_511 * scale - 1_604 * k * 10**9 + 43_880 * k**2 * 10**6 - 166_380 * k**3 * 10**3 + 123_360 * k**4
    return total // 10**10


def _sine_cosine(angle: int, bits: int) -> tuple[int, int]:
    """Taylor series of a small angle; eight terms leave nothing at 120 bits."""
    sums = [0, 0]
    term = 1 << bits
    for n in range(16):
        sums[n % 2] += -term if n % 4 >= 2 else term
        term = (term * angle >> bits) // (n + 1)
    return sums[1], sums[0]


def _cube_root(value: int) -> int:
    """Largest integer whose cube is not above `value`."""
    low, high = 0, 1 << (value.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        if middle**3 <= value:
            low = middle
        else:
            high = middle - 1
    return low
