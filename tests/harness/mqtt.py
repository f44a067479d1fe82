"""An intake behind a broker: what a node's subscription does, without the node around it."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from node.api.readings import MAX_READINGS_BYTES, take_close, take_readings
from node.intake import Intake
from node.log import open_log
from node.metrics import Metrics
from node.mqtt import Broker, Listener, parse_broker
from node.subscribing import refusal_answer, taken


def listener_of(intake: Intake, at: Broker, metrics: Metrics, name: str, connected: Any = None) -> Listener:
    async def readings(body: bytes) -> dict[str, Any]:
        return taken(await take_readings(body, intake.accept_batch, metrics))

    async def days(body: bytes) -> dict[str, Any]:
        return taken(await take_close(body, intake.accept_close, metrics))

    told = connected or (lambda is_connected: None)
    handlers = {"readings": readings, "days": days}
    return Listener(at, name, handlers, refusal_answer, MAX_READINGS_BYTES, open_log(None), told)


@contextmanager
def listening(intake: Intake, url: str) -> Iterator[None]:
    """On a loop and thread of its own, for tests that block."""
    connected, loop = threading.Event(), asyncio.new_event_loop()

    async def run() -> None:
        metrics = Metrics(bytes(32), 1)
        await listener_of(
            intake, parse_broker(url), metrics, "aside", lambda found: connected.set() if found else None
        ).run()

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    task = asyncio.run_coroutine_threadsafe(run(), loop)
    try:
        assert connected.wait(10), "no broker"
        yield
    finally:
        task.cancel()
        loop.call_soon_threadsafe(lambda: loop.call_later(0.2, loop.stop))
        thread.join(10)
        loop.close()
