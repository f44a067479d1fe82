"""Bytes that are no frame, no handshake, no request."""

import asyncio
import http.client
import json

from harness.intruder import Intruder, Refused
from harness.world import seed_of

from attacks.book import Attempt, attack
from attacks.field import Field, code_of
from consensus.messages import QuorumMessage, VoteMessage
from consensus.votes import NULLIFY, Quorum, Vote
from node.wire import VALIDATOR, Consensus, Ping, Transactions, encode_frame
from state.codec import encode
from state.units import MAX_FRAME_BYTES

VOTE = Vote(NULLIFY, 0, 1, 0, bytes(32), 0, bytes(64))
QUORUM = Quorum(NULLIFY, 0, 1, 0, bytes(32), b"\x0f", (bytes(64),) * 4)


@attack("malformed frames", "no MessagePack, another spelling, unknown kind, over 4 MiB, text, votes by an observer")
def frames(field: Field, attempt: Attempt) -> None:
    ping = encode_frame(Ping(7))
    spoilt: dict[str, bytes | str] = {
        "text": "ping",
        "no MessagePack": b"\xc1",
        "another spelling": b"\xdc\x00" + ping[:1] + ping[1:],
        "cut short": ping[:-1],
        "something behind": ping + b"\xc0",
        "unknown kind": encode(["teleport", 1]),
        "over the limit": bytes(MAX_FRAME_BYTES + 1),
        "no message inside": encode_frame(Consensus(b"\xc0")),
        "a vote by an observer": encode_frame(Consensus(encode(VoteMessage(VOTE)))),
        "a quorum by an observer": encode_frame(Consensus(encode(QuorumMessage(QUORUM)))),
        "no transaction": encode_frame(Transactions((b"\xc0",))),
    }
    names = list(spoilt)[:: 2 if attempt.short else 1]
    for index in field.running[:2]:
        for name in names:
            code = asyncio.run(_until_banned(field, index, spoilt[name]))
            attempt.expect(f"node {index}", code, "banned")


async def _until_banned(field: Field, index: int, data: bytes | str) -> str:
    """What becomes of a stranger who says this again and again, and then wants to come back."""
    seed = seed_of(f"stranger {index} {hash(data)}")
    async with Intruder(field.address(index), field.node_key(index), field.chain, seed) as stranger:
        for _ in range(8):
            await stranger.send(data)
        if not await stranger.closed(10.0):
            return "still connected"
    try:
        async with Intruder(field.address(index), field.node_key(index), field.chain, seed):
            return "let in again"
    except Refused:
        return "banned"


@attack("malformed handshakes", "another chain, another protocol, a validator's name without its key, a replayed proof")
def handshakes(field: Field, attempt: Attempt) -> None:
    asyncio.run(_handshakes(field, attempt))


async def _handshakes(field: Field, attempt: Attempt) -> None:
    node = (field.address(0), field.node_key(0))
    async with Intruder(*node, field.chain) as lawful:
        proof = lawful.proof
    validator = field.node_key(1)
    strange: list[tuple[str, Intruder]] = [
        ("another chain", Intruder(*node, bytes(32))),
        ("another protocol", Intruder(*node, field.chain, hello={"protocol": 9})),
        ("a replayed proof", Intruder(*node, field.chain, proof=proof)),
        ("another's key", Intruder(*node, field.chain, hello={"node_key": validator})),
        ("a validator without certificate", Intruder(*node, field.chain, role=VALIDATOR)),
        ("a validator's name", Intruder(*node, field.chain, hello={"node_key": validator, "role": VALIDATOR})),
        ("the node itself", Intruder(*node, field.chain, seed_of("node_key0"))),
    ]
    for name, intruder in strange:
        try:
            async with intruder:
                attempt.expect(f"handshake: {name}", "let in", "refused")
        except Refused:
            attempt.expect("node 0 (handshake)", "refused", "refused")


@attack("malformed requests", "JSON 100,000 deep, 5 MB, doubled keys, NaN, no length, a wrong type, a compressed body")
def requests(field: Field, attempt: Attempt) -> None:
    json_type, msgpack = "application/json", "application/msgpack"
    tries = [
        ("/v1/readings", b"[" * 100_000, json_type, ("bad_json",)),
        ("/v1/readings", b'{"readings": [' + b"[" * 50 + b"]" * 50 + b"]}", json_type, ("bad_json",)),
        ("/v1/readings", b'{"key": "", "key": "", "readings": [], "signature": ""}', json_type, ("bad_json",)),
        ("/v1/readings", b'{"readings": NaN, "signature": "", "key": ""}', json_type, ("bad_json",)),
        ("/v1/readings", b"\xff\xfe", json_type, ("bad_json",)),
        ("/v1/readings", json.dumps({"readings": ["x" * 5_000_000]}).encode(), json_type, ("body_too_large",)),
        ("/v1/transactions", bytes(5_000_000), msgpack, ("body_too_large",)),
        ("/v1/transactions", b"\xdd\xff\xff\xff\xff", msgpack, ("malformed",)),
        ("/v1/transactions", b"\x91" * 100_000, msgpack, ("malformed",)),
        ("/v1/transactions", field.final.raw, "text/plain", ("wrong_media_type",)),
        ("/v1/transactions/batch", encode([[1]] * 2_000), msgpack, ("malformed",)),
        ("/v1/days", b'{"close": [1, 2], "signature": "", "key": ""}', json_type, ("bad_json",)),
        ("/v1/days", b'{"close": [1e3, -1, 1, 1, "", ""], "signature": "", "key": ""}', json_type, ("bad_json",)),
    ]
    for place, (path, body, content_type, lawful) in enumerate(tries):
        index = place % 3
        attempt.expect(f"node {index}", code_of(field.clients[index], path, body, content_type), *lawful)
    for headers, code in (
        ({"Transfer-Encoding": "chunked"}, "length_required"),
        ({"Content-Encoding": "gzip"}, "wrong_media_type"),
    ):
        attempt.expect("node 0", _raw_post(field, headers), code)


def _raw_post(field: Field, headers: dict[str, str]) -> str:
    connection = http.client.HTTPConnection(field.clients[0].url.removeprefix("http://"), timeout=15)
    try:
        body = b"0\r\n\r\n" if "Transfer-Encoding" in headers else b"\x1f\x8b"
        lengths = {} if "Transfer-Encoding" in headers else {"Content-Length": str(len(body))}
        connection.putrequest("POST", "/v1/readings")
        for name, value in {"Content-Type": "application/json", **lengths, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        return str(json.loads(connection.getresponse().read())["code"])
    finally:
        connection.close()
