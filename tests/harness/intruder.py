"""A hand-made node on the other end of a real connection: it says what a test wants it to say.

The handshake is lawful unless the test spoils it, so that what is refused afterwards is refused for what was said.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import aiohttp
from msgspec.structs import replace

from consensus.messages import ConsensusMessage
from node.transport import NodeKey, transcript
from node.wire import OBSERVER, PROTOCOL, Consensus, Frame, Hello, HelloProof, Ping, Pong, decode_frame, encode_frame
from state.codec import decode, encode
from state.crypto import sign
from state.units import MAX_FRAME_BYTES

ANSWER_S = 10.0

Said = Callable[[ConsensusMessage], None]


class Refused(Exception):
    """The node would not have this handshake."""


class Intruder:
    """An async context: one connection to the node with `node_key` at `address`.

    `seed` is the key that it shows and signs with; `hello` changes its first frame, `proof` the second one.
    """

    def __init__(
        self,
        address: str,
        node_key: bytes,
        chain: bytes,
        seed: bytes | None = None,
        role: int = OBSERVER,
        *,
        certificate: bytes | None = None,
        hello: dict[str, object] | None = None,
        proof: HelloProof | None = None,
        heard: Said | None = None,
    ) -> None:
        self._address, self._node_key, self._chain = address, node_key, chain
        self._key = NodeKey(seed or secrets.token_bytes(32))
        self._role = role
        self._certificate = NodeKey(certificate) if certificate else (self._key if role != OBSERVER else None)
        self._hello, self._spoilt, self._heard = hello or {}, proof, heard
        self.proof: HelloProof | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        try:
            async with asyncio.timeout(2 * ANSWER_S):
                await self._shake_hands()
        except (aiohttp.ClientError, OSError) as error:
            await self._session.close()
            raise Refused(str(error)) from None
        except BaseException:
            await self._session.close()
            raise
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reader.cancel()
        with suppress(asyncio.CancelledError):
            await self._reader
        await self._session.close()

    async def _shake_hands(self) -> None:
        shown = self._certificate or self._key
        context = shown.client_context(self._node_key, show_certificate=self._certificate is not None)
        self.socket = await self._session.ws_connect(
            f"wss://{self._address}/p2p", ssl=context, max_msg_size=MAX_FRAME_BYTES
        )
        nonce, session = secrets.token_bytes(32), secrets.token_bytes(8)
        mine = replace(Hello(PROTOCOL, self._chain, self._role, self._key.public, nonce, session, "", 0), **self._hello)
        await self.socket.send_bytes(encode_frame(mine))
        theirs = await self._answer()
        assert isinstance(theirs, Hello)
        tls = self.socket.get_extra_info("ssl_object")
        signed = transcript(mine.chain, tls.getpeercert(binary_form=True), mine, theirs, True)
        self.proof = HelloProof(sign(self._key.seed, signed))
        await self.socket.send_bytes(encode_frame(self._spoilt or self.proof))
        await self._answer()

    async def _answer(self) -> Frame:
        message = await self.socket.receive(ANSWER_S)
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise Refused("the node closed the connection within the handshake")
        return decode_frame(message.data)

    # --- afterwards

    async def _read(self) -> None:
        """Answer pings, as whoever wants to stay does; hand on what consensus says."""
        async for message in self.socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                return
            frame = decode_frame(message.data)
            if isinstance(frame, Ping):
                with suppress(ConnectionError):
                    await self.socket.send_bytes(encode_frame(Pong(frame.nonce)))
            elif isinstance(frame, Consensus) and self._heard is not None:
                self._heard(decode(ConsensusMessage, frame.payload))  # type: ignore[arg-type]

    async def send(self, data: bytes | str | Frame) -> None:
        """Bytes or a text as they are, or a lawful frame. What the node has closed takes nothing more, in silence."""
        with suppress(ConnectionError, aiohttp.ClientError):
            if isinstance(data, str):
                await self.socket.send_str(data)
            else:
                await self.socket.send_bytes(data if isinstance(data, bytes) else encode_frame(data))

    async def say(self, message: ConsensusMessage) -> None:
        await self.send(Consensus(encode(message)))

    async def closed(self, within_s: float = ANSWER_S) -> bool:
        """Whether the node ends the connection by itself."""
        done, _ = await asyncio.wait([self._reader], timeout=within_s)
        return bool(done)
