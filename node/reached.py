"""How far each device's chain had come: kept apart from the readings, so that readings that vanish are missed.

LevelDB opens without a word after its log was cut, at an earlier write, and begins anew where its folder is gone. So
beside the folder stands a small file with the last reading and the last complete day of every device. It is written a
moment later and is not synced, so it may be behind the readings, never ahead of them.

    DATA/readings-reached = BLAKE2b-256 of what follows ‖ [[device, last seq, last held seq], …]
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from node.readings import Head
from state.codec import Wire, decode, encode
from state.errors import DecodeError, DiskFailed, StoreMismatch
from state.units import U32, U64

DIGEST_BYTES = 32


class Reached(Wire, frozen=True):
    device: U32
    seq: U64
    held_seq: U64  # of the last reading of the last day that is held completely


@dataclass(frozen=True)
class Lost:
    """A device whose chain is shorter than it was."""

    device: int
    seq: int
    reached: int

    def __str__(self) -> str:
        return f"device {self.device} is at reading {self.seq} and was at {self.reached}"


class ReachedFile:
    """Never forgets: where the readings are behind, the file keeps the higher number until they have caught up."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = {each.device: each for each in _read(path)}
        self._written = dict(self._known)

    def lost(self, heads: Iterable[tuple[int, Head]]) -> list[Lost]:
        """What the readings lack of what was reached."""
        held = dict(heads)
        found = []
        for device, reached in sorted(self._known.items()):
            head = held.get(device, Head())
            if head.last_seq < reached.seq:
                found.append(Lost(device, head.last_seq, reached.seq))
            elif head.held_seq < reached.held_seq:
                found.append(Lost(device, head.held_seq, reached.held_seq))
        return found

    def note(self, device: int, head: Head) -> None:
        before = self._known.get(device, Reached(device, 0, 0))
        self._known[device] = Reached(device, max(before.seq, head.last_seq), max(before.held_seq, head.held_seq))

    def write(self) -> None:
        """Put on disk what is new since the last time, if anything."""
        if self._known == self._written:
            return
        body = encode(tuple(self._known[device] for device in sorted(self._known)))
        draft = self._path.with_name(self._path.name + ".draft")
        try:
            draft.write_bytes(blake2b(body, digest_size=DIGEST_BYTES).digest() + body)
            os.replace(draft, self._path)
        except OSError as error:
            raise DiskFailed(why=f"{error.strerror} at {self._path}") from error
        self._written = dict(self._known)


def _read(path: Path) -> tuple[Reached, ...]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise DiskFailed(why=f"{error.strerror} at {path}") from error
    digest, body = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    if blake2b(body, digest_size=DIGEST_BYTES).digest() != digest:
        raise StoreMismatch(why=f"{path} is damaged: it does not say how far the readings had come", path=str(path))
    try:
        return decode(tuple[Reached, ...], body)
    except DecodeError as error:
        raise StoreMismatch(why=f"{path} is of another version ({error})", path=str(path)) from None
