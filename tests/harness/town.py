"""A small town on the rules alone: a bank, an exchange, a plant with ten certificates, and people who trade."""

from dataclasses import dataclass

from harness.escrow import enveloped, escrow_auction, shares_of
from harness.world import DAY, FAR, START_S, World, key_of
from msgspec.structs import replace

from contracts.events import Event
from contracts.orders import commitment
from contracts.settle import build_settle
from state.attestation import HOLD
from state.keyspace import auction_key, obligation_key
from state.outputs import Bundle, Funds, Listing, Offer, PayoutRequest, Pending, Security
from state.records import Auction, AuctionTerms, Obligation
from state.transaction import (
    Action,
    Amend,
    AnswerAppeal,
    AnswerHandover,
    AskPayout,
    Buy,
    Cancel,
    ConfirmPayout,
    ConsumptionMeterContent,
    Default,
    Deposit,
    DropPayout,
    EndStanding,
    EndStandingBid,
    FileAppeal,
    HandOver,
    ListLot,
    MeterContent,
    NameRecovery,
    OpenAuction,
    Pay,
    Payout,
    Piece,
    PlaceBid,
    PlaceOffer,
    PlaceStandingBid,
    Pledge,
    Propose,
    RecoverContent,
    RecoverKey,
    Register,
    Replace,
    Reveal,
    RoleContent,
    RotateCredential,
    RotateKey,
    SetStanding,
    Transfer,
    Unpledge,
    VetoRecovery,
    VoidAuction,
    Vote,
)
from state.units import MICRO, Outpoint

Each = dict[str, tuple[tuple[str, ...], tuple[Action, ...]]]  # kind -> who signs, and what


@dataclass(frozen=True)
class Sealing:
    """A sealed order as its owner keeps it."""

    chain: bytes
    who: int
    quantity: int
    limit: int
    wanted: tuple[str, ...]
    salt: bytes

    def hash(self, auction: int, side: str) -> bytes:
        return commitment(self.chain, auction, self.who, side, self.quantity, self.limit, self.wanted, self.salt)

    def placing(self, auction: int, *inputs: Outpoint, stake: int = 0) -> PlaceBid:
        stake = stake or self.quantity * self.limit
        return PlaceBid(auction, self.who, 0, 0, inputs, (), self.hash(auction, "bid"), stake)

    def offering(self, auction: int, lot: Outpoint, start: int, end: int, *inputs: Outpoint) -> PlaceOffer:
        return PlaceOffer(auction, self.who, lot, start, end, 0, 0, self.hash(auction, "offer"), inputs)

    def opening(self, auction: int, order: int) -> Reveal:
        return Reveal(auction, order, self.quantity, self.limit, self.wanted, self.salt)


