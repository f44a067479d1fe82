"""The wire between nodes and model: each node's status every second, and the event stream of one of them.

The stream is taken from the first node that answers; where it breaks, the next one goes on at the height that is owed,
so nothing is lost and nothing counted twice. Nothing here waits for the screen, nor the screen for this: many messages
that come at once are handed over in slices.
"""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from tui.model import NetworkModel
from tui.texts import t

if TYPE_CHECKING:
    from aiohttp import ClientSession, ClientWebSocketResponse

POLL_S = 1.0
ANSWER_S = 2.0  # a node that takes longer is asked once more before it counts as down
RETRY_S = 0.3
HEARTBEAT_S = 5.0  # a node that hangs without closing is left after this
STALE_S = 5.0  # nothing heard for so long: what is on the screen is old, and says so
SLICE_S = 0.02  # of message handling before keys and painting get their turn
REPLAY = 20_000  # blocks; a dashboard on a longer chain begins that far back
MAX_MESSAGE = 32 * 1024 * 1024  # a full block has 4,000 actions, each with its events
PAGE = 200
MISREAD = (KeyError, TypeError, ValueError, IndexError)  # what a message of another shape raises in the model


@dataclass(frozen=True)
class Freshness:
    text: str
    stale: bool


class Source(Protocol):
    """Where the screen's model is fed from: running nodes, or a recording of some."""

    async def run(self) -> None: ...

    def freshness(self) -> Freshness: ...

    def answering(self) -> str: ...


class Feed:
    """`run` until cancelled. `following` is the index of the node whose stream is followed."""

    def __init__(self, urls: list[str], model: NetworkModel, now: Callable[[], float] = time.monotonic) -> None:
        self.urls = [url if "//" in url else f"http://{url}" for url in urls]
        self.model = model
        self.following: int | None = None
        self.misread = 0  # messages that this dashboard does not understand
        self._now = now
        self._heard: float | None = None
        self._silent = asyncio.Event()  # the node whose stream is followed stopped answering

    async def run(self) -> None:
        aiohttp = await asyncio.to_thread(import_module, "aiohttp")  # after the first paint: it takes a while
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S)) as session:
            polls = [self._poll(session, index) for index in range(len(self.urls))]
            await asyncio.gather(*polls, self._follow(session), self._name(session))

    def freshness(self) -> Freshness:
        """Whether what is known is of now, in words for the title line."""
        if self._heard is None:
            return Freshness(t("no node answers yet"), True)
        age = self._now() - self._heard
        if age > STALE_S:
            return Freshness(t("stale: nothing heard for {age} s", age=int(age)), True)
        if self.following is None:
            others = self.model.chain.others_only()
            return Freshness(t("another network answers: start again") if others else t("reconnecting"), True)
        return Freshness(t("live", "feed"), False)

    def answering(self) -> str:
        """Address of a node to ask for details: the one that is followed, else the first that answers."""
        if self.following is not None:
            return self.urls[self.following]
        return self.urls[next(iter(self._candidates()), 0)]

    # --- status

    async def _poll(self, session: "ClientSession", index: int) -> None:
        while True:
            status = await self._status(session, index)
            if status is not None:
                self._heard = self._now()
            elif index == self.following:
                self._silent.set()
            with suppress(*MISREAD):
                self.model.apply_status(index, status)
            await asyncio.sleep(POLL_S)

    async def _status(self, session: "ClientSession", index: int) -> dict[str, Any] | None:
        """None at once where nobody listens; a slow answer gets a second chance."""
        for _ in range(2):
            try:
                return await self._get(session, index, "/v1/status")
            except TimeoutError:
                continue
            except (OSError, ValueError, _client_error()):
                return None
        return None

    async def _get(self, session: "ClientSession", index: int, path: str) -> dict[str, Any]:
        async with session.get(self.urls[index] + path) as response:
            response.raise_for_status()
            answer = await response.json()
            if not isinstance(answer, dict):
                raise ValueError("the answer is no object")
            return answer

    # --- events

    async def _follow(self, session: "ClientSession") -> None:
        """Stay on one node while it lasts, then go round the others."""
        last = -1
        while True:
            for index in sorted(self._candidates(), key=lambda index: (index - last - 1) % len(self.urls)):
                last = index
                with suppress(OSError, TimeoutError, _client_error()):
                    await self._stream(session, index)
                self.following = None
            await asyncio.sleep(RETRY_S)

    def _candidates(self) -> list[int]:
        """Nodes that answered last and are of this chain."""
        chain, statuses = self.model.chain.chain_id, self.model.chain.statuses
        return [index for index, status in statuses.items() if status is not None and status["chain_id"] == chain]

    async def _stream(self, session: "ClientSession", index: int) -> None:
        status = self.model.chain.statuses[index]
        assert status is not None, "only nodes that answered are candidates"
        held_from = int(status.get("sync", {}).get("history_from") or 0)  # of a node that began from a snapshot
        first = max(1, self.model.next_height, int(status["height"]) - REPLAY + 1, held_from)
        url = f"{self.urls[index]}/v1/events?from={first}"
        async with session.ws_connect(url, heartbeat=HEARTBEAT_S, max_msg_size=MAX_MESSAGE) as stream:
            self.following = index
            self._silent.clear()
            leaving = asyncio.create_task(self._leave(stream))
            try:
                await self._take(stream)
            finally:
                leaving.cancel()

    async def _leave(self, stream: "ClientWebSocketResponse") -> None:
        await self._silent.wait()
        await stream.close()

    async def _take(self, stream: "ClientWebSocketResponse") -> None:
        began = self._now()
        async for message in stream:
            if not isinstance(message.data, str):
                continue
            self._apply(message.data)
            self._heard = self._now()
            if self._heard - began > SLICE_S:
                await asyncio.sleep(0)
                began = self._now()

    def _apply(self, text: str) -> None:
        try:
            message = json.loads(text)
            if message.get("kind", "block") == "block":
                self.model.apply_block(message)
            else:
                self.model.apply_live(message)
        except (*MISREAD, AttributeError):
            self.misread += 1

    # --- names

    async def _name(self, session: "ClientSession") -> None:
        """Ask for the lists whenever the model met an id that it has no name for."""
        asked_registry = False
        while True:
            await asyncio.sleep(RETRY_S)
            if not self.model.names.wanted or not self._candidates():
                continue
            index = self.following if self.following is not None else self._candidates()[0]
            self.model.names.wanted = False
            try:
                if not asked_registry:
                    await self._registry(session, index)
                    asked_registry = True
                for kind in ("schemes", "participants", "devices"):
                    self.model.apply_names(kind, await self._list(session, index, kind))
            except (OSError, TimeoutError, *MISREAD, _client_error()):
                self.model.names.wanted = True
            await asyncio.sleep(POLL_S)

    async def _registry(self, session: "ClientSession", index: int) -> None:
        answer = await self._get(session, index, "/v1/genesis")
        self.model.apply_registry(json.loads(answer["genesis"])["parameters"]["registry_code"])

    async def _list(self, session: "ClientSession", index: int, kind: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            answer = await self._get(
                session, index, f"/v1/{kind}?limit={PAGE}{cursor}" if kind != "schemes" else "/v1/schemes"
            )
            items += answer[kind]
            if not answer.get("cursor"):
                return items
            cursor = f"&cursor={answer['cursor']}"


def _client_error() -> type[Exception]:
    """aiohttp's own class, looked up when it is needed: importing it early would delay the first paint."""
    from aiohttp import ClientError

    return ClientError
