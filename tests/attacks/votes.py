"""A validator that votes twice: its home copied and started a second time, then its keys in an attacker's hands."""

import asyncio
import shutil
import time
from pathlib import Path

from harness.intruder import Intruder
from harness.net import free_ports
from harness.world import seed_of

from attacks.book import Attempt, attack
from attacks.field import Field
from consensus.messages import ConsensusMessage, Evidence, Full, Propose, QuorumMessage, VoteMessage
from consensus.votes import FINALIZE, NOTARIZE, NULLIFY, Position, Quorum, make_vote, nullified
from node.config import render_config
from node.wire import VALIDATOR
from state.block import VERSION, Block, Header, header_hash, tx_root
from state.crypto import sign

VILLAIN = 3
OWN_KEY_ELSEWHERE = 74
FOUND_S = 40.0
EVIDENCE_BLOCKS = 10  # within so many blocks evidence must stand on the chain


@attack("cloned validator", "the whole home of validator 3, copied while it runs and started a second time")
def cloned(field: Field, attempt: Attempt) -> None:
    home, copy = field.homes[VILLAIN], field.directory / "clone"
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns("LOCK", "lock", "*.log"))
    p2p, api = free_ports(2)
    settings: dict[str, str | int] = {"node.p2p_listen": f"127.0.0.1:{p2p}", "node.api_listen": f"127.0.0.1:{api}"}
    (copy / "config.toml").write_text(render_config(settings | {"node.keyring": "test", "node.reserve_mib": 1}))
    field.start(copy)
    ends = _ends(field, {"validator 3 itself": home, "its clone": copy})
    for who, code in ends.items():
        attempt.expect(who, f"exit {code}", f"exit {OWN_KEY_ELSEWHERE}")
    if not ends:
        attempt.succeeded.append("two processes voted with one key and neither stopped")
    field.stop(copy)
    field.stop(home)


def _ends(field: Field, homes: dict[str, Path]) -> dict[str, int]:
    """Exit codes of the homes' processes, until one has ended and the other had two seconds more."""
    ends: dict[str, int] = {}
    deadline = time.monotonic() + FOUND_S
    while len(ends) < len(homes) and time.monotonic() < deadline:
        for who, home in homes.items():
            code = None if who in ends else field.exit_code(home, 0.1)
            if code is not None:
                ends[who] = code
                deadline = min(deadline, time.monotonic() + 2.0)
    return ends


@attack("equivocation", "with validator 3's keys: two blocks for one view, votes for both, NULLIFY beside FINALIZE")
def equivocation(field: Field, attempt: Attempt) -> None:
    field.stop(field.homes[VILLAIN])
    began = asyncio.run(_equivocate(field))
    shown = _evidence_height(field, began)
    if shown is None:
        attempt.succeeded.append("no evidence against validator 3 came onto the chain")
        return
    attempt.expect(
        "the ledger", "evidence" if shown <= began + EVIDENCE_BLOCKS else f"{shown - began} blocks", "evidence"
    )
    for index in field.running:
        waiting = field.clients[index].get("/v1/validators")["waiting"]
        leaves = any(change["evidence"] and int(change["participant"]) == VILLAIN + 1 for change in waiting)
        attempt.expect(f"node {index}", "leaves the set" if leaves else "stays", "leaves the set")


def _evidence_height(field: Field, began: int) -> int | None:
    """The height of the block that holds the evidence, once every node has it."""
    deadline = time.monotonic() + FOUND_S
    while time.monotonic() < deadline:
        clients = [field.clients[index] for index in field.running]
        if all(client.get("/v1/validators")["waiting"] for client in clients):
            client = clients[0]
            tip = int(client.status()["height"])
            for low in range(max(1, began - EVIDENCE_BLOCKS), tip + 1, 64):
                for block in client.get("/v1/blocks", **{"from": low}, count=min(64, tip - low + 1))["blocks"]:
                    for txid in block["transactions"]:
                        events = client.transaction(txid)["events"]
                        if any(event["kind"] == "equivocated" for event in events):
                            return int(block["height"])
        time.sleep(0.1)
    return None


