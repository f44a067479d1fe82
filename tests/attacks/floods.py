"""More than anybody may send: transactions, requests, connections, frames. Everybody else is served meanwhile."""

import asyncio
import socket
import time
from collections import Counter
from contextlib import suppress

from harness.intruder import Intruder, Refused
from harness.world import key_of

from attacks.book import Attempt, attack
from attacks.field import Field
from consensus.messages import GetBlocks
from contracts.transition import DecodedTx
from node.wire import Consensus, Transactions, encode_frame
from state.codec import encode
from state.transaction import Propose, Register, RoleContent

PATIENCE_S = 10.0  # for one answer to somebody else while the flood goes on


def answered(field: Field, attempt: Attempt) -> None:
    """Somebody else asks the flooded node something, and its height rises."""
    client, began = field.clients[0], time.monotonic()
    height = int(client.status()["height"])
    if time.monotonic() - began > PATIENCE_S:
        attempt.succeeded.append("the flooded node answered nobody in time")
    deadline = time.monotonic() + 3 * PATIENCE_S
    while int(client.status()["height"]) <= height:
        if time.monotonic() > deadline:
            attempt.succeeded.append("the flooded node made no block")
            return
        time.sleep(0.05)


def count(attempt: Attempt, who: str, codes: Counter[str], *lawful: str) -> None:
    for code, number in codes.items():
        attempt.tried += number
        if code in lawful:
            attempt.refused[who, code] += number
        elif code != "accepted":
            attempt.succeeded.append(f"{who} answered {code} {number} times")


def batch(field: Field, index: int, transactions: list[DecodedTx]) -> Counter[str]:
    results = field.clients[index].submit_batch([tx.raw for tx in transactions])
    return Counter(str(result.get("code", "accepted")) for result in results)


@attack("flood of transactions", "one key sends hundreds at once; strangers register by the hundred; bad signatures")
def transactions(field: Field, attempt: Attempt) -> None:
    number = 150 if attempt.short else 600
    spam = Propose(field.id("mallory"), RoleContent(field.id("mallory"), "market_operator", 4_000_000_000))
    own = [field.transaction(spam, by=("mallory",)) for _ in range(number)]
    count(attempt, "node 0", batch(field, 0, own), "limit_reached")
    strangers = [field.transaction(spam, by=(f"stranger {each}",)) for each in range(number)]
    count(attempt, "node 1", batch(field, 1, strangers), "not_registered")
    name = field.transaction(Register(key_of("nobody"), "Nobody", "FR", b""), by=("nobody",))
    spoilt = [
        name.raw[:-place] + bytes([name.raw[-place] ^ 1]) + name.raw[len(name.raw) - place + 1 :]
        for place in range(1, 65)
    ]
    results = field.clients[2].submit_batch(spoilt)
    count(attempt, "node 2", Counter(str(result.get("code")) for result in results), "bad_signature")
    answered(field, attempt)


@attack("flood of requests", "more posts than an address may send, idle connections, half a header, half a body")
def requests(field: Field, attempt: Attempt) -> None:
    host, _, port = field.clients[3].url.removeprefix("http://").partition(":")
    codes: Counter[str] = Counter()
    post = b"POST /v1/days HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    with socket.create_connection((host, int(port)), 10) as caller:
        caller.settimeout(10)
        for _ in range(15):
            caller.sendall(post * 20)
            answer = b""
            while answer.count(b"HTTP/1.1") < 20 or not answer.endswith(b"}"):
                answer += caller.recv(65_536)
            codes["rate_limited"] += answer.count(b" 429 ")
            codes["bad_json"] += answer.count(b" 400 ")
    if not codes["rate_limited"]:
        attempt.succeeded.append("node 3 took 300 posts at once of one address")
    count(attempt, "node 3", codes, "rate_limited", "bad_json")
    half = [
        b"",
        b"GET /v1/sta",
        b"POST /v1/days HTTP/1.1\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n{",
    ]
    waiting = []
    host, _, port = field.clients[0].url.removeprefix("http://").partition(":")
    for number in range(90 if attempt.short else 300):
        with suppress(OSError):
            held = socket.create_connection((host, int(port)), 5)
            held.sendall(half[number % 3])
            waiting.append(held)
    answered(field, attempt)
    attempt.tried += len(waiting)
    for each in waiting:
        each.close()
    attempt.refused["node 0", "left waiting"] += len(waiting)


@attack(
    "flood of frames", "an observer sends thousands of questions and transactions as fast as it can; many connections"
)
def frames(field: Field, attempt: Attempt) -> None:
    ignored = field.counted(0, "wattest_p2p_refused_total", reason="ignored")
    crowd = asyncio.run(_flood(field, 1_000 if attempt.short else 10_000))
    answered(field, attempt)
    attempt.tried += sum(crowd.values())
    attempt.refused["node 0 (handshake)", "no room"] += crowd["refused"]
    if not crowd["refused"]:
        attempt.succeeded.append("node 0 let any number of observers of one address in")
    over = field.counted(0, "wattest_p2p_refused_total", reason="ignored") - ignored
    if not over:
        attempt.succeeded.append("node 0 took every frame of a flood")
    attempt.refused["node 0", "ignored"] += over


async def _flood(field: Field, frames: int) -> Counter[str]:
    crowd: Counter[str] = Counter()
    node = (field.address(0), field.node_key(0), field.chain)
    question = encode_frame(Consensus(encode(GetBlocks(1, 64))))
    known = encode_frame(Transactions((field.final.raw,)))
    async with Intruder(*node) as one, Intruder(*node) as two:
        for _ in range(8):
            try:
                async with Intruder(*node):
                    crowd["let in"] += 1
            except Refused:
                crowd["refused"] += 1
        with suppress(TimeoutError):  # the node stops reading, and TCP holds the flood back
            async with asyncio.timeout(3.0):
                for _ in range(frames):
                    await one.send(question)
                    await two.send(known)
                    crowd["frames"] += 2
        await asyncio.sleep(0.2)
    return crowd
