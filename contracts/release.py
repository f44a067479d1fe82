"""The steps by which an accepted day's energy is released (research/registry.md section 4, verifier.md section 4).

    prompt   when the week around the day is clean      most of it
    d30      when the month is                          a part of the rest
    d90      when the season is                         the rest

A scheme's `release_shares` (basis points, in all 10,000) say how much each step may bring; a step without a share does
not exist, and a scheme of (10000, 0, 0) releases a day at once. What a step withheld (hold) for a ramp, or for a broken
sensor where the plant has neighbours, the next one may still release; what a step refused (reject) ends the day. In a
granular scheme each hour of a day is released by itself.
"""

from collections.abc import Sequence

from state.attestation import ACCEPT, CORRECTION, D30, D90, HOLD, PROMPT, STEP_DAYS
from state.keyspace import device_key, release_key
from state.overlay import Snapshot
from state.records import Device, Release
from verifier.finding import RAMP, RELEASABLE
from verifier.source import is_source

STEPS = (PROMPT, D30, D90)
BASIS_POINTS = 10_000


def steps_of(shares: Sequence[int]) -> tuple[int, ...]:
    """The steps that a scheme has, in order."""
    return tuple(step for step in STEPS if step == PROMPT or shares[step])


def released_up_to(energy_wh: int, shares: Sequence[int], step: int) -> int:
    """Wh of a day that may be released by the end of `step`; by that of the last one all of it."""
    return energy_wh * sum(shares[: step + 1]) // BASIS_POINTS


def parts_released_up_to(parts_wh: Sequence[int], shares: Sequence[int], step: int) -> tuple[int, ...]:
    """The same for the hours of a day: each is rounded down by itself, and by the last step nothing is missing."""
    return tuple(released_up_to(energy_wh, shares, step) for energy_wh in parts_wh)


def steps_before(state: Snapshot, device: int, day: int, step: int) -> list[Release]:
    """What the ledger has of the day's earlier steps, in order."""
    found = (state.get(release_key(device, day, earlier, 0)) for earlier in range(step))
    return [release for release in found if isinstance(release, Release)]


def is_corrected(state: Snapshot, device: int, day: int) -> bool:
    """Whether a quorum has put the day right: then its steps are over."""
    return state.get(release_key(device, day, CORRECTION, 1)) is not None


def next_step(state: Snapshot, shares: Sequence[int], device: int, day: int) -> int | None:
    """The step that the ledger waits for, None where the day is at its end."""
    before = steps_before(state, device, day, len(STEPS))
    if is_corrected(state, device, day):
        return None
    if not before:
        return PROMPT
    last = before[-1]
    record = state.get(device_key(device))
    if isinstance(record, Device) and is_source(record.facts):
        return None  # all is said of a climate source's day at once
    waits = last.verdict == ACCEPT or (last.verdict == HOLD and _may_be_released(state, last))
    return next((step for step in steps_of(shares) if waits and step > last.step), None)


def _may_be_released(state: Snapshot, held: Release) -> bool:
    """A rise may find its event; what a broken sensor holds, neighbours may vouch for."""
    device = state.get(device_key(held.device))
    beside = isinstance(device, Device) and bool(device.neighbours)
    return RAMP in held.reasons or (beside and bool(RELEASABLE & set(held.reasons)))


def review_day(state: Snapshot, shares: Sequence[int], device: int, day: int) -> int:
    """The day that the device has to close before more is said about `day`; 0 where all is said."""
    step = next_step(state, shares, device, day)
    return 0 if step is None else day + STEP_DAYS[step]