class Town(World):
    """`lot` is the plant's bundle of certificates 1..10 of `device`, in scheme 1 (MWh)."""

    real_clock = False

    def __init__(self, genesis: bytes | None = None, **parameters: int) -> None:
        super().__init__(genesis=genesis, **parameters)
        self.found()

    def found(self) -> None:
        self.operators()
        for name in ("plant", "trader", "consumer"):
            self.register(name)
        self.device_id = self.device("plant")
        lot = self.issue(self.device_id, 10_000_000)
        assert lot is not None
        self.lot = lot

    def id(self, name: str) -> int:
        return self.people[name]

    def bundle(self, point: Outpoint) -> Bundle:
        found = self.live()[point]
        assert isinstance(found, Bundle)
        return found

    def bundle_in_offer(self) -> Bundle:
        """The lot of the only offer there is."""
        (lot,) = (output.lot for output in self.live().values() if isinstance(output, Offer))
        return lot

    def piece(self, to: str, start: int, end: int) -> Piece:
        return Piece(self.id(to), start, end)

    def transfer(self, sender: str, inputs: tuple[Outpoint, ...], *pieces: Piece) -> Transfer:
        return Transfer(self.id(sender), inputs, pieces, None)

    def move(self, sender: str, inputs: tuple[Outpoint, ...], *pieces: Piece) -> list[Outpoint]:
        """Transfer; the new outpoints in the order of the pieces."""
        self.do(self.transfer(sender, inputs, *pieces), by=(sender,))
        return [point for point, _ in self.outputs[-1].movements[-1].created]

    def credit(self, name: str, amount: int) -> Outpoint:
        """Funds of `amount` millionths."""
        self.do(Deposit(self.id("bank"), self.id(name), "EUR", amount, f"t{self.salt}"), by=("bank",))
        return self.outputs[-1].movements[-1].created[0][0]

    def trade(self, *, limit: int = 5 * MICRO, money: int = 100, seconds: int = 60) -> tuple[int, Outpoint, Outpoint]:
        """An auction with the whole lot offered at 2 EUR and one bid for four: (auction, offer, bid)."""
        auction = self.auction(seconds=seconds)
        self.offer("plant", auction, self.lot, 1, 10, 2 * MICRO)
        offer = self.outputs[-1].movements[-1].created[-1][0]
        self.bid("trader", auction, 4, limit, self.fund("trader", money))
        bid = self.outputs[-1].movements[-1].created[0][0]
        return auction, offer, bid

    def sealed_auction(self, *, seconds: int = 60, bond: int = 0, **terms: object) -> int:
        """An auction whose book is sealed, opened for a minute after its close."""
        fields: dict[str, object] = {"sealed": True, "opening_s": 60, "bond": bond, **terms}
        return self.auction(seconds=seconds, terms=AuctionTerms(**fields))  # type: ignore[arg-type]

    def margin_auction(self, margin: int = 2_000, pay_s: int = 3_600, **terms: object) -> int:
        """An auction in which a bid locks a part of its value, and the rest is paid within an hour."""
        fields: dict[str, object] = {"margin": margin, "pay_s": pay_s, **terms}
        return self.auction(terms=AuctionTerms(**fields))  # type: ignore[arg-type]

    def bought_on_margin(self, *, margin: int = 2_000, pay_s: int = 3_600, **terms: object) -> int:
        """The trader won 4 and 3 of the plant's certificates at 2 EUR each, and has 100 EUR beside the margin."""
        auction = self.margin_auction(margin, pay_s, **terms)
        self.offer("plant", auction, self.lot, 1, 10, 2 * MICRO)
        self.bid("trader", auction, 4, 2 * MICRO, self.fund("trader", 4))
        self.bid("trader", auction, 3, 2 * MICRO, self.fund("trader", 3))
        self.settle(auction)
        return auction

    def pay(self, name: str, auction: int, amount: int, money: Outpoint) -> list[Event]:
        return self.do(Pay(auction, self.id(name), amount, (money,)), by=(name,))

    def obligation(self, auction: int, name: str) -> Obligation | None:
        found = self.state.get(obligation_key(auction, self.id(name)))
        assert found is None or isinstance(found, Obligation)
        return found

    def sealing(self, name: str, quantity: int, limit: int, wanted: tuple[str, ...] = ()) -> "Sealing":
        self.salt += 1
        return Sealing(self.chain, self.id(name), quantity, limit, wanted, self.salt.to_bytes(32, "big"))

    def offering(self, name: str, auction: int, lot: Outpoint, start: int, end: int, limit: int) -> PlaceOffer:
        return PlaceOffer(auction, self.id(name), lot, start, end, limit)

    def offer_part(
        self, name: str, auction: int, lot: Outpoint, start: int, end: int, limit: int, quantity: int
    ) -> list[Event]:
        return self.do(replace(self.offering(name, auction, lot, start, end, limit), quantity=quantity), by=(name,))

    def capped(self, most: int) -> int:
        """An auction in which nobody may bid for more than so many."""
        return self.auction(terms=AuctionTerms(position_cap=most))

    def lot_holding(self, name: str, serial: int) -> Outpoint:
        """The participant's active bundle with this number."""
        lots = {point: self.bundle(point) for point in self.outputs_of(name, Bundle)}
        return next(point for point, lot in lots.items() if lot.start <= serial <= lot.end)

    def wait_for(self, auction: int, status: str) -> None:
        """Blocks until the auction has come there by itself."""
        while self.phase(auction) != status:
            self.block(seconds=10)

    def phase(self, auction: int) -> str:
        found = self.state.get(auction_key(auction))
        assert isinstance(found, Auction)
        return found.status

    def cancel(self, name: str, order: Outpoint) -> list[Event]:
        return self.do(Cancel(self.id(name), order), by=(name,))

    def in_hand(self, name: str) -> tuple[int, int]:
        """(active certificates, free millionths) of a participant."""
        return self.certificates(name), self.money(name)

    def funds_of(self, name: str) -> list[int]:
        found = [self.live()[point] for point in self.outputs_of(name, Funds)]
        return [funds.amount for funds in found if isinstance(funds, Funds)]