async def _equivocate(field: Field) -> int:
    """Lie until a node says that it has seen it; the height at which the last lie was told."""
    villain = Villain(field)
    async with villain.at(0) as one, villain.at(1) as two, villain.at(2) as three:
        villain.peers = [one, two, three]
        async with asyncio.timeout(FOUND_S):
            while not villain.found:
                await villain.answer(await villain.heard.get())
    return villain.began


class Villain:
    """Hears what validators say to validator 3, and lies about every view: to each something else."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self.heard: asyncio.Queue[ConsensusMessage] = asyncio.Queue()
        self.peers: list[Intruder] = []
        self.found = False
        self.began = 0
        self._headers: dict[bytes, Header] = {}
        self._seen: set[int] = set()  # views lied about

    def at(self, index: int) -> Intruder:
        field = self._field
        seed = seed_of(f"node_key{VILLAIN}")
        node = (field.address(index), field.node_key(index), field.chain)
        return Intruder(*node, seed, VALIDATOR, heard=self.heard.put_nowait)

    async def answer(self, message: ConsensusMessage) -> None:
        match message:
            case Propose(content=Full(block=block), vote=vote):
                self._headers[vote.block_hash] = block.header
                if vote.view not in self._seen:
                    await self._vote_for_both(vote.position)
            case QuorumMessage(quorum=quorum) if quorum.kind == NOTARIZE and (quorum.view + 1) % 4 == VILLAIN:
                await self._propose_two(quorum)
            case Evidence():
                self.found = True

    async def _vote_for_both(self, position: Position) -> None:
        self._lied(position.view, self._headers[position.block_hash].height)
        other = position._replace(block_hash=bytes(31) + b"\x01")
        await self._split(self._vote(NOTARIZE, position), self._vote(NOTARIZE, other))
        await self._split(self._vote(FINALIZE, position), self._vote(NULLIFY, nullified(0, position.view)))
        soon = [Position(0, position.view + 1, position.view, bytes(31) + bytes([mark])) for mark in (2, 3)]
        await self._split(*(self._vote(NOTARIZE, each) for each in soon))  # early enough, however slow this machine

    async def _propose_two(self, quorum: Quorum) -> None:
        """Two lawful empty blocks, a millisecond apart."""
        parent, view = self._headers.get(quorum.block_hash), quorum.view + 1
        if parent is None or view in self._seen:
            return
        self._lied(view, parent.height + 1)
        proposals = []
        for later_ms in (1, 2):
            header = Header(
                VERSION,
                0,
                parent.height + 1,
                quorum.block_hash,
                max(int(time.time() * 1_000), parent.timestamp_ms) + later_ms,
                VILLAIN,
                tx_root(()),
                parent.state_root,  # an empty block changes nothing
                parent.validators_hash,
                parent.next_validators_hash,
            )
            position = Position(0, view, quorum.view, header_hash(header))
            vote = self._vote(NOTARIZE, position).vote
            self._headers[position.block_hash] = header
            proposals.append(Propose(Full(Block(header, ())), vote, (quorum,)))
        await self._split(*proposals)

    def _vote(self, kind: int, position: Position) -> VoteMessage:
        seed = seed_of(f"vote_key{VILLAIN}")
        return VoteMessage(make_vote(self._field.chain, kind, position, VILLAIN, lambda message: sign(seed, message)))

    async def _split(self, one: ConsensusMessage, other: ConsensusMessage) -> None:
        """Each to a part of the network, and both to the last node."""
        for peer, messages in zip(self.peers, ((one,), (other,), (one, other)), strict=True):
            for message in messages:
                await peer.say(message)

    def _lied(self, view: int, height: int) -> None:
        self._seen.add(view)
        self.began = height
