"""Hypothesis state machine over the phases of the market: nobody does anything out of turn, and nothing gets lost.

Sealed and open books, orders placed, copied, replaced, taken back, opened rightly, wrongly, late and twice, by their
owners and by validators of whom one may lie, lots posted and bought, standing bids, bids on margin paid in parts, at
the bank, late and never: after every step the money and the certificates are those that came in, to the unit, and every
receipt of a settlement agrees with what moved. Whoever sealed his order right loses nothing, and it is opened when a
quorum of honest validators came; what was sealed wrong is never filled. WATTEST_EXAMPLES multiplies the runs.
"""

import os
from collections import Counter

from harness.escrow import Enveloped, enveloped, escrow_set, shares_of
from harness.sim.conservation import _certificates, _money
from harness.town import Sealing, Town
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from contracts.auction import CLOSED, OPEN, OPENING
from contracts.escrow import walks_wait
from contracts.events import Delivered, Event, OrderSettled
from contracts.obligation import MAX_STRIKES, at_work, held, owed, strikes_of, to_lock
from contracts.settle import build_settle
from state.errors import Refusal
from state.keyspace import auction_key, obligation_key, space_end
from state.outputs import (
    Bid,
    Bundle,
    Funds,
    Listing,
    Offer,
    OrderOutput,
    Output,
    Reserved,
    SealedBid,
    SealedOffer,
    holder_of,
)
from state.records import Auction, AuctionTerms, Dimension, Obligation
from state.transaction import (
    Action,
    Buy,
    Cancel,
    Default,
    ListLot,
    Pay,
    PlaceBid,
    PlaceOffer,
    PlaceStandingBid,
    Replace,
    Settle,
    VoidAuction,
)
from state.units import MICRO, MINOR_UNIT, Outpoint

FACTOR = int(os.environ.get("WATTEST_EXAMPLES", "1"))
ODD = 999_983  # millionths: a price whose parts do not divide, so that every rounding shows
PEOPLE = ("plant", "trader", "consumer")
TREES = (Dimension("zone", ("FR", "DK")), Dimension("support", ("none", "supported")))
pick, price, count = st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 6)
who = st.sampled_from(PEOPLE)


