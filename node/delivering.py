"""Handing signed bodies to a validator, by HTTP POST or over a broker: nothing counts as handed in before an answer.

A node's address decides: `http://HOST:PORT`, or `mqtt[s]://HOST[:PORT][/PREFIX]`.
"""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

if TYPE_CHECKING:
    from node.mqtt import Requester

REQUEST_TIMEOUT_S = 20
READINGS_PATH, DAYS_PATH = "/v1/readings", "/v1/days"  # of a validator's API; a broker's topics are their last parts
MAX_ANSWER_BYTES = 10_000


@dataclass
class Trouble:
    """Why a validator has not acknowledged what it was sent."""

    code: str
    message: str


def over_broker(address: str) -> bool:
    return address.startswith(("mqtt://", "mqtts://"))


class Delivery:
    """`nodes` in order of preference; `turn` chooses one. Use as a context."""

    def __init__(self, nodes: Sequence[str], mqtt_ca: str = "", mqtt_credentials: str = "") -> None:
        self._nodes = [node.rstrip("/") for node in nodes]
        self._security = (mqtt_ca, mqtt_credentials)
        self._open = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None
        self._requesters: dict[str, Requester] = {}

    async def __aenter__(self) -> "Delivery":
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        self._session = await self._open.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        for node in filter(over_broker, self._nodes):
            from node.mqtt import Requester, parse_broker

            requester = Requester(parse_broker(node, *self._security), REQUEST_TIMEOUT_S)
            self._requesters[node] = await self._open.enter_async_context(requester)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def deliver(self, turn: int, path: str, body: dict[str, Any]) -> dict[str, Any] | Trouble:
        """The answer of the validator that acknowledged it."""
        node = self._nodes[turn % len(self._nodes)]
        requester = self._requesters.get(node)
        if requester is None:
            return await self._post(node + path, body)
        from node.mqtt import Unanswered

        try:
            answer = await requester.ask(path.rpartition("/")[2], json.dumps(body).encode())
        except Unanswered as failure:
            return Trouble("unreachable", str(failure))
        return answer if answer.get("status") == 200 else _trouble(answer, node)

    async def _post(self, url: str, body: dict[str, Any]) -> dict[str, Any] | Trouble:
        assert self._session is not None
        try:
            async with self._session.post(url, json=body) as answer:
                data = (await answer.read())[:MAX_ANSWER_BYTES]
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Trouble("unreachable", f"{url}: {error or type(error).__name__}")
        try:
            value = msgspec.json.decode(data)
        except (msgspec.MsgspecError, ValueError):
            value = None
        if status == 200:
            return value if isinstance(value, dict) else {}
        return _trouble(value, url, status)


def _trouble(refusal: Any, where: str, status: int = 0) -> Trouble:
    try:
        return Trouble(str(refusal["code"])[:64], str(refusal["message"])[:500])
    except (KeyError, TypeError):
        return Trouble(f"http_{status}" if status else "unreadable", where)
