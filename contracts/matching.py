"""matching: which hours of a consumption are covered by production of the same hour.

Deterministic: hours in order, in each hour the lots by (issuance, first serial), each used from its first certificate
on; the same reports and lots give the same matches on every machine, whatever the order they are handed over in. What
an hour lacks is not filled from another one, and what it has too much of stays unmatched: that is the point of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Lot:
    """Certificates of 1 Wh of one hour: `[start, end]` of an issuance."""

    hour_s: int
    issuance: int
    start: int
    end: int
    device: int = 0
    outpoint: bytes = b""

    @property
    def energy_wh(self) -> int:
        return self.end - self.start + 1


@dataclass(frozen=True, slots=True)
class Hour:
    """`consumed = matched + unmatched`; `surplus` was produced in the hour and not needed."""

    hour_s: int
    consumed_wh: int
    matched_wh: int
    surplus_wh: int
    used: tuple[Lot, ...]  # the part of each lot that was matched

    @property
    def unmatched_wh(self) -> int:
        return self.consumed_wh - self.matched_wh


def match(consumed: Iterable[tuple[int, int]], lots: Iterable[Lot]) -> list[Hour]:
    """Every hour in which something was consumed or produced, in order."""
    need: dict[int, int] = {}
    for hour_s, energy_wh in consumed:
        need[hour_s] = need.get(hour_s, 0) + energy_wh
    supply: dict[int, list[Lot]] = {}
    for lot in sorted(lots):
        supply.setdefault(lot.hour_s, []).append(lot)
    return [_hour(hour_s, need.get(hour_s, 0), supply.get(hour_s, [])) for hour_s in sorted({*need, *supply})]


def _hour(hour_s: int, consumed_wh: int, lots: list[Lot]) -> Hour:
    left, used = consumed_wh, []
    for lot in lots:
        taken = min(left, lot.energy_wh)
        if taken:
            used.append(Lot(hour_s, lot.issuance, lot.start, lot.start + taken - 1, lot.device, lot.outpoint))
        left -= taken
    matched_wh = consumed_wh - left
    return Hour(hour_s, consumed_wh, matched_wh, sum(lot.energy_wh for lot in lots) - matched_wh, tuple(used))
