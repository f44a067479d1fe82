"""Peers that hand out a state and lie: one lie each. A lie takes an honest answer and gives what is sent instead."""

from collections.abc import Callable

from msgspec import structs

from node.wire import Entries, Frame, Hops, NoSnapshot, Snapshot
from state.keyspace import participant_key

Lie = Callable[[Frame], list[Frame]]

replace = structs.replace


def honest(frame: Frame) -> list[Frame]:
    return [frame]


def changed_entry(frame: Frame) -> list[Frame]:
    """One bit of one value."""
    if isinstance(frame, Entries) and frame.last:
        value = bytes((frame.values[-1][0], *frame.values[-1][1:-1], frame.values[-1][-1] ^ 1))
        return [replace(frame, values=(*frame.values[:-1], value))]
    return [frame]


def missing_entry(frame: Frame) -> list[Frame]:
    """One left out, and one fewer named."""
    if isinstance(frame, Snapshot):
        return [replace(frame, entries=frame.entries - 1)]
    if isinstance(frame, Entries) and frame.last:
        return [replace(frame, keys=frame.keys[:-1], values=frame.values[:-1])]
    return [frame]


def added_entry(frame: Frame) -> list[Frame]:
    """One more, behind all others, and one more named."""
    if isinstance(frame, Snapshot):
        return [replace(frame, entries=frame.entries + 1)]
    if isinstance(frame, Entries) and frame.last:
        return [replace(frame, keys=(*frame.keys, b"\x7f" + participant_key(9)), values=(*frame.values, b"\x01"))]
    return [frame]


def fewer_than_named(frame: Frame) -> list[Frame]:
    if isinstance(frame, Snapshot):
        return [replace(frame, entries=frame.entries + 1)]
    return [frame]


def more_than_named(frame: Frame) -> list[Frame]:
    if isinstance(frame, Snapshot):
        return [replace(frame, entries=frame.entries - 1)]
    return [frame]


def foreign_output(frame: Frame) -> list[Frame]:
    """An output that is none."""
    if isinstance(frame, Entries) and frame.after == b"":
        return [replace(frame, values=(b"\x93\x01\x02\x03", *frame.values[1:]))]
    return [frame]


def derived_entry(frame: Frame) -> list[Frame]:
    """A row of a space that no state root covers: who holds what, as the liar would have it."""
    if isinstance(frame, Snapshot):
        return [replace(frame, entries=frame.entries + 1)]
    if isinstance(frame, Entries) and frame.last:
        return [replace(frame, keys=(*frame.keys, b"\x84\x00"), values=(*frame.values, b"bundle"))]
    return [frame]


def replayed_chunk(frame: Frame) -> list[Frame]:
    """The same chunk again, dressed up as the one that follows."""
    if isinstance(frame, Entries) and not frame.last:
        return [frame, replace(frame, after=frame.keys[-1])]
    return [frame]


def skipped_chunk(frame: Frame) -> list[Frame]:
    if isinstance(frame, Entries) and frame.after and not frame.last:
        return []
    return [frame]


def trickle(frame: Frame) -> list[Frame]:
    """One entry at a time."""
    if isinstance(frame, Entries) and not frame.last:
        return [replace(frame, keys=frame.keys[:1], values=frame.values[:1])]
    return [frame]


def stops_midway(frame: Frame) -> list[Frame]:
    return [] if isinstance(frame, Entries) and frame.after else [frame]


def lets_it_go(frame: Frame) -> list[Frame]:
    return [NoSnapshot("gone")] if isinstance(frame, Entries) and frame.after else [frame]


def silent(frame: Frame) -> list[Frame]:
    return []


def other_root(frame: Frame) -> list[Frame]:
    """A header that nobody signed, so that any entries would fit."""
    if isinstance(frame, Snapshot):
        return [replace(frame, header=replace(frame.header, state_root=bytes(32)))]
    return [frame]


def unsigned(frame: Frame) -> list[Frame]:
    if isinstance(frame, Snapshot):
        signatures = (bytes(64), *frame.finalization.signatures[1:])
        return [replace(frame, finalization=replace(frame.finalization, signatures=signatures))]
    return [frame]


def no_hops(frame: Frame) -> list[Frame]:
    return [replace(frame, hops=())] if isinstance(frame, Hops) else [frame]


def other_validators(frame: Frame) -> list[Frame]:
    """A hop to keys of the liar's own."""
    if isinstance(frame, Hops) and frame.hops:
        own = tuple(bytes((index,)) * 32 for index in range(4))
        return [replace(frame, hops=(replace(frame.hops[0], next_vote_keys=own), *frame.hops[1:]))]
    return [frame]


def swapped_hops(frame: Frame) -> list[Frame]:
    return [replace(frame, hops=frame.hops[::-1])] if isinstance(frame, Hops) and len(frame.hops) > 1 else [frame]


# what is sent, and what is said of it
LIES: dict[str, tuple[Lie, str]] = {
    "changed entry": (changed_entry, "do not sum up"),
    "missing entry": (missing_entry, "do not sum up"),
    "added entry": (added_entry, "do not sum up"),
    "fewer entries than named": (fewer_than_named, "entries of"),
    "more entries than named": (more_than_named, "more than the"),
    "an output that is none": (foreign_output, "is no output"),
    "a derived row": (derived_entry, "or is none"),
    "a chunk again": (replayed_chunk, "out of order"),
    "one entry at a time": (trickle, "is not the last"),
    "another state root": (other_root, "of another block"),
    "a signature of nobody": (unsigned, "signature"),
    "no hops": (no_hops, "how the epochs"),
    "validators of its own": (other_validators, "not those that its header names"),
    "hops in another order": (swapped_hops, "does not end an epoch"),
}
# of no use, but no proof of a lie either
FAILURES: dict[str, tuple[Lie, str]] = {
    "a chunk left out": (skipped_chunk, "did not answer"),  # which a broken connection does too
    "stops midway": (stops_midway, "did not answer"),
    "lets its snapshot go": (lets_it_go, "let its snapshot go"),
    "is silent": (silent, "did not answer"),
}
