"""Which neighbours a plant is asked about: by what stands on the ledger, so that every validator hears the same.

Who is a neighbour follows from registration data (`verifier/nearby.py`) and is written into the plant's record with its
profile: how a neighbour answers to a plant is learned on the commissioning window and never again.

At a step of day D a neighbour is heard with its days that a quorum accepted at their prompt step and that nobody
corrected since, of those whose prompt step was due before this one: days before D + STEP_DAYS[step] - 7. What is heard
is named by `inputs_root` of the attestation, which the rule of `issue` recomputes. A neighbour of which no quorum holds
the readings is heard by nobody, so that keeping them back delays nobody else.

A climate source (`verifier/source.py`) is heard likewise, and stands among the neighbours, after the plants: a quorum
says of each of its days at once that it holds the readings and that they are whole. Nothing waits for a week, so its
days are heard up to two before the one that closes the step. Its provider is never the plant's owner.
"""

from msgspec.structs import replace

from contracts.release import steps_of
from state.attestation import ACCEPT, CORRECTION, PROMPT, STEP_DAYS, Attestation
from state.codec import Wire, encode
from state.errors import ReadingRefusal
from state.keyspace import Space, device_key, release_key, space_end
from state.merkle import merkle_root
from state.overlay import Snapshot
from state.records import Device, Release, Scheme
from state.records import DeviceFacts as RecordFacts
from state.units import DAY_S
from verifier.device import DeviceFacts, facts_of_record
from verifier.nearby import nearby
from verifier.review import span
from verifier.source import is_source, within_reach

SOURCE_BEHIND_DAYS = 2  # the day that closes a step, and the one before it, which a quorum may be signing just then
NO_INPUTS = bytes(32)  # nothing independent was asked


class Heard(Wire, frozen=True):
    """One neighbour or source: the profile that its days were judged by, empty of a source, and its days with roots."""

    device: int
    profile_hash: bytes
    days: tuple[tuple[int, bytes], ...]


def with_neighbours(state: Snapshot, device: Device) -> Device:
    """The record with the neighbours that are registered now, the nearest first, of equally near ones by number."""
    low = bytes((Space.DEVICE,))
    plants: dict[int, DeviceFacts] = {}
    sources: dict[int, RecordFacts] = {}
    for _, other in state.scan(low, space_end(low)):
        if isinstance(other, Device) and is_source(other.facts):
            if other.until and other.owner != device.owner:
                sources[other.id] = other.facts
        elif isinstance(other, Device):
            try:
                plants[other.id] = facts_of_record(other.facts)
            except ReadingRefusal:
                continue  # a technology that the verifier has no model for
    if device.id not in plants:
        return replace(device, neighbours=())
    beside = nearby(device.id, plants) + within_reach(plants[device.id], sources)
    return replace(device, neighbours=beside)


def asks(device: Device, scheme: Scheme) -> bool:
    """Whether anybody is asked: a scheme that releases a day at once has no time to."""
    return bool(device.neighbours) and steps_of(scheme.release_shares) != (PROMPT,)


def heard(state: Snapshot, device: Device, day: int, step: int) -> tuple[Heard, ...]:
    """In the order of the device's neighbours; plants without a signed profile say nothing."""
    found = []
    for number in device.neighbours:
        other = state.get(device_key(number))
        if isinstance(other, Device) and speaks(other):
            commissioning, around = asked_days(device, other, day, step)
            days = _accepted(state, number, *commissioning) | _accepted(state, number, *around)
            found.append(Heard(number, other.profile_hash, tuple(sorted(days.items()))))
    return tuple(found)


def speaks(other: Device) -> bool:
    """A plant's own days are judged by its profile, a source's need none."""
    return bool(other.profile_hash) or is_source(other.facts)


def asked_days(device: Device, other: Device, day: int, step: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last days of `other` that may be heard: of the commissioning window, and around `day`."""
    behind = SOURCE_BEHIND_DAYS if is_source(other.facts) else STEP_DAYS[PROMPT] + 1
    commissioning = (device.profile_from // DAY_S, device.profile_to // DAY_S)
    return commissioning, (span(day, step)[0], day + STEP_DAYS[step] - behind)


def inputs_root(told: tuple[Heard, ...]) -> bytes:
    """RFC 6962 root: of each neighbour its number and profile, then each day with the root of its readings."""
    leaves = []
    for one in told:
        leaves.append(encode((one.device, one.profile_hash)))
        leaves += [encode((one.device, day, root)) for day, root in one.days]
    return merkle_root(leaves) if leaves else NO_INPUTS


def inputs_problem(state: Snapshot, device: Device, scheme: Scheme, attestation: Attestation) -> str | None:
    """Why these are not the inputs that the ledger names for the step. What is said of a day at once, before any
    window is asked, names none, and releases nothing."""
    at_once = attestation.step == PROMPT and attestation.verdict != ACCEPT
    if attestation.inputs_root == NO_INPUTS and (at_once or not asks(device, scheme)):
        return None
    if attestation.step == CORRECTION or not asks(device, scheme):
        return "it names inputs that no validator can have"
    if attestation.inputs_root != inputs_root(heard(state, device, attestation.day, attestation.step)):
        return "it was judged beside other neighbours' days than the ledger names"
    return None


def _accepted(state: Snapshot, device: int, first: int, last: int) -> dict[int, bytes]:
    """Roots of the days first..last that a quorum accepted at once and nobody corrected, by day."""
    low, high = release_key(device, max(0, first), 0, 0), release_key(device, max(0, last + 1), 0, 0)
    days: dict[int, bytes] = {}
    for _, release in state.scan(low, max(low, high)):
        if not isinstance(release, Release):
            continue
        if release.step == PROMPT and release.verdict == ACCEPT:
            days[release.day] = release.readings_root
        elif release.step == CORRECTION:
            days.pop(release.day, None)
    return days
