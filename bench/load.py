"""Load for the ledger's measurements: bundles that their holders hand on, signed beforehand from fixed seeds.

Every transaction is used once; a transfer of block k spends what the transfer of block k - 1 created.
"""

import json
import random
from pathlib import Path
from typing import Any

from contracts.context import BlockEnvironment
from contracts.genesis import Genesis, chain_id, parse_genesis
from contracts.issue import NO_INPUTS
from contracts.transition import DecodedTx, decode_signed
from node.ledger import Ledger
from state.attestation import ACCEPT, Attestation, SignedBy, attestation_bytes
from state.block import Block
from state.codec import encode
from state.crypto import H, public_key, sign
from state.keyspace import device_key
from state.outputs import outpoint
from state.records import Device, DeviceFacts
from state.store import MemoryStore
from state.transaction import (
    Action,
    AttestedDay,
    Body,
    DeviceContent,
    Issue,
    Piece,
    ProfileContent,
    ProposalContent,
    Propose,
    Register,
    Transaction,
    Transfer,
    Vote,
    signing_bytes,
)
from state.units import REGISTER_PER_BLOCK, Outpoint

VALIDATORS = 4
SEED = 1
START_S = 1_700_000_000
FAR = 4_000_000_000
DAY, MONTH = 16_162, 201_404  # 2014-04-02
KWH_SCHEME = 2
PIECES = 250  # of one splitting transfer

PLANT = DeviceFacts(
    name="load",
    gsrn="",
    country="FR",
    zone="FR",
    location="",
    fuel="F01050100",
    technology="T020001",
    capacity_w=2_050_000,
    commissioned_day=14_245,
    interval_s=600,
    channels=3,
    latitude_udeg=48_456_900,
    longitude_udeg=5_584_700,
    coordinates_estimated=False,
    tilt_udeg=-1,
    azimuth_udeg=-1,
    hub_height_cm=8_000,
    insolation_source="none",
    support="",
)


