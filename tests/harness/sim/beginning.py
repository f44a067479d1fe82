"""Where a simulated network begins: a consortium that has worked for a while, with a bank, an exchange and plants.

Made once for each number of validators and epoch length, then shared by all seeds of a process.
"""

from dataclasses import dataclass
from functools import cache

from harness.sim.keys import key_of, signatures
from harness.world import DAY, FAR, World, seed_of
from msgspec.structs import replace

from contracts.escrow import BID, commitment_to
from contracts.genesis import genesis_header
from contracts.sealing import Said, context_of, sealed
from node.ledger import Difference, _begin, _difference
from state.block import Block, Header, header_hash
from state.keyspace import PARAMETERS_KEY, Entry, auction_key, obligation_due_key, obligation_key
from state.lthash import LtHash
from state.outputs import Bundle, Funds
from state.overlay import Overlay
from state.records import Auction, AuctionTerms, Counter, Obligation, Parameters
from state.store import FORMAT, MemoryStore, Meta, Store
from state.transaction import ConsumptionMeterContent, Deposit, MeterContent, Piece, PlaceBid, RoleContent, Transfer
from state.units import DAY_S, MICRO

PLANTS = 10  # one for each round of the story, and one more of somebody who keeps its certificates
JOINERS = 2  # organisations that may become validators
POSTED = 4  # certificates of a dealer
OWED, UNPAID = 2 * PLANTS + 1, 2 * PLANTS + 2  # auctions on margin
SALT = b"\x05" * 31  # of every sealed order
SEALED = AuctionTerms(sealed=True, opening_s=7 * DAY_S, escrow=True)  # longer than any run
TIMING = {"delta_ms": 500, "idle_interval_ms": 1_000, "min_interval_ms": 200}


class Townsfolk(World):
    """Keys are remembered, so that their signatures hold here, and made once."""

    def key(self, name: str) -> bytes:
        prefix = "Organisation "
        return key_of("governance_key" + name.removeprefix(prefix) if name.startswith(prefix) else name)


@dataclass(frozen=True)
class Beginning:
    """`world` knows the people and their numbers; `entries` is the whole state of block 0."""

    world: Townsfolk
    entries: dict[bytes, Entry]
    header: Header
    meta: Meta
    difference: Difference

    def fill(self, store: Store) -> None:
        _begin(store, self.meta.chain, Block(self.header, ()), self.difference)

    def store(self) -> MemoryStore:
        store = MemoryStore()
        self.fill(store)
        return store


def vote_key_name(node: int, rotated: bool = False) -> str:
    return f"vote_key{node}{' rotated' if rotated else ''}"


@cache
def holders(everybody: int) -> dict[bytes, int]:
    """Vote key -> the node that holds it."""
    return {key_of(vote_key_name(node, rotated)): node for node in range(everybody) for rotated in (False, True)}


@cache
def beginning(n: int, epoch_length: int, real: bool) -> Beginning:
    """`epoch_length` may be shorter than a genesis allows: more ends of epochs in a run."""
    with signatures(real):
        world = _town(n)
    parameters = world.state.get(PARAMETERS_KEY)
    assert isinstance(parameters, Parameters)
    overlay = Overlay(MemoryStore())
    for key, entry in world.state.scan(b"\x00", b"\x80"):
        overlay.put(key, entry)
    overlay.put(PARAMETERS_KEY, replace(parameters, epoch_length=epoch_length, **TIMING))
    difference = _difference(overlay, LtHash(), 0)
    header = genesis_header(world.genesis, difference.total.root())
    root, total = header.state_root, difference.total.to_bytes()
    meta = Meta(FORMAT, world.chain, 0, 0, header_hash(header), 0, root, total, difference.entry_count)
    entries = dict(overlay.scan(b"\x00", b"\x80"))
    return Beginning(world, entries, header, meta, difference)


