"""Baseline profiles as this node computes them from the readings it holds itself.

An organisation approves a profile proposal only if its own node arrives at the same hash; a judge uses a profile only
if the hash signed on the ledger is that of its own bytes.
"""

from collections import OrderedDict
from typing import Any

from node.readings import ReadingStore
from state.codec import decode, encode
from state.errors import DecodeError, ProfileDiffers
from state.records import Device
from state.units import DAY_S
from verifier.device import DeviceFacts, facts_of_record
from verifier.profile import NamedDay, Profile, build_profile, profile_hash
from verifier.reading import Reading, parse_signed

CACHED = 16  # profiles computed lately: a proposal is asked about by several readers


def facts_of(device: Device) -> DeviceFacts:
    """What the verifier needs of the ledger's record. ReadingRefusal for a plant that it has no model for."""
    return facts_of_record(device.facts)


class Baselines:
    """Computes, checks and keeps profiles. For a worker thread: a window of 13,000 readings takes a second or more."""

    def __init__(self, store: ReadingStore) -> None:
        self._store = store
        self._computed: OrderedDict[tuple[DeviceFacts, int, int, int, int], tuple[Profile, int]] = OrderedDict()

    def signed(self, device: Device) -> Profile:
        """The profile that the ledger names for the device; ProfileDiffers where this node's readings give another."""
        kept = self._store.profile(device.id, device.profile_hash)
        if kept is not None:
            try:
                return decode(Profile, kept)
            except DecodeError:
                pass  # of an older version of the verifier: computed anew below
        profile, _ = self._compute(device.id, facts_of(device), device.profile_from, device.profile_to)
        if profile_hash(profile) != device.profile_hash:
            raise ProfileDiffers(device=device.id)
        self._store.put_profile(device.id, device.profile_hash, encode(profile))
        return profile

    def describe(self, device: Device, from_s: int, to_s: int) -> dict[str, Any]:
        """The profile over [from_s, to_s) for people and for whoever votes on it."""
        profile, count = self._compute(device.id, facts_of(device), from_s, to_s)
        return {
            "device": device.id,
            "from": from_s,
            "to": to_s,
            "readings": count,
            "profile_hash": profile_hash(profile).hex(),
            "signed": profile_hash(profile) == device.profile_hash,
            "days_used": profile.days_used,
            "days_excluded": _by_day(profile.days_excluded),
            "days_noted": _by_day(profile.days_noted),
            "fit": list(profile.fit),
            "scatter_ppm": profile.scatter_ppm,
        }

    def _compute(self, device: int, facts: DeviceFacts, from_s: int, to_s: int) -> tuple[Profile, int]:
        head = self._store.head(device)
        # Days of a chain never go back: once it is past the window, the window's readings are settled.
        settled = -1 if head.day * DAY_S >= to_s else head.last_seq
        key = (facts, device, from_s, to_s, settled)
        found = self._computed.get(key)
        if found is None:
            readings = readings_between(self._store, device, from_s, to_s)
            found = self._computed[key] = (build_profile(facts, readings), len(readings))
            if len(self._computed) > CACHED:
                self._computed.popitem(last=False)
        return found


def readings_between(store: ReadingStore, device: int, from_s: int, to_s: int) -> list[Reading]:
    return [parse_signed(text.encode()).reading for text in store.between(device, from_s, to_s)]


def _by_day(named: tuple[NamedDay, ...]) -> dict[str, list[str]]:
    return {str(entry.day): list(entry.codes) for entry in named}