def one_of_each(town: Town) -> Each:
    """One valid transaction of every kind of action that somebody signs, and of the machine actions but `settle`.

    Ten minutes pass, for `void`; a town on a real clock has no such time, and does without that kind.
    """
    plant, trader, bank, exchange = (town.id(name) for name in ("plant", "trader", "bank", "exchange"))
    auction, offer, _ = town.trade(seconds=6_000)
    lot = town.issue(town.device_id, 4_000_000, day=DAY + 1)
    other = town.issue(town.device_id, 4_000_000, day=DAY + 2)
    third = town.issue(town.device_id, 4_000_000, day=DAY + 3)
    assert lot is not None
    assert other is not None
    assert third is not None
    money, more = town.fund("trader", 100), town.fund("trader", 100)
    town.do(Propose(plant, RoleContent(plant, "market_operator", FAR)), by=("plant",))
    lot_class = town.state.get(b"\x1a" + auction.to_bytes(4, "big")).lot_class  # type: ignore[union-attr]
    start = town.bundle(other).start
    safe = key_of("safe")
    for name in ("rotator", "careful", "lost", "loser"):
        town.register(name)
    town.do(NameRecovery(town.id("lost"), safe), by=("lost",))
    town.do(Propose(1, RecoverContent(town.id("loser"), key_of("found"), "lost")), by=("Organisation 0", "found"))
    for index in range(3):
        town.do(Vote(town.count("proposal"), index, True, ""), by=(f"Organisation {index}",))
    town.accredit(MeterContent(town.device_id, key_of("meter"), 0, FAR), by="plant")
    town.do(Propose(plant, RoleContent(plant, "market_operator", FAR)), by=("plant",))
    credential = RotateCredential("meter", town.device_id, key_of("meter"), key_of("meter 2"))
    town.register("authority")
    town.accredit(RoleContent(town.id("authority"), "authority", FAR), by="authority")
    for day in (DAY + 20, DAY + 21):
        held = town.attested(town.device_id, day, 5_000, verdict=HOLD)
        town.do(town.issue_action(town.device_id, (held,)))
    town.do(FileAppeal(plant, town.device_id, DAY + 21, 0, 0, "icing", b""), by=("plant",))
    town.do(Propose(plant, RoleContent(plant, "market_operator", FAR)), by=("plant",))
    answer = AnswerAppeal(town.id("authority"), town.device_id, DAY + 21, 0, 0, True, "seen", b"")
    town.accredit(ConsumptionMeterContent(trader, key_of("flat"), "Flat 3", "FR", "FR", FAR), by="trader")
    town.register("debtor")
    faulty = town.device("debtor")
    town.issue(faulty, 3_000_000, day=DAY + 5)
    town.correct(faulty, DAY + 5, 1_500_000, 2_000_000)
    plot = town.issue(town.device_id, 3_000_000, day=DAY + 6)
    lent = town.issue(town.device_id, 3_000_000, day=DAY + 7)
    spent = town.issue(town.device_id, 3_000_000, day=DAY + 8)
    assert plot
    assert lent
    assert spent
    until = town.time_ms // 1000 + 10_000
    closes_at = START_S + 10_000 if until < START_S + 20_000 else until  # later where the town lives on a real clock
    first, last = town.bundle(lent).start, town.bundle(lent).end
    town.do(HandOver(plant, lent, first, last, trader, until, ""), by=("plant",))
    pending = town.outputs_of("plant", Pending)[0]
    place = town.bundle(spent)
    claim = town.retire_action("plant", spent, place.start, place.end)
    town.do(claim, by=("plant",))
    statement = claim.statement_hash[:16]
    town.do(SetStanding(plant, town.device_id, trader, 100, 0, FAR), by=("plant",))
    cash, extra = town.fund("plant", 100), town.fund("plant", 50)
    request = _payout_requests(town)
    town.do(Pledge(plant, town.device_id, "EUR", 50 * MICRO, (extra,)), by=("plant",))
    pledged = town.outputs_of("plant", Security)[0]
    first, last = town.bundle(plot).start, town.bundle(plot).end
    market = _market_of_each(town)
    town.do(Propose(plant, RoleContent(plant, "market_operator", FAR)), by=("plant",))
    return {
        **market,
        "amend": (("plant",), (Amend(plant, statement, "Bakery Dupont & fils", "Nancy", ""),)),
        "hand_over": (("plant",), (HandOver(plant, plot, first, last, trader, until, ""),)),
        "answer_handover": (("trader",), (AnswerHandover(trader, pending, True),)),
        "set_standing": (("plant",), (SetStanding(plant, town.device_id, bank, 5_000, 10, FAR),)),
        "end_standing": (("trader",), (EndStanding(trader, town.device_id, 1),)),
        "report_consumption": ((), (town.consumption(1, DAY, tuple(range(24)), "flat"),)),
        "withdraw": ((), (town.withdrawal(faulty),)),
        "pledge": (("plant",), (Pledge(plant, town.device_id, "EUR", 10 * MICRO, (cash,)),)),
        "unpledge": (("plant",), (Unpledge(plant, town.device_id, pledged),)),
        "appeal": (("plant",), (FileAppeal(plant, town.device_id, DAY + 20, 0, 0, "icing", b""),)),
        "answer_appeal": (("authority",), (answer,)),
        "rotate_key": (("rotator", "new 1"), (RotateKey(town.id("rotator"), key_of("new 1")),)),
        "name_recovery": (("careful",), (NameRecovery(town.id("careful"), key_of("box")),)),
        "recover_key": (("safe", "new 2"), (RecoverKey(town.id("lost"), safe, key_of("new 2"), b""),)),
        "veto_recovery": (("loser",), (VetoRecovery(town.id("loser"), b""),)),
        "rotate_credential": (("plant", "meter", "meter 2"), (credential,)),
        "register": (("new",), (Register(key_of("new"), "new", "FR", b""),)),
        "propose": (("plant",), (Propose(plant, RoleContent(plant, "market_operator", FAR)),)),
        "vote": (("Organisation 0",), (Vote(town.count("proposal"), 0, True, ""),)),
        "deposit": (("bank",), (Deposit(bank, trader, "EUR", MICRO, "replay"),)),
        "payout": (("bank", "trader"), (Payout(bank, trader, (money,), "EUR", MICRO, "replay"),)),
        "ask_payout": (("consumer",), (request[0],)),
        "confirm_payout": (("bank",), (ConfirmPayout(bank, request[1], plant, "EUR", MICRO, "replay 2"),)),
        "drop_payout": (("bank",), (DropPayout(bank, request[2]),)),
        "issue": ((), (town.issue_action(town.device_id, (town.attested(town.device_id, DAY + 4, 10),)),)),
        "transfer": (("plant",), (town.transfer("plant", (lot,), town.piece("plant", 11, 14)),)),
        "retire": (("plant",), (town.retire_action("plant", third, 19, 22),)),
        "open_auction": (
            ("exchange",),
            (OpenAuction(exchange, "x", lot_class, "EUR", 0, 0, closes_at),),
        ),
        "offer": (("plant",), (PlaceOffer(auction, plant, other, start, start + 1, MICRO),)),
        "bid": (("trader",), (PlaceBid(auction, trader, 1, MICRO, (more,)),)),
        "cancel": (("plant",), (Cancel(plant, offer),)),
    }