def _town(n: int) -> Townsfolk:
    world = Townsfolk(n)
    for node in range(n + JOINERS):
        for rotated in (False, True):
            name = vote_key_name(node, rotated)
            world.vote_seeds[key_of(name)] = seed_of(name)
    world.operators()
    for plant in range(PLANTS):
        world.register(f"plant {plant}")
        world.device(f"plant {plant}")
    world.register("authority")
    world.accredit(RoleContent(world.people["authority"], "authority", FAR), by="authority")
    for number in range(PLANTS):
        owner = f"works {number}"
        world.register(owner)
        device = world.device(owner)
        world.accredit(MeterContent(device, world.key(f"meter {number}"), 0, FAR), by=owner)
        flat = ConsumptionMeterContent(world.people[owner], world.key(f"flat {number}"), "Flat", "FR", "FR", FAR)
        world.accredit(flat, by=owner)
    for joiner in range(JOINERS):
        world.register(f"joiner {joiner}")
    _market(world)
    return world


def _market(world: Townsfolk) -> None:
    """For each plant a dealer with certificates, a buyer with money, an auction that nobody settled and a sealed one.

    Auction 1 + 2 * plant is the stuck one, the next one is sealed; the buyer has one order in the first
    and two in the other.
    """
    auctions, keys = [], [validator.escrow_key for validator in world.validators]
    for number in range(PLANTS):
        plant, dealer, buyer = f"plant {number}", f"dealer {number}", f"buyer {number}"
        lot = world.issue(1 + number, POSTED * MICRO, day=DAY + 20)
        assert lot is not None
        whole = Piece(world.register(dealer), 1, POSTED)
        world.do(Transfer(world.people[plant], (lot,), (whole,), None), by=(plant,))
        mine = world.register(buyer)
        purses = [Deposit(world.people["bank"], mine, "EUR", 10 * MICRO, f"purse {number} {part}") for part in range(3)]
        world.do(*purses, by=("bank",))
        money = world.outputs_of(buyer, Funds)
        auctions.append((world.auction(), "closed"))
        world.bid(buyer, auctions[-1][0], 1, MICRO, money[0])
        auctions.append((world.auction(terms=SEALED), "opening"))
        envelope = sealed(context_of(world.chain, auctions[-1][0], mine, BID), 0, keys, Said(1, MICRO, bytes(5)), SALT)
        seal = (commitment_to(envelope), MICRO, envelope)
        for purse in money[1:]:
            world.do(PlaceBid(auctions[-1][0], mine, 0, 0, (purse,), (), *seal), by=(buyer,))
    world.pass_blocks(2 * len(world.validators), seconds=60)
    _debts(world)
    for auction, status in auctions:
        found = world.state.get(auction_key(auction))
        assert isinstance(found, Auction)
        assert found.status == status
        world.state.put(auction_key(auction), replace(found, phase_at=0, phase_height=0))  # a run begins at block 0


def _debts(world: Townsfolk) -> None:
    """Two settled auctions on margin: in the first buyers have longer to pay than any run, in the second no time."""
    seller = world.register("seller")
    for auction, pay_s in ((OWED, 30 * DAY_S), (UNPAID, 1)):
        assert world.auction(terms=AuctionTerms(margin=2_000, pay_s=pay_s)) == auction
        for number in range(PLANTS):
            lot = world.issue(1 + number, MICRO, day=DAY + 20 + auction - 2 * PLANTS)
            assert lot is not None
            serial = world.live()[lot].start  # type: ignore[union-attr]
            moved = Transfer(world.people[f"plant {number}"], (lot,), (Piece(seller, serial, serial),), None)
            world.do(moved, by=(f"plant {number}",))
            world.offer("seller", auction, world.outputs_of("seller", Bundle)[0], serial, serial, MICRO)
            world.bid(f"buyer {number}", auction, 1, MICRO, world.outputs_of(f"buyer {number}", Funds)[0])
        world.settle(auction)
    for number in range(PLANTS):
        key = obligation_key(UNPAID, world.people[f"buyer {number}"])
        debt = world.state.get(key)
        assert isinstance(debt, Obligation)
        world.state.delete(obligation_due_key(debt.due_at, UNPAID, debt.buyer))
        world.state.put(key, replace(debt, due_at=1))  # a run begins at block 0
        world.state.put(obligation_due_key(1, UNPAID, debt.buyer), Counter(debt.buyer))


__all__ = [
    "JOINERS",
    "OWED",
    "PLANTS",
    "POSTED",
    "SALT",
    "UNPAID",
    "Beginning",
    "Townsfolk",
    "beginning",
    "holders",
    "vote_key_name",
]
