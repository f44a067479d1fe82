"""Load for the ledger's measurements: bundles that their holders hand on, signed beforehand from fixed seeds.

Every transaction is used once; a transfer of block k spends what the transfer of block k - 1 created.
"""

import json
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from consensus.validators import ValidatorSet
from consensus.votes import FINALIZE, Position, Quorum, make_quorum, make_vote
from contracts.genesis import Genesis, chain_id, parse_genesis
from contracts.hearing import NO_INPUTS
from contracts.release import BASIS_POINTS
from contracts.transition import DecodedTx, decode_signed
from node.ledger import Ledger
from state.attestation import ACCEPT, Attestation, SignedBy, attestation_bytes
from state.block import Block, header_hash
from state.codec import encode
from state.crypto import H, exchange_key, public_key, sign
from state.keyspace import device_key, scheme_key
from state.outputs import outpoint
from state.records import Device, DeviceFacts, Scheme
from state.store import MemoryStore, Store
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
SPLITS_PER_BLOCK = 16
KWH_PER_DAY = 49_000  # 2.05 MW for a day, and no more

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
    """A network that is brought to the point where `holders` participants hold `bundles` bundles of one certificate.

    `preparation` are its blocks so far, each with the Finalization that three validators signed; `transfers()` gives
    the signed transactions of the next block. `store` keeps the ledger in memory unless a place on disk is given.
    """

    def __init__(
        self,
        holders: int,
        bundles: int = 0,
        network: tuple[Genesis, bytes] | None = None,
        store: Store | None = None,
        step_ms: int = 1_000,
    ) -> None:
        self.genesis, self.chain = network or load_genesis()
        self.ledger = Ledger.open(store or MemoryStore(), self.genesis, self.chain)
        self._set = ValidatorSet(tuple(validator.vote_key for validator in self.ledger.validators))
        self._holders = holders
        self._step_ms = step_ms
        self._salt = 0
        self.preparation: list[tuple[Block, Quorum]] = []
        self._owner = VALIDATORS + 1  # participants are numbered from 1, the organisations first
        self._register()
        self._accredit()
        count = bundles or holders
        self._held_by = self._dealt(count)
        self._points = self._split(self._issue(count), count)
        self._draw = random.Random(SEED)

    def transfers(self) -> list[bytes]:
        """Each bundle goes to somebody drawn by the seed: as many signed single-action transactions as bundles."""
        return [self._moved([index]) for index in range(len(self._points))]

    def transfers_of(self, moves: int) -> list[bytes]:
        """The same with `moves` bundles of one holder in a transaction; what is left over of a holder's stays."""
        held: dict[int, list[int]] = {}
        for index, holder in enumerate(self._held_by):
            held.setdefault(holder, []).append(index)
        groups = [own[at : at + moves] for own in held.values() for at in range(0, len(own) - moves + 1, moves)]
        self._draw.shuffle(groups)
        return [self._moved(group) for group in groups]

    def _moved(self, indices: list[int]) -> bytes:
        """One transaction in which a holder sends each of these bundles to somebody."""
        sender, actions = self._held_by[indices[0]], []
        for index in indices:
            receiver, serial = self._owner + self._draw.randrange(self._holders), index + 1
            actions.append(Transfer(sender, (self._points[index],), (Piece(receiver, serial, serial),), None))
            self._held_by[index] = receiver
        decoded = self._signed(actions, secret("holder", sender))
        for position, index in enumerate(indices):
            self._points[index] = outpoint(decoded.txid, position)
        return decoded.raw

    def holder_of(self, serial: int) -> int:
        """Who must hold a certificate once all transfers so far are final."""
        return self._held_by[serial - 1]

    def outpoint_of(self, serial: int) -> bytes:
        """The output that must hold it then."""
        return self._points[serial - 1]

    @property
    def certificates(self) -> int:
        return len(self._points)

    @property
    def participants(self) -> range:
        """The numbers of the holders."""
        return range(self._owner, self._owner + self._holders)

    # --- preparation

    def _dealt(self, count: int) -> list[int]:
        """Whose each of so many bundles is: everybody's in turn."""
        return [self._owner + index % self._holders for index in range(count)]

    def _register(self) -> None:
        for start in range(0, self._holders, REGISTER_PER_BLOCK):
            seeds = [secret("holder", person) for person in self.participants[start : start + REGISTER_PER_BLOCK]]
            self.block([self._signed([Register(public_key(s), f"holder {s[:4].hex()}", "FR", b"")], s) for s in seeds])

    def _accredit(self) -> None:
        self._propose(1, DeviceContent(self._owner, KWH_SCHEME, PLANT, FAR))
        self._propose(2, ProfileContent(1, H("load/profile", b""), 1_388_534_400, 1_396_310_400))

    def _propose(self, number: int, content: ProposalContent) -> None:
        self.block([self._signed([Propose(self._owner, content)], secret("holder", self._owner))])
        votes = [Vote(number, index, True, "") for index in range(self._set.quorum)]
        self.block([self._signed([vote], secret("governance", vote.validator)) for vote in votes])

    def _issue(self, count: int) -> Outpoint:
        """`count` certificates of 1 kWh in one bundle, from as many days as the plant needs for them."""
        device = self.ledger.store.get(device_key(1))
        assert isinstance(device, Device)
        days: list[AttestedDay] = []
        for start in range(0, count, KWH_PER_DAY):
            energy = min(KWH_PER_DAY, count - start) * 1_000
            days.append(self._attested(DAY + len(days), energy, device.profile_hash))
        issue = Issue(
            1, device.owner, device.scheme, 1_000, "kWh", MONTH, PLANT, tuple(days), 0, 0, device.next_serial, count, 0
        )
        decoded = self._signed([issue])
        self.block([decoded])
        return outpoint(decoded.txid, 0)

    def _attested(self, day: int, release_wh: int, profile: bytes) -> AttestedDay:
        """A day that a quorum of the validators accepted, of which the scheme's first step releases `release_wh`."""
        scheme = self.ledger.store.get(scheme_key(2))
        assert isinstance(scheme, Scheme)
        energy_wh = -(-release_wh * BASIS_POINTS // scheme.release_shares[0])
        root = H("load/root", day.to_bytes(4, "big"))
        attestation = Attestation(0, 1, day, 0, 0, root, NO_INPUTS, profile, 1, ACCEPT, (), release_wh, energy_wh)
        message = attestation_bytes(self.chain, attestation)
        signatures = tuple(SignedBy(i, sign(secret("vote", i), message)) for i in range(self._set.quorum))
        return AttestedDay(attestation, signatures)

    def _split(self, whole: Outpoint, count: int) -> list[Outpoint]:
        """One certificate in each bundle, the bundles dealt out to the holders in turn."""
        points: list[Outpoint] = []
        waiting: list[DecodedTx] = []
        for start in range(0, count, PIECES):
            end = min(start + PIECES, count)
            pieces = [Piece(self._held_by[index], index + 1, index + 1) for index in range(start, end)]
            if end < count:
                pieces.append(Piece(self._owner, end + 1, count))
            decoded = self._signed(
                [Transfer(self._owner, (whole,), tuple(pieces), None)], secret("holder", self._owner)
            )
            waiting.append(decoded)
            points += [outpoint(decoded.txid, index) for index in range(end - start)]
            whole = outpoint(decoded.txid, end - start)
            if len(waiting) == SPLITS_PER_BLOCK or end == count:
                self.block(waiting)
                waiting = []
        return points

    def block(self, transactions: list[DecodedTx]) -> None:
        """A lawful block of the next view's leader, final by the votes of a quorum."""
        ledger, tip = self.ledger, self.ledger.tip
        view = tip.view + 1
        time_ms, leader = tip.header.timestamp_ms + self._step_ms, self._set.leader(view)
        block, refused = ledger.build_with_refused(tip.hash, transactions, time_ms, leader)
        assert not refused, f"the preparation was refused: {refused[0][1]}"
        position = Position(block.header.epoch, view, tip.view, header_hash(block.header))
        votes = [
            make_vote(self.chain, FINALIZE, position, index, partial(sign, secret("vote", index)))
            for index in range(self._set.quorum)
        ]
        finalization = make_quorum(votes, self._set)
        ledger.commit(block, encode(finalization), view)
        self.preparation.append((block, finalization))

    def _signed(self, actions: Sequence[Action], *seeds: bytes) -> DecodedTx:
        self._salt += 1
        keys = tuple(public_key(seed) for seed in seeds)
        expiry = self.ledger.tip.height + 5_000
        body = Body(self.chain, keys, tuple(actions), expiry, self._salt.to_bytes(8, "big"))
        message = signing_bytes(body)
        return decode_signed(encode(Transaction(body, tuple(sign(seed, message) for seed in seeds))))


def secret(kind: str, index: int) -> bytes:
    return H("load/seed", (kind, index))


def load_genesis() -> tuple[Genesis, bytes]:
    """The reference genesis with validators filled in, and its chain id."""
    value = genesis_value()
    return parse_genesis(json.dumps(value).encode()), chain_id(value)


def genesis_value() -> dict[str, Any]:
    value: dict[str, Any] = json.loads((Path(__file__).resolve().parents[1] / "genesis.json").read_text())
    value["timestamp_ms"] = START_S * 1_000
    value["validators"] = [
        {
            "name": f"Organisation {index}",
            "country": "FR",
            "vote_key": public_key(secret("vote", index)).hex(),
            "node_key": public_key(secret("node", index)).hex(),
            "escrow_key": exchange_key(secret("escrow", index)).hex(),
            "governance_key": public_key(secret("governance", index)).hex(),
            "address": f"127.0.0.1:{9_000 + index}",
        }
        for index in range(VALIDATORS)
    ]
    return value
