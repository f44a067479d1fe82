"""A meter that signs its readings, a validator's intake in front of memory, and records of real units."""

import csv
import gzip
import json
from dataclasses import dataclass, field
from io import TextIOWrapper
from typing import Any

from harness.shared import shared_folder
from harness.world import FAR, WIND, World, key_of, seed_of

from node.intake import CLOSE_TAG, READINGS_TAG, Intake
from node.readings import ReadingStore
from node.wire import Close, DayClose, Readings
from state.crypto import sign, signed_bytes
from state.records import DeviceFacts
from state.store import MemoryRows, Rows
from state.transaction import GatewayContent, MeterContent
from state.units import DAY_S
from verifier.reading import NO_PREVIOUS, Reading, SignedReading, format_signed, reading_hash, readings_root

NOW_S = 1_800_000_000
DAY = 16_071  # 2014-01-01


@dataclass
class Meter:
    """The credential of one device and the chain that it signs."""

    chain: bytes
    device: int
    seed: bytes
    key: bytes
    origin: int = 0
    seq: int = 0
    prev: bytes = NO_PREVIOUS
    register_wh: int = 0
    texts: dict[int, list[bytes]] = field(default_factory=dict)  # by day

    def text(self, timestamp: int, power_w: int | None = 500_000, /, **changes: Any) -> str:
        """The next reading of the chain; keyword arguments replace fields of the signed text."""
        self.seq += 1
        self.register_wh += max(0, power_w or 0) // 6
        reading = Reading(timestamp, power_w, 7_000, 450, None)
        raw = format_signed(SignedReading(self.device, self.seq, self.prev, reading, self.register_wh, self.origin))
        if changes:
            raw = json.dumps(json.loads(raw) | changes, separators=(",", ":")).encode()
        self.prev = reading_hash(raw)
        self.texts.setdefault(timestamp // DAY_S, []).append(raw)
        return raw.decode()

    def texts_of(self, day: int, count: int = 144, power_w: int = 500_000) -> list[str]:
        return [self.text(day * DAY_S + index * 600, power_w + index) for index in range(count)]

    def batch(self, raws: list[str]) -> Readings:
        signature = sign(self.seed, signed_bytes(READINGS_TAG, self.chain, raws))
        return Readings(self.device, tuple(raws), self.key, signature)

    def close(self, day: int, **changes: Any) -> DayClose:
        """The close of a day whose last reading is the chain's last."""
        texts = self.texts.get(day, [])
        fields = {
            "device": self.device,
            "day": day,
            "last_seq": self.seq,
            "count": len(texts),
            "head_hash": self.prev,
            "readings_root": readings_root(texts),
            **changes,
        }
        close = Close(**fields)
        return DayClose(close, self.key, sign(self.seed, signed_bytes(CLOSE_TAG, self.chain, close)))


class Plant:
    """A world with one accredited wind turbine, read by its own key or by a gateway."""

    def __init__(
        self,
        gateway: bool = False,
        facts: DeviceFacts = WIND,
        scheme: int = 1,
        genesis: bytes | None = None,
        world: World | None = None,
    ) -> None:
        self.world = world or World(genesis=genesis)
        self.world.register("owner")
        self.device = self.world.device("owner", scheme, facts, profile=False)
        self.gateway = 0
        if gateway:
            self.world.accredit(GatewayContent(self.world.people["owner"], key_of("reader"), FAR), by="owner")
            self.gateway = self.world.count("gateway")
        key = b"" if gateway else key_of("reader")
        self.world.accredit(MeterContent(self.device, key, self.gateway, FAR), by="owner")

    def meter(self) -> Meter:
        return Meter(self.world.chain, self.device, seed_of("reader"), key_of("reader"), self.gateway)

    def intake(self, rows: Rows | None = None) -> Intake:
        store = ReadingStore(rows or MemoryRows())
        return Intake(store, self.world.chain, lambda: (self.world.state, self.world.time_ms), lambda: NOW_S)


async def give(intake: Intake, *frames: Readings | DayClose) -> None:
    """As from a meter, one after the other."""
    for frame in frames:
        if isinstance(frame, Readings):
            await intake.accept_batch(frame.raws, frame.key, frame.signature)
        else:
            await intake.accept_close(frame.close, frame.key, frame.signature)


def record_of(name: str, rows: int) -> list[dict[str, Any]]:
    """The first rows of a real unit's record as seed objects: numbers as they stand in the file, absent ones null."""
    path = shared_folder("demo") / f"{name}.csv.gz"
    with TextIOWrapper(gzip.open(path)) as lines:
        found = []
        for row in csv.DictReader(lines):
            found.append({name: (value or None) for name, value in row.items()})
            if len(found) == rows:
                break
    return found
