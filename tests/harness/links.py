"""A small TCP proxy for every ordered pair of machines, so that each direction of each link can be cut or slowed.

Machine a reaches validator b at `address(a, b)`. What a sends to b passes `direction a -> b`, whoever opened the
connection. A cut direction is a black hole, not a reset: nothing is lost from the stream, but it moves on only where
TCP would send again, 0.2, 0.4, 0.8 ... s after it stood still, and a connection that is opened meanwhile waits for its
next SYN, 1, 2, 4 ... s on. So healing looks to the nodes as it does on a wire.
"""

import asyncio
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress

RETRANSMIT_S = 0.2
SYN_AGAIN_S = 1.0
CHUNK = 65_536

Direction = tuple[int, int]


class Links:
    """Runs on a thread of its own; its methods may be called from any other. `ports` are those of the validators."""

    def __init__(self, machines: int, ports: list[int]) -> None:
        self.machines, self._ports = machines, ports
        self._cut: frozenset[Direction] = frozenset()
        self._delays: dict[Direction, float] = {}
        self._listeners = {
            (a, b): socket.create_server(("127.0.0.1", 0)) for a in range(machines) for b in range(len(ports)) if a != b
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="links", daemon=True)
        self._pumps: set[asyncio.Task[None]] = set()
        self._thread.start()

    def host(self, machine: int) -> str:
        return "127.0.0.1"

    def under(self, machine: int) -> tuple[str, ...]:
        """The command that a machine's process runs under: none."""
        return ()

    def address(self, machine: int, validator: int) -> str:
        return f"127.0.0.1:{self._listeners[machine, validator].getsockname()[1]}"

    # --- faults

    def cut(self, directions: Iterable[Direction]) -> None:
        """These and no others are cut from now on."""
        self._cut = frozenset(directions)

    def slow(self, directions: Iterable[Direction], seconds: float) -> None:
        self._delays = dict.fromkeys(directions, seconds)

    def heal(self) -> None:
        self._cut, self._delays = frozenset(), {}

    def split(self, *groups: Iterable[int]) -> list[Direction]:
        return split(self.machines, *groups)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    # --- the thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        servers = [self._loop.run_until_complete(self._serve(*pair)) for pair in self._listeners]
        try:
            self._loop.run_forever()
        finally:
            for server in servers:
                server.close()
            for pump in self._pumps:
                pump.cancel()
            self._loop.run_until_complete(asyncio.gather(*self._pumps, return_exceptions=True))
            self._loop.close()

    async def _serve(self, a: int, b: int) -> asyncio.Server:
        async def opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._pumps.add(task)
            try:
                await self._join(a, b, reader, writer)
            except (OSError, asyncio.CancelledError):
                pass  # either end went away, or the test is over
            finally:
                self._pumps.discard(task)
                writer.transport.abort()

        return await asyncio.start_server(opened, sock=self._listeners[a, b])

    async def _join(self, a: int, b: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection that a opened to b, until both directions have ended or either end is gone."""
        await self._passed((a, b), SYN_AGAIN_S)
        await self._passed((b, a), SYN_AGAIN_S)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._ports[b])
        ways = [
            asyncio.create_task(self._pump((a, b), reader, far_writer)),
            asyncio.create_task(self._pump((b, a), far_reader, writer)),
        ]
        try:
            await asyncio.gather(*ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            far_writer.transport.abort()

    async def _pump(self, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            data = await reader.read(CHUNK)
            delay = self._delays.get(direction, 0)
            if delay:
                await asyncio.sleep(delay)
            await self._passed(direction, RETRANSMIT_S)
            if not data:
                with suppress(OSError):
                    writer.write_eof() if writer.can_write_eof() else writer.close()
                return
            writer.write(data)
            await writer.drain()

    async def _passed(self, direction: Direction, pause_s: float) -> None:
        while direction in self._cut:
            await asyncio.sleep(pause_s)
            pause_s *= 2


def split(machines: int, *groups: Iterable[int]) -> list[Direction]:
    """The directions between machines of different groups; who is in none is alone."""
    of = {machine: number for number, group in enumerate(groups) for machine in group}
    return [(a, b) for a in range(machines) for b in range(machines) if a != b and of.get(a, ~a) != of.get(b, ~b)]