class Market(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.town = Town()
        for name in PEOPLE:
            self.town.fund(name, 60)
            self.town.fund(name, 40)
        ranges = [("plant", 1, 3), ("plant", 4, 5), ("trader", 6, 7), ("trader", 8, 8), ("consumer", 9, 10)]
        self.town.move("plant", (self.town.lot,), *[self.town.piece(*each) for each in ranges])
        self.auction = 0
        self.sealings: dict[bytes, Sealing | Enveloped] = {}
        self.honest: set[int] = set()  # validators that gave their shares
        self.right: dict[int, bool] = {}  # whether a sealed order was sealed as it should be, by number
        self.strikes = Counter[int]()  # of a buyer; no run lasts a year
        self.total = self.content()

    # --- looking

    def content(self) -> tuple[int, int]:
        live = self.town.live().values()
        return sum(map(_money, live)), sum(map(_certificates, live))

    @property
    def status(self) -> str:
        found = self.town.state.get(auction_key(self.auction)) if self.auction else None
        return found.status if isinstance(found, Auction) else ""

    def choose(self, kinds: type[Output] | tuple[type[Output], ...], name: str, at: int) -> Outpoint | None:
        found = [
            point
            for point, output in sorted(self.town.live().items())
            if isinstance(output, kinds) and holder_of(output) == self.town.id(name)
        ]
        return found[at % len(found)] if found else None

    def tried(self, action: Action, name: str = "") -> bool:
        """Send it; whether the ledger took it. A refusal leaves everything as it was."""
        try:
            self.town.do(action, by=(name,) if name else ())
        except Refusal:
            return False
        return True

    # --- auctions

    @precondition(lambda self: not self.status or self.status in ("settled", "void"))
    @rule(
        opened_by=st.sampled_from(["", "owners", "validators"]),
        trees=st.booleans(),
        fee=st.sampled_from([0, 77]),
        cap=st.sampled_from([0, 7]),
        margin=st.sampled_from([0, 0, 2_000, 7_001]),
    )
    def open(self, opened_by: str, trees: bool, fee: int, cap: int, margin: int) -> None:
        sealed, margin = bool(opened_by), 0 if opened_by == "owners" else margin
        terms = AuctionTerms(
            dimensions=TREES if trees else (),
            sealed=sealed,
            opening_s=60 if sealed else 0,
            bond=MICRO // 10 if sealed else 0,
            fee=fee,
            position_cap=cap,
            margin=margin,
            pay_s=300 if margin else 0,
            escrow=opened_by == "validators",
        )
        self.honest, self.right = set(), {}
        self.auction = self.town.auction(seconds=300, technology="", terms=terms)

    @precondition(lambda self: self.auction)
    @rule(name=who, at=pick, quantity=count, limit=price, node=st.sampled_from(["", "FR", "DK"]))
    def bid(self, name: str, at: int, quantity: int, limit: int, node: str) -> None:
        money = self.choose(Funds, name, at)
        terms = self.terms()
        wanted = (node, "") if terms.dimensions and node else ()
        if money is None:
            return
        if terms.sealed:
            stake = to_lock(terms, quantity * limit * ODD) + at % 2 * MICRO
            if terms.escrow:
                seal = self.envelope(name, "bid", quantity, limit * ODD, wanted, at)
                action = seal.placing(money, stake=stake)
            else:
                order = self.town.sealing(name, quantity, limit * ODD, wanted)
                self.sealings[order.hash(self.auction, "bid")] = order
                action = order.placing(self.auction, money, stake=stake)
        else:
            action = PlaceBid(self.auction, self.town.id(name), quantity, limit * ODD, (money,), wanted)
        trusted = not terms.margin or self.strikes[self.town.id(name)] < MAX_STRIKES
        assert not self.tried(action, name) or (self.status == OPEN and trusted)

    @precondition(lambda self: self.auction)
    @rule(name=who, at=pick, limit=price)
    def offer(self, name: str, at: int, limit: int) -> None:
        point, money = self.choose(Bundle, name, at), self.choose(Funds, name, at)
        if point is None or money is None:
            return
        lot = self.town.bundle(point)
        size = lot.end - lot.start + 1
        if self.terms().escrow:
            seal = self.envelope(name, "offer", 1 + at % size, limit * ODD, (), at)
            action = seal.offering(point, lot.start, lot.end, money)
        elif self.terms().sealed:
            order = self.town.sealing(name, 1 + at % size, limit * ODD)
            self.sealings[order.hash(self.auction, "offer")] = order
            action = order.offering(self.auction, point, lot.start, lot.end, money)
        else:
            action = PlaceOffer(self.auction, self.town.id(name), point, lot.start, lot.end, limit * ODD, 1 + at % size)
        assert not self.tried(action, name) or self.status == OPEN

    def envelope(self, name: str, side: str, quantity: int, limit: int, wanted: tuple[str, ...], at: int) -> Enveloped:
        """One in five has a box that does not open."""
        order = enveloped(self.town, self.auction, name, side, quantity, limit, wanted)
        if at % 5 == 0:
            order = order.bent(box=at // 5 % 4)
        self.sealings[order.placing().commitment] = order
        return order

    @precondition(lambda self: self.status == OPENING and self.terms().escrow and self.right)
    @rule(validator=st.integers(0, 3), lie=st.sampled_from(["", "", "silence", "forgery"]))
    def give_shares(self, validator: int, lie: str) -> None:
        """Validator 3 may leave shares out; a share that is made up is refused whoever signs it."""
        action = shares_of(self.town, self.auction, validator)
        if lie == "silence" and validator == 3:
            action = replace(action, shares=(b"",) * len(action.shares))
        name = f"vote_key{validator}"
        if lie == "forgery" and any(action.shares):
            forged = tuple(share and bytes(32) for share in action.shares)
            assert not self.tried(replace(action, shares=forged), name)
            return
        before = escrow_set(self.town, self.auction).pages[validator]
        assert self.tried(action, name) == (not before)
        if not before and lie != "silence":
            self.honest.add(validator)

    @precondition(lambda self: self.status == OPEN)
    @rule(orders=st.lists(st.tuples(st.booleans(), who, pick, count, price), min_size=3, max_size=9))
    def many_orders(self, orders: list[tuple[bool, str, int, int, int]]) -> None:
        for buying, name, at, quantity, limit in orders:
            if buying:
                self.bid(name, at, quantity, limit, "")
            else:
                self.offer(name, at, limit)

    @precondition(lambda self: self.status in (OPEN, OPENING, CLOSED))
    @rule(silent=st.integers(0, 2**8 - 1))
    def finish(self, silent: int) -> None:
        """To the settlement, with some of the sealed orders never opened."""
        while self.status != CLOSED:
            if self.status == OPENING and silent < 2**8:
                self.note()
                if self.terms().escrow and self.right:
                    for validator in range(4):
                        if not silent >> validator & 1:
                            self.give_shares(validator, "")
                for place in range(len(self.sealings)):
                    if not silent >> (4 + place) % 8 & 1:
                        self.reveal(place, "")
                silent = 2**8
            self.town.block(seconds=60)
        self.settle(0)

    @precondition(lambda self: self.status == OPEN)
    @rule(name=who, at=pick)
    def copy_a_commitment(self, name: str, at: int) -> None:
        """Under another name: placed it can be, opened never."""
        sealed = [output for output in self.town.live().values() if isinstance(output, SealedBid)]
        money = self.choose(Funds, name, at)
        if sealed and money:
            copied = sealed[at % len(sealed)]
            seal = (copied.commitment, MICRO, copied.envelope)
            self.tried(PlaceBid(self.auction, self.town.id(name), 0, 0, (money,), (), *seal), name)

    @precondition(lambda self: self.auction)
    @rule(name=who, at=pick)
    def cancel(self, name: str, at: int) -> None:
        order = self.choose((Offer, Bid, SealedOffer, SealedBid), name, at)
        if order is not None:
            assert self.tried(Cancel(self.town.id(name), order), name) == (self.status == OPEN)

    @precondition(lambda self: self.auction)
    @rule(name=who, at=pick, quantity=count, limit=price)
    def replace(self, name: str, at: int, quantity: int, limit: int) -> None:
        order, money = self.choose((Offer, Bid), name, at), self.choose(Funds, name, at)
        if order is not None:
            inputs = (money,) if money and isinstance(self.town.live()[order], Bid) else ()
            action = Replace(self.town.id(name), order, quantity, limit * ODD, (), b"", 0, inputs)
            assert not self.tried(action, name) or self.status == OPEN

    @precondition(lambda self: self.status == OPEN and self.terms().sealed)
    @rule(name=who, at=pick, quantity=count, limit=price)
    def replace_sealed(self, name: str, at: int, quantity: int, limit: int) -> None:
        """By another sealed one: the first can never be opened any more, and the place in the book stays."""
        point, money = self.choose((SealedOffer, SealedBid), name, at), self.choose(Funds, name, at)
        if point is None:
            return
        order, terms = self.town.live()[point], self.terms()
        assert isinstance(order, SealedOffer | SealedBid)
        buying = isinstance(order, SealedBid)
        side, most = ("bid", quantity) if isinstance(order, SealedBid) else ("offer", _size(order.lot))
        quantity = min(quantity, most)
        if terms.escrow:
            sealed = self.envelope(name, side, quantity, limit * ODD, (), at).placing()
            commitment, envelope = sealed.commitment, sealed.envelope
        else:
            seal = self.town.sealing(name, quantity, limit * ODD)
            commitment, envelope = seal.hash(self.auction, side), None
            self.sealings[commitment] = seal
        stake = to_lock(terms, quantity * limit * ODD) if buying else 0
        inputs = (money,) if buying and money else ()
        if self.tried(Replace(self.town.id(name), point, 0, 0, (), commitment, stake, inputs, envelope), name):
            (now,) = [each for each in self.town.live().values() if _sealed_with(each, commitment)]
            assert isinstance(now, SealedOffer | SealedBid)
            assert now.number == order.number

    @precondition(lambda self: self.auction and self.sealings)
    @rule(at=pick, wrong=st.sampled_from(["", "", "", "salt", "quantity", "limit"]))
    def reveal(self, at: int, wrong: str) -> None:
        """Right, with one thing changed, late, early, twice, and of an order that copied another's commitment."""
        if walks_wait(self.town.state, self.auction):
            self.town.block()  # which opens what a quorum has served, before anything else in it
        live = [output for output in self.town.live().values() if isinstance(output, SealedBid | SealedOffer)]
        if not live:
            return
        order = live[at % len(live)]
        sealing = self.sealings[order.commitment]
        if isinstance(sealing, Enveloped):
            opening, bent = sealing.opening(order.number), not self.right.get(order.number, True)
        else:
            opening, bent = sealing.opening(self.auction, order.number), False
        if wrong:
            value: object = bytes(len(opening.salt)) if wrong == "salt" else getattr(opening, wrong) + 1
            opening = replace(opening, **{wrong: value})
        taken = self.tried(opening)
        right = not wrong and not bent and sealing.who == holder_of(order) and order.auction == self.auction
        assert taken == (right and self.status == OPENING), f"{wrong} {order}"
        if taken:
            assert not self.tried(opening), "twice"

    @rule(seconds=st.sampled_from([1, 20]))
    def time_passes(self, seconds: int) -> None:
        self.town.block(seconds=seconds)

    @precondition(lambda self: self.status in (OPEN, OPENING))
    @rule()
    def next_phase(self) -> None:
        before = self.status
        while self.status == before:
            self.town.block(seconds=60)

    @precondition(lambda self: self.auction)
    @rule(bent=st.sampled_from([0, 1, -1, 7]))
    def settle(self, bent: int) -> None:
        if self.status != CLOSED:
            assert not self.tried(Settle(self.auction, (), bytes(32)))
            return
        found = self.town.state.get(auction_key(self.auction))
        assert isinstance(found, Auction)
        right = build_settle(self.town.state, found)
        if bent and right.prices:
            place = abs(bent) % len(right.prices)
            prices = tuple(each + bent * (n == place) for n, each in enumerate(right.prices))
            if min(prices) >= 0:
                assert not self.tried(replace(right, prices=prices))
        assert not self.tried(VoidAuction(self.auction)) or self.status == "void"
        if self.status == CLOSED:
            self.reconcile(self.town.do(right))

    def reconcile(self, events: list[Event]) -> None:
        """What each receipt says is what was delivered."""
        told = [event for event in events if isinstance(event, OrderSettled)]
        moved = [event for event in events if isinstance(event, Delivered)]
        moved += [
            Delivered(piece.auction, piece.lot.holder, piece.buyer, 0, 0, piece.lot.start, piece.lot.end, "EUR",
                      piece.amount)
            for piece in self.town.live().values()
            if isinstance(piece, Reserved) and piece.auction == self.auction
        ]  # fmt: skip
        assert len({receipt.order for receipt in told}) == len(told)
        self.judge(told)
        bought, sold, spent = Counter[int](), Counter[int](), Counter[int]()
        for piece in moved:
            bought[piece.buyer] += piece.end - piece.start + 1
            sold[piece.seller] += piece.end - piece.start + 1
            spent[piece.buyer] += piece.amount
        assert bought == +Counter(_sum(told, "bid", "filled"))
        assert sold == +Counter(_sum(told, "offer", "filled"))
        assert spent == +Counter(_sum(told, "bid", "amount"))
        assert not any(receipt.filled and receipt.why not in ("filled", "shared") for receipt in told)
        assert not [output for output in self.town.live().values() if isinstance(output, OrderOutput)]

    # --- what is owed

    def debts(self) -> list[Obligation]:
        low = obligation_key(0, 0)
        return [entry for _, entry in self.town.state.scan(low, space_end(low[:1])) if isinstance(entry, Obligation)]

    @precondition(lambda self: self.debts())
    @rule(at=pick, part=st.integers(1, 10), bank=st.booleans(), other=who)
    def pay(self, at: int, part: int, bank: bool, other: str) -> None:
        debts = self.debts()
        debt = debts[at % len(debts)]
        name = next(name for name, number in self.town.people.items() if number == debt.buyer)
        amount = owed(self.town.state, debt) * part // 10
        early = self.town.environment().before(debt.due_at) and not debt.forfeit and amount > 0
        if bank:
            amount = -(-amount // MINOR_UNIT) * MINOR_UNIT
            action = Pay(debt.auction, debt.buyer, amount, (), self.town.id("bank"), f"wire {self.town.salt}")
            taken = self.tried(action, "bank")
            assert taken == early
            self.total = (self.total[0] + amount * taken, self.total[1])
            return
        money = self.choose(Funds, name, at)
        if money is not None:
            action = Pay(debt.auction, debt.buyer, amount, (money,))
            assert not self.tried(action, name) or early
            if other != name:
                assert not self.tried(action, other)

    @precondition(lambda self: self.debts())
    @rule(at=pick, wait=st.booleans())
    def default(self, at: int, wait: bool) -> None:
        debts = self.debts()
        debt = debts[at % len(debts)]
        if self.town.environment().before(debt.due_at):
            assert not self.tried(Default(debt.auction, debt.buyer)), "before the deadline"
        if wait:
            self.town.block(seconds=300)
            self.late(debt)

    def late(self, before: Obligation) -> None:
        """After the deadline: no payment, one default, and one strike for it, which counts for a year."""
        number, state = before.buyer, self.town.state
        found = [debt for debt in self.debts() if (debt.auction, debt.buyer) == (before.auction, number)]
        if not found or found[0].forfeit:
            return
        name = next(name for name, participant in self.town.people.items() if participant == number)
        wire = Pay(before.auction, number, MINOR_UNIT, (), self.town.id("bank"), f"late {self.town.salt}")
        assert not self.tried(wire, "bank"), "after the deadline"
        money = self.choose(Funds, name, 0)
        assert money is None or not self.tried(Pay(before.auction, number, 1, (money,)), name), "after the deadline"
        if not at_work(state, found[0]):
            assert self.tried(Default(before.auction, number))
            assert not self.tried(Default(before.auction, number)), "twice"
            self.strikes[number] += 1
            strikes = strikes_of(self.town.state, number, self.town.time_ms // 1000)
            assert strikes is not None
            assert strikes.count == self.strikes[number]

    @precondition(lambda self: not self.status or self.status in ("settled", "void"))
    @rule(
        opened_by=st.sampled_from(["", "", "owners", "validators"]),
        margin=st.sampled_from([0, 2_000, 7_001]),
        orders=st.lists(st.tuples(st.booleans(), who, pick, count, price), min_size=4, max_size=9),
        silent=st.sampled_from([0, 0, 1, 255]),
        ends=st.lists(st.tuples(pick, st.integers(1, 10), st.booleans(), st.booleans()), max_size=3),
    )
    def session(
        self,
        opened_by: str,
        margin: int,
        orders: list[tuple[bool, str, int, int, int]],
        silent: int,
        ends: list[tuple[int, int, bool, bool]],
    ) -> None:
        """A whole one in one step, from the opening to what is paid and what is not: chance seldom gets so far."""
        self.open(opened_by, trees=False, fee=77, cap=0, margin=margin)
        self.many_orders([(*order[:4], order[4] + 2 if order[0] else (order[4] + 1) // 2) for order in orders])
        for name in PEOPLE if opened_by and len(ends) % 2 else ():
            self.replace_sealed(name, 1 + len(orders), 2, 3)
        self.finish(silent)
        for at, part, bank, gone in ends:
            if self.debts():
                self.pay(at, part, bank, "consumer")
                self.town.block()
            if gone and self.debts():
                self.default(at, wait=True)
                self.town.block()

    @invariant()
    def the_margin_secures_what_is_not_delivered(self) -> None:
        """In the proportion that the auction asked for, to the millionth; said here without the ledger's function."""
        for debt in self.debts():
            if not debt.forfeit:
                left = debt.value - debt.delivered
                assert held(self.town.state, debt).amount * debt.value >= debt.margin * left

    def judge(self, told: list[OrderSettled]) -> None:
        """Of a book that validators open."""
        for receipt in told if self.terms().escrow else ():
            right = self.right.get(receipt.order)
            if right:
                assert not receipt.forfeited
                assert receipt.why != "spoilt"
                assert receipt.why != "unopened" or len(self.honest) < 3
            if right is False:
                assert not receipt.filled
                assert receipt.why in ("spoilt", "unopened")

    @invariant()
    def note(self) -> None:
        """Which sealed orders are as they should be, before anything of them is opened."""
        if self.status != OPENING or not self.terms().escrow:
            return
        for order in self.town.live().values():
            if isinstance(order, SealedBid | SealedOffer) and order.number not in self.right:
                seal = self.sealings[order.commitment]
                assert isinstance(seal, Enveloped)
                self.right[order.number] = seal.who == holder_of(order) and not seal.is_bent

    def terms(self) -> AuctionTerms:
        found = self.town.state.get(auction_key(self.auction))
        assert isinstance(found, Auction)
        return found.terms

    # --- beside auctions

    @rule(name=who, at=pick, each=price)
    def post(self, name: str, at: int, each: int) -> None:
        point = self.choose(Bundle, name, at)
        if point is not None:
            lot = self.town.bundle(point)
            until = self.town.time_ms // 1000 + 500
            self.tried(ListLot(lot.holder, point, lot.start, lot.end, each * ODD, "EUR", 0, until), name)

    @rule(seller=who, name=who, at=pick, quantity=count)
    def buy(self, seller: str, name: str, at: int, quantity: int) -> None:
        lot, money = self.choose(Listing, seller, at), self.choose(Funds, name, at)
        if lot is not None and money is not None:
            assert not self.tried(Buy(self.town.id(name), lot, quantity, (money,)), name) or name != seller

    @rule(name=who, at=pick)
    def take_down(self, name: str, at: int) -> None:
        lot = self.choose(Listing, name, at)
        if lot is not None:
            assert self.tried(Cancel(self.town.id(name), lot), name)

    @rule(name=who, at=pick, quantity=count, limit=price)
    def stand(self, name: str, at: int, quantity: int, limit: int) -> None:
        money = self.choose(Funds, name, at)
        if money is not None:
            self.tried(PlaceStandingBid(self.town.id(name), 1, (), quantity, limit * ODD, 9 * MICRO, (money,)), name)

    @invariant()
    def nothing_appears_or_vanishes(self) -> None:
        assert self.content() == self.total


def _size(lot: Bundle) -> int:
    return lot.end - lot.start + 1


def _sealed_with(output: Output, commitment: bytes) -> bool:
    return isinstance(output, SealedOffer | SealedBid) and output.commitment == commitment


def _sum(told: list[OrderSettled], side: str, field: str) -> dict[int, int]:
    found = Counter[int]()
    for receipt in told:
        if receipt.side == side:
            found[receipt.participant] += getattr(receipt, field)
    return found


TestMarket = Market.TestCase
TestMarket.settings = settings(max_examples=25 * FACTOR, stateful_step_count=60, deadline=None, derandomize=FACTOR == 1)
