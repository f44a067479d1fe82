"""A plant in normal operation: what it gave against what its weather let expect, outages and curtailment left out.

A week of curtailment claims no more than its weather even when it is scaled, so a sum over all intervals cannot see the
factor. The intervals in which the plant simply ran can: they stand at the plant's own level, week after week, within a
few percent. Intervals of little power are left out because they say little, those near the limit of the machine because
a factor is cut there.
"""

from verifier.intake import MISSING, Flags, Ints

LOW_PPM, HIGH_PPM = 150_000, 850_000  # expected power, of nameplate
NORMAL_PERCENT = 70  # of what is expected: less is an outage, a curtailment or ice, which is no weather
LEAST_PPM = 10_000  # of nameplate over a window: with less expected it says nothing


def sums(power_ppm: Ints, expected_ppm: Ints, both: Flags) -> tuple[Ints, Ints]:
    """Claimed and expected by day; the arrays have a row for each day, `both` marks where power and weather are."""
    ran = (
        both
        & (power_ppm != MISSING)
        & (expected_ppm >= LOW_PPM)
        & (expected_ppm <= HIGH_PPM)
        & (power_ppm * 100 >= expected_ppm * NORMAL_PERCENT)
    )
    return (power_ppm * ran).sum(axis=1), (expected_ppm * ran).sum(axis=1)
