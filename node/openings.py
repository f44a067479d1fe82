"""What a sealed order says, kept by whoever placed it until it is opened: without it half of the stake is lost, unless
validators open it.

One file for each order under HOME/openings, mode 0600, written and synced before the order is sent. `wattest auction
reveal` and a running node (for orders that were placed from its own home) open them after the close.
"""

import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from contracts.attributes import nodes_of
from contracts.escrow import commitment_to
from contracts.orders import commitment
from contracts.sealing import KAPPA_BYTES, Said, context_of, sealed
from node.answers import struct_of
from node.client import NodeClient
from node.failures import NodeUnreachable
from node.faults import RealDisk
from state.errors import CryptoError
from state.escrow import Envelope
from state.records import AuctionTerms
from state.transaction import Reveal

FOLDER = "openings"


@dataclass(frozen=True)
class Opening:
    chain: str
    auction: int
    participant: int
    side: str
    quantity: int
    limit: int
    wanted: tuple[str, ...]
    salt: str
    envelope: str = ""  # its hash, where validators open the order

    @property
    def commitment(self) -> bytes:
        if self.envelope:
            return bytes.fromhex(self.envelope)
        return commitment(
            bytes.fromhex(self.chain),
            self.auction,
            self.participant,
            self.side,
            self.quantity,
            self.limit,
            self.wanted,
            bytes.fromhex(self.salt),
        )

    def reveal(self, order: int) -> Reveal:
        return Reveal(self.auction, order, self.quantity, self.limit, self.wanted, bytes.fromhex(self.salt))


class SealedUp(NamedTuple):
    """What of a sealed order is sent, and where the rest is kept."""

    commitment: bytes
    envelope: Envelope | None
    path: Path


def seal_and_keep(
    home: Path,
    client: NodeClient,
    auction: dict[str, Any],
    participant: int,
    side: str,
    quantity: int,
    limit: int,
    wanted: tuple[str, ...],
) -> SealedUp:
    """Seal an order for an auction as the node shows it; its opening is kept in `home` before anything is sent."""
    chain, number = bytes.fromhex(client.status()["chain_id"]), int(auction["id"])
    terms = struct_of(AuctionTerms, auction["terms"])
    opening, envelope = new_opening(chain, number, participant, side, quantity, limit, wanted), None
    if terms.escrow:
        found = client.get("/v1/validators")
        kappa = secrets.token_bytes(KAPPA_BYTES)
        said = Said(quantity, limit, nodes_of(terms, wanted))
        try:
            keys = [bytes.fromhex(each["escrow_key"]) for each in found["validators"]]
            epoch = int(found["epoch"])
            envelope = sealed(context_of(chain, number, participant, side), epoch, keys, said, kappa)
        except (CryptoError, KeyError, TypeError, ValueError) as error:
            raise NodeUnreachable(url="the node", why=f"its validators cannot be sealed to ({error!r})") from None
        opening = replace(opening, salt=kappa.hex(), envelope=commitment_to(envelope).hex())
    return SealedUp(opening.commitment, envelope, keep(home, opening))


def new_opening(
    chain: bytes, auction: int, participant: int, side: str, quantity: int, limit: int, wanted: tuple[str, ...]
) -> Opening:
    return Opening(chain.hex(), auction, participant, side, quantity, limit, wanted, secrets.token_bytes(32).hex())


def keep(home: Path, opening: Opening) -> Path:
    """Write it down for good; named by its commitment, so that none overwrites another."""
    folder = home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{opening.chain[:8]}-{opening.auction}-{opening.commitment.hex()[:16]}.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, (json.dumps(asdict(opening)) + "\n").encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    RealDisk().sync_directory(folder)
    return path


def kept(home: Path, chain: bytes, auctions: Iterable[int] | None = None) -> list[Opening]:
    """Openings for this network, in the order of their files; what cannot be read is left aside."""
    wanted = None if auctions is None else set(auctions)
    found = []
    for path in sorted((home / FOLDER).glob(f"{chain.hex()[:8]}-*.json")):
        try:
            opening = Opening(**{**(read := json.loads(path.read_text())), "wanted": tuple(read["wanted"])})
            right = opening.chain == chain.hex() and len(opening.commitment) == 32
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if right and (wanted is None or opening.auction in wanted):
            found.append(opening)
    return found
