"""Sensor posts, as the original task sends them: one JSON object at a time over HTTP, at a pace that can be changed.

One thread a unit. Full speed sends the next post as soon as the gateway has answered; `pace` 1 is the seed's own rhythm
of one post a second a unit. A gateway that is full is asked again, nothing is skipped.
"""

import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cli.demo.units import Row, Unit

FULL_SPEED = 0.0
RETRY_S = 0.2
TIMEOUT_S = 30.0
BATCH = 1_440


class GatewayRefused(Exception):
    """The gateway says no for good: the demo's own data is wrong, so nothing is retried."""


@dataclass
class Progress:
    posted: int = 0
    last_timestamp: int = 0
    finished: bool = False
    error: str = ""


@dataclass
class Streams:
    """All units' threads under one pace (posts a second a unit; FULL_SPEED = as fast as it goes)."""

    gateway: str
    pace: float = FULL_SPEED
    paused: bool = False
    reserve: int = 0  # posts at the end of each long record that are kept back
    progress: dict[str, Progress] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, unit: Unit, rows: list[Row]) -> None:
        self.progress[unit.id] = Progress()
        thread = threading.Thread(target=self._play, args=(unit, rows), name=f"unit {unit.id}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S)

    @property
    def finished(self) -> bool:
        return all(progress.finished or progress.error for progress in self.progress.values())

    @property
    def posted(self) -> int:
        return sum(progress.posted for progress in self.progress.values())

    def require_healthy(self) -> None:
        for name, progress in self.progress.items():
            if progress.error:
                raise GatewayRefused(f"unit {name}: {progress.error}")

    def _play(self, unit: Unit, rows: list[Row]) -> None:
        progress = self.progress[unit.id]
        sender = Sender(self.gateway)
        try:
            for place, row in enumerate(rows):
                self._wait()
                self._hold_back(rows, place)
                if self._stop.is_set():
                    return
                sender.post(unit.post(row), self._stop)
                progress.posted += 1
                progress.last_timestamp = int(row["timestamp"])
            sender.send("POST", f"/flush?unit={unit.id}", b"", self._stop)
            progress.finished = True
        except GatewayRefused as error:
            progress.error = str(error)
        finally:
            sender.close()

    def _hold_back(self, rows: list[Row], place: int) -> None:
        """The end of a long record waits until the story is told: there must be something left to stream then."""
        while len(rows) > 2 * self.reserve and place >= len(rows) - self.reserve and not self._stop.is_set():
            self._stop.wait(0.1)

    def _wait(self) -> None:
        while self.paused and not self._stop.is_set():
            self._stop.wait(0.1)
        if self.pace > 0:
            self._stop.wait(1 / self.pace)


class Sender:
    """A keep-alive connection to the gateway that comes again when it is told to."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT_S)

    def post(self, body: bytes, stop: threading.Event) -> None:
        self.send("POST", "/readings", body, stop)

    def send(self, method: str, path: str, body: bytes, stop: threading.Event) -> bytes:
        while not stop.is_set():
            try:
                self._connection.request(method, path, body, {"Content-Type": "application/json"})
                answer = self._connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException):
                self._connection.close()
                stop.wait(RETRY_S)
                continue
            if answer.status < 300:
                return text
            if answer.status not in (429, 503):
                raise GatewayRefused(f"{answer.status} {text.decode('utf-8', 'replace')[:300]}")
            stop.wait(RETRY_S)
        return b""

    def close(self) -> None:
        self._connection.close()


def post_commissioning(gateway: str, unit: Unit, rows: list[Row]) -> None:
    """The commissioning window in arrays, for the gateway to sign in batches."""
    sender, stop = Sender(gateway), threading.Event()
    try:
        for start in range(0, len(rows), BATCH):
            body = b"[" + b",".join(unit.post(row) for row in rows[start : start + BATCH]) + b"]"
            sender.send("POST", "/readings", body, stop)
    finally:
        sender.close()


def gateway_status(gateway: str) -> dict[str, dict[str, object]]:
    """Where each unit's chain stands, by unit id."""
    sender = Sender(gateway)
    try:
        answer = json.loads(sender.send("GET", "/status", b"", threading.Event()))
    finally:
        sender.close()
    return {unit["id"]: unit for unit in answer["units"]}


def wait_until_sent(gateway: str, unit_ids: list[str], timeout_s: float) -> None:
    """Every reading that the gateway took is on a validator; TimeoutError otherwise."""
    deadline = time.monotonic() + timeout_s
    while True:
        units = gateway_status(gateway)
        waiting = {name: units[name]["waiting"] for name in unit_ids if units[name]["waiting"]}
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"readings still wait at the gateway: {waiting}, {units}")
        time.sleep(0.1)
