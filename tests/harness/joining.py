"""Nodes that begin from a snapshot: homes for them, and peers that hand out the state of a world without a network."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.finalized import FinalizedWorld
from harness.net import free_ports, make_home
from harness.villains.snapshot_liars import Lie, honest
from harness.world import seed_of

from node.app import NodeKeys
from node.config import load_config
from node.genesis import read_genesis
from node.gossip import Ignore, Reject, Sender
from node.joining import Joining
from node.ledger import Ledger
from node.log import open_log
from node.offering import Offering
from node.signer import Signer
from node.transport import NodeKey
from node.wire import VALIDATOR, GetEntries, GetHops, GetSnapshot, Priority, decode_frame, encode_frame
from state.store import open_store

OBSERVER_KEYS = NodeKeys(seed_of("observer"))


def observer_home(directory: Path, genesis: bytes) -> Path:
    """The home of a node without a vote key."""
    p2p, api = free_ports(2)
    return make_home(directory, json.loads(genesis), p2p, api, OBSERVER_KEYS)


def joining(home: Path, keys: NodeKeys = OBSERVER_KEYS) -> Joining:
    """What `run_node` does before it opens the state, where `sync` is `snapshot`."""
    config = load_config(home, environment={})
    config.data.mkdir(parents=True, exist_ok=True)
    votes = tuple(Signer(seed).public for seed in (keys.vote, keys.next_vote) if seed is not None)
    return Joining(
        config, *read_genesis(config.genesis), NodeKey(keys.node), votes, open_log(home / "node.log", "debug")
    )


def ledger_of(home: Path, world: FinalizedWorld, **settings: int) -> Ledger:
    """The state of a home whose node does not run."""
    genesis, chain = read_genesis(home / "genesis.json")
    assert chain == world.chain
    return Ledger.open(open_store(home / "data" / "state", create=False), genesis, chain, **settings)


def set_config(home: Path, **settings: Any) -> None:
    """Rewrite settings of the [node] section."""
    path = home / "config.toml"
    lines = path.read_text().splitlines()
    for name, value in settings.items():
        written = f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}"
        lines = [written if line.split(" = ")[0].removeprefix("# ") == name else line for line in lines]
    path.write_text("\n".join(lines) + "\n")


class Offerer:
    """A validator that hands out the state of `world`; every answer goes through its `lie`."""

    def __init__(self, index: int, world: FinalizedWorld, lie: Lie = honest) -> None:
        self.sender = Sender(f"{index:02x}" * 20, VALIDATOR, index)
        self.lie = lie
        self.offering = Offering(world.ledger, self, open_log(None))  # type: ignore[arg-type]
        self.town: Town | None = None
        self.cut_off = False

    def take(self, data: bytes) -> None:
        asker = Sender("ff" * 20, VALIDATOR, None)
        match decode_frame(data):
            case GetSnapshot() as asked:
                self.offering.asked_snapshot(asker, asked)
            case GetEntries() as asked:
                self.offering.asked_entries(asker, asked)
            case GetHops() as asked:
                self.offering.asked_hops(asker, asked)

    def send(self, to: str, data: bytes, priority: Priority) -> bool:
        """As `Peers.send`, towards the one that joins; False where the connection has ended."""
        assert self.town is not None
        self.cut_off = False
        for each in self.lie(decode_frame(data)):
            self.town.deliver(self.sender, encode_frame(each))
        return not self.cut_off


@dataclass
class Town:
    """Stands in for `Peers` of a node that joins: offerers that answer at once, without sockets."""

    offerers: list[Offerer]
    banned: list[tuple[int | None, str]] = field(default_factory=list)
    asked: list[int | None] = field(default_factory=list)
    joining: Joining | None = None

    @property
    def connected_validators(self) -> list[Offerer]:
        gone = [index for index, _ in self.banned]
        return [each for each in self.offerers if each.sender.index not in gone]

    async def start(self) -> None:
        for each in self.offerers:
            each.town = self
            await each.offering.start()

    async def stop(self) -> None:
        for each in self.offerers:
            await each.offering.stop()

    def send(self, to: str, data: bytes, priority: Priority, asks: bool = False) -> bool:
        for each in self.connected_validators:
            if each.sender.name == to:
                if isinstance(decode_frame(data), GetSnapshot):
                    self.asked.append(each.sender.index)
                asyncio.get_running_loop().call_soon(each.take, data)
                return True
        return False

    def deliver(self, sender: Sender, data: bytes) -> None:
        assert self.joining is not None
        with suppress(Ignore, Reject):
            self.joining.frame_received(sender, decode_frame(data))

    def drop(self, offerer: Offerer) -> None:
        """The connection ends, and the peer dials again at once."""
        assert self.joining is not None
        offerer.cut_off = True
        self.joining.peer_down(offerer.sender)
        self.joining.peer_up(offerer.sender)

    def blame(self, name: str, points: int, why: str) -> None:
        self.banned += [(each.sender.index, why) for each in self.offerers if each.sender.name == name]


async def join(home: Path, town: Town, keys: NodeKeys = OBSERVER_KEYS, timeout_s: float = 20.0) -> bool:
    """Whether a state was installed."""
    town.joining = joining(home, keys)
    town.joining.peers = town  # type: ignore[assignment]
    async with asyncio.timeout(timeout_s):
        return await town.joining.run()
