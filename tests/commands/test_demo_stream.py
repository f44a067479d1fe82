"""The demo's sensor posts: in order, refused for good or asked again, and the end of a record kept for later."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cli.demo.stream import GatewayRefused, Streams
from cli.demo.units import DIESEL_DAY, REPLAY_DAY, REPLAYED_DAY, demo_units
from state.units import DAY_S

UNITS = {unit.id: unit for unit in demo_units()}


class Gateway(ThreadingHTTPServer):
    """Counts what it is sent; `answers` are the status codes of the next posts, then 200."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answers: list[int] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Gateway
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.answers.pop(0) if self.server.answers else 200
        if status == 200 and self.path == "/readings":
            self.server.bodies.append(body)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    server = Gateway()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_end_of_a_long_record_waits_until_the_story_is_told(gateway: Gateway) -> None:
    unit = UNITS["3"]
    rows = unit.production()[:10]
    streams = Streams(gateway.url, reserve=3)
    streams.start(unit, rows)
    until(lambda: streams.posted == 7)
    time.sleep(0.3)
    assert streams.posted == 7
    streams.reserve = 0
    until(lambda: streams.finished)
    assert gateway.bodies == [unit.post(row) for row in rows]


def test_a_full_gateway_is_asked_again_and_nothing_is_skipped(gateway: Gateway) -> None:
    gateway.answers = [503, 429, 200, 503]
    unit = UNITS["1"]
    rows = unit.production()[:3]
    streams = Streams(gateway.url)
    streams.start(unit, rows)
    until(lambda: streams.finished)
    assert gateway.bodies == [unit.post(row) for row in rows]


def test_a_refusal_for_good_stops_the_stream_and_is_told(gateway: Gateway) -> None:
    gateway.answers = [400]
    streams = Streams(gateway.url)
    streams.start(UNITS["1"], UNITS["1"].production()[:3])
    until(lambda: streams.finished)
    with pytest.raises(GatewayRefused):
        streams.require_healthy()


def test_posts_carry_the_recorded_digits_and_leave_out_what_a_unit_does_not_measure() -> None:
    unit = UNITS["3"]
    row = unit.rows[0]
    assert unit.post(row) == b'{"timestamp": 1388534400, "id": 3, "pwr_avg": 514.24, "wind_spd": 6.87, "t": 4.3}'


def test_the_twin_differs_from_its_record_only_on_the_days_of_the_fraud() -> None:
    honest = {row["timestamp"]: row["pwr_avg"] for row in UNITS["1"].rows}
    first = UNITS["4"].first_day()
    changed = {
        int(row["timestamp"]) // DAY_S - first for row in UNITS["4"].rows if row["pwr_avg"] != honest[row["timestamp"]]
    }
    assert changed == {DIESEL_DAY, REPLAY_DAY}
    by_time = {int(row["timestamp"]): row["pwr_avg"] for row in UNITS["4"].rows}
    start, source = (first + REPLAY_DAY) * DAY_S, (first + REPLAYED_DAY) * DAY_S
    assert [by_time[start + s] for s in range(0, DAY_S, 900)] == [honest[str(source + s)] for s in range(0, DAY_S, 900)]
