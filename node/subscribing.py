"""Readings off a broker: the same signed bytes as by HTTP, taken by the same intake. Needs the extra `mqtt`.

The node's name at the broker is made of its network and its own key, so that the broker keeps what comes while it is
away, for a week.
"""

import asyncio
from typing import Any

from node.api.readings import MAX_READINGS_BYTES, take_close, take_readings
from node.api.refusals import refusal_dict, status_of
from node.app import Node
from node.config import ConfigError
from node.intake import Intake
from node.metrics import Metrics
from node.mqtt import Broker, Listener, parse_broker
from state.errors import DecodeError, WattestError

NAME_DIGITS = 16


class Subscribing:
    """A part of the node (`node.app.Part`): the last to start and the first to stop."""

    def __init__(self, node: Node, intake: Intake, metrics: Metrics) -> None:
        self._node = node
        self._intake = intake
        self._metrics = metrics
        self._listener = Listener(
            _broker(node),
            f"wattest-{node.chain.hex()[:NAME_DIGITS]}-{node.peers.key.public.hex()[:NAME_DIGITS]}",
            {"readings": self._take_readings, "days": self._take_close},
            refusal_answer,
            MAX_READINGS_BYTES,
            node.log,
            lambda connected: metrics.broker_connected.set(int(connected)),
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._watched())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watched(self) -> None:
        """A disk that fails ends the node, and what was being taken comes again."""
        try:
            await self._listener.run()
        except Exception as error:
            self._node.runtime.fail(error)

    async def _take_readings(self, body: bytes) -> dict[str, Any]:
        self._metrics.broker_messages.inc()
        return taken(await take_readings(body, self._intake.accept_batch, self._metrics))

    async def _take_close(self, body: bytes) -> dict[str, Any]:
        self._metrics.broker_messages.inc()
        return taken(await take_close(body, self._intake.accept_close, self._metrics))


def taken(answer: dict[str, Any]) -> dict[str, Any]:
    return {"schema": "accepted/1", "status": 200, **answer}


def refusal_answer(refusal: WattestError) -> dict[str, Any]:
    """As the API would have said it, with the status that HTTP carries beside the body."""
    return {"schema": "error/1", "status": status_of(refusal), **refusal_dict(refusal)}


def _broker(node: Node) -> Broker:
    config = node.config
    try:
        return parse_broker(*(config.text(f"node.{name}") for name in ("mqtt", "mqtt_ca", "mqtt_credentials")))
    except DecodeError as error:
        raise ConfigError(why=f"node.mqtt: {error}") from None