def _payout_requests(town: Town) -> tuple[AskPayout, Outpoint, Outpoint]:
    """One to be asked for, and two that the plant has asked for."""
    bank, until = town.id("bank"), town.time_ms // 1000 + 10_000
    for _ in range(2):
        money = town.fund("plant", 1)
        town.do(AskPayout(town.id("plant"), bank, (money,), "EUR", MICRO, until), by=("plant",))
    first, second = town.outputs_of("plant", PayoutRequest)
    spare = town.fund("consumer", 2)
    return AskPayout(town.id("consumer"), bank, (spare,), "EUR", MICRO, until), first, second


def _market_of_each(town: Town) -> Each:
    """One valid transaction of every kind of the market beside open_auction, offer, bid, cancel and settle."""
    plant, trader = town.id("plant"), town.id("trader")
    until = town.time_ms // 1000 + 10_000
    posted = town.issue(town.device_id, 2_000_000, day=DAY + 9)
    other = town.issue(town.device_id, 2_000_000, day=DAY + 10)
    assert posted
    assert other
    lots = [town.bundle(posted), town.bundle(other)]
    post = [ListLot(plant, point, lot.start, lot.end, MICRO, "EUR", 0, until)
            for point, lot in zip((posted, other), lots, strict=True)]  # fmt: skip
    town.do(post[0], by=("plant",))
    (listing,) = town.outputs_of("plant", Listing)
    again = town.auction(seconds=5_000)
    town.bid("trader", again, 1, MICRO, town.fund("trader", 1))
    bid = town.outputs[-1].movements[-1].created[0][0]
    order, stake = town.sealing("trader", 2, MICRO), town.fund("trader", 4)
    sealed = town.sealed_auction(seconds=6, opening_s=5_000)
    town.do(order.placing(sealed, stake), by=("trader",))
    town.wait_for(sealed, "opening")
    guarded = escrow_auction(town, seconds=6, opening_s=5_000)
    shut = enveloped(town, guarded, "trader", "bid", 1, MICRO)
    town.do(shut.placing(town.fund("trader", 1)), by=("trader",))
    town.wait_for(guarded, "opening")
    town.do(PlaceStandingBid(trader, 1, (), 1, MICRO, MICRO, (town.fund("trader", 1),)), by=("trader",))
    purse, price = town.fund("trader", 5), town.fund("trader", 2)
    return {
        "list": (("plant",), (post[1],)),
        "buy": (("trader",), (Buy(trader, listing, 2, (price,)),)),
        "replace": (("trader",), (Replace(trader, bid, 1, MICRO // 2, (), b"", 0, ()),)),
        "reveal": ((), (order.opening(sealed, 0),)),
        "open_shares": (("vote_key0",), (shares_of(town, guarded, 0),)),
        **_void(town),
        "standing_bid": (("trader",), (PlaceStandingBid(trader, 1, (), 2, MICRO, 5 * MICRO, (purse,)),)),
        "end_standing_bid": (("trader",), (EndStandingBid(trader, 1, town.count("standing_bid")),)),
        **_owed(town),
    }


def _owed(town: Town) -> Each:
    """What one pays of his debt, and what another did not pay by the second it was due: that is not for a real clock,
    whose nodes declare it themselves."""
    plant, buyers = town.id("plant"), ("consumer", "trader")
    for day, (name, pay_s) in enumerate(zip(buyers, (1, 5_000), strict=True)):
        lot = town.issue(town.device_id, 1_000_000, day=DAY + 15 + day)
        assert lot
        serial = town.bundle(lot).start
        auction = town.auction(seconds=6, terms=AuctionTerms(margin=2_000, pay_s=pay_s))
        town.do(PlaceOffer(auction, plant, lot, serial, serial, MICRO), by=("plant",))
        town.bid(name, auction, 1, 2 * MICRO, town.fund(name, 1))  # above a standing bid, which would draw with it
        town.wait_for(auction, "closed")
        closed = town.state.get(auction_key(auction))
        assert isinstance(closed, Auction)
        town.do(build_settle(town.state, closed))
    money = town.fund("trader", 1)
    paying: Each = {"pay": (("trader",), (Pay(auction, town.id("trader"), MICRO // 2, (money,)),))}
    if town.real_clock:
        return paying
    return {**paying, "default": ((), (Default(auction - 1, town.id("consumer")),))}


def _void(town: Town) -> Each:
    if town.real_clock:
        return {}
    stuck = town.auction()
    town.wait_for(stuck, "closed")
    town.pass_blocks(3 * len(town.validators), seconds=60)
    return {"void": ((), (VoidAuction(stuck),))}