class Load:
    """A network in memory that is brought to the point where `holders` participants hold one certificate each.

    `preparation` are its blocks so far; `transfers()` gives the signed transactions of the next block.
    """

    def __init__(self, holders: int) -> None:
        self.genesis, self.chain = load_genesis()
        self._ledger = Ledger.open(MemoryStore(), self.genesis, self.chain)
        self._holders = holders
        self._salt = 0
        self.preparation: list[Block] = []
        self._owner = VALIDATORS + 1  # participants are numbered from 1, the organisations first
        self._register()
        self._accredit()
        self._points = self._split(self._issue())
        self._held_by = [self._owner + index for index in range(holders)]
        self._draw = random.Random(SEED)

    def transfers(self) -> list[bytes]:
        """Each bundle goes to somebody drawn by the seed: as many signed single-action transactions as holders."""
        made = []
        for index, point in enumerate(self._points):
            sender, serial = self._held_by[index], index + 1
            receiver = self._owner + self._draw.randrange(self._holders)
            pieces = (Piece(receiver, serial, serial),)
            decoded = self._signed(Transfer(sender, (point,), pieces, None), self._seed(sender))
            self._points[index], self._held_by[index] = outpoint(decoded.txid, 0), receiver
            made.append(decoded.raw)
        return made

    def holder_of(self, serial: int) -> int:
        """Who must hold a certificate once all transfers so far are final."""
        return self._held_by[serial - 1]

    # --- preparation

    def _register(self) -> None:
        people = range(self._owner, self._owner + self._holders)
        for start in range(0, self._holders, REGISTER_PER_BLOCK):
            chosen = people[start : start + REGISTER_PER_BLOCK]
            seeds = [self._seed(person) for person in chosen]
            self._block([self._signed(Register(public_key(s), f"holder {s[:4].hex()}", "FR", b""), s) for s in seeds])

    def _accredit(self) -> None:
        self._propose(1, DeviceContent(self._owner, KWH_SCHEME, PLANT, FAR))
        self._propose(2, ProfileContent(1, H("load/profile", b""), 1_388_534_400, 1_396_310_400))

    def _propose(self, number: int, content: ProposalContent) -> None:
        self._block([self._signed(Propose(self._owner, content), self._seed(self._owner))])
        quorum = self._environment().quorum
        votes = [Vote(number, index, True, "") for index in range(quorum)]
        self._block([self._signed(vote, secret("governance", vote.validator)) for vote in votes])

    def _issue(self) -> Outpoint:
        """One certificate of 1 kWh for each holder, in one bundle."""
        device = self._ledger.store.get(device_key(1))
        assert isinstance(device, Device)
        energy = self._holders * 1_000
        root = H("load/root", b"")
        attestation = Attestation(0, 1, DAY, 0, 0, root, NO_INPUTS, device.profile_hash, 1, ACCEPT, (), energy, energy)
        message = attestation_bytes(self.chain, attestation)
        quorum = range(self._environment().quorum)
        signatures = tuple(SignedBy(index, sign(secret("vote", index), message)) for index in quorum)
        days = (AttestedDay(attestation, signatures),)
        issue = Issue(
            1, device.owner, device.scheme, 1_000, "kWh", MONTH, PLANT, days, 0, 0, device.next_serial, self._holders
        )
        decoded = self._signed(issue)
        self._block([decoded])
        return outpoint(decoded.txid, 0)

    def _split(self, whole: Outpoint) -> list[Outpoint]:
        """One certificate for each holder, in the order of the holders."""
        points: list[Outpoint] = []
        for start in range(0, self._holders, PIECES):
            count = min(PIECES, self._holders - start)
            pieces = [Piece(self._owner + n, n + 1, n + 1) for n in range(start, start + count)]
            if start + count < self._holders:
                pieces.append(Piece(self._owner, start + count + 1, self._holders))
            decoded = self._signed(Transfer(self._owner, (whole,), tuple(pieces), None), self._seed(self._owner))
            self._block([decoded])
            points += [outpoint(decoded.txid, index) for index in range(count)]
            whole = outpoint(decoded.txid, count)
        return points

    def _block(self, transactions: list[DecodedTx]) -> None:
        ledger, tip = self._ledger, self._ledger.tip
        block, refused = ledger.build_with_refused(tip.hash, transactions, tip.header.timestamp_ms + 1_000, 0)
        assert not refused, f"the preparation was refused: {refused[0][1]}"
        ledger.commit(block, b"", tip.view + 1)
        self.preparation.append(block)

    def _environment(self) -> BlockEnvironment:
        return self._ledger.environment(self._ledger.tip.hash, START_S * 1_000)

    def _signed(self, action: Action, *seeds: bytes) -> DecodedTx:
        self._salt += 1
        keys = tuple(public_key(seed) for seed in seeds)
        expiry = self._ledger.tip.height + 5_000
        body = Body(self.chain, keys, (action,), expiry, self._salt.to_bytes(8, "big"))
        message = signing_bytes(body)
        return decode_signed(encode(Transaction(body, tuple(sign(seed, message) for seed in seeds))))

    def _seed(self, participant: int) -> bytes:
        return secret("holder", participant)


def secret(kind: str, index: int) -> bytes:
    return H("load/seed", (kind, index))


def load_genesis() -> tuple[Genesis, bytes]:
    """The reference genesis with validators filled in, and its chain id."""
    value: dict[str, Any] = json.loads((Path(__file__).resolve().parents[1] / "genesis.json").read_text())
    value["timestamp_ms"] = START_S * 1_000
    value["validators"] = [
        {
            "name": f"Organisation {index}",
            "country": "FR",
            "vote_key": public_key(secret("vote", index)).hex(),
            "node_key": public_key(secret("node", index)).hex(),
            "escrow_key": public_key(secret("escrow", index)).hex(),
            "governance_key": public_key(secret("governance", index)).hex(),
            "address": f"127.0.0.1:{9_000 + index}",
        }
        for index in range(VALIDATORS)
    ]
    return parse_genesis(json.dumps(value).encode()), chain_id(value)
