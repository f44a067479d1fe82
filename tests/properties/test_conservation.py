"""Conservation: whatever happens on the ledger, in whatever order, nothing appears, doubles or vanishes.

A state machine plays random stories against a plain dictionary: certificate number -> (holder, where it is). After
each step the whole ledger is compared with it. `WATTEST_EXAMPLES` multiplies the number of stories.
"""

import os
from collections import Counter as Tally

import pytest
from harness.chain import summed_root
from harness.town import Town
from harness.world import DAY, genesis_json
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from contracts.accounts import accounts_of
from contracts.calendar import month_of_day
from contracts.events import Delivered, Event, Expired, Issued
from contracts.expire import closed_auctions
from state.attestation import ACCEPT, HOLD
from state.errors import BlockInvalid, CertificateExpired
from state.keyspace import Entry, Space, output_count_key, space_end
from state.lthash import LtHash
from state.outputs import NEVER, Bid, Bundle, Delivery, Funds, Offer, Output, holder_of, retire_until
from state.records import Counter
from state.store import encode_entry
from state.transaction import Action, Cancel, Deposit, Payout, PlaceBid, PlaceOffer, Transfer
from state.units import MICRO, MINOR_UNIT, Outpoint

FACTOR = int(os.environ.get("WATTEST_EXAMPLES", "1"))
FACE_WH = 1_000_000
PEOPLE = ("plant", "trader", "consumer")
SHORT = {"basis": "issue", "trade_months": 1, "retire_months": 2}

pick = st.integers(0, 10**6)
who = st.sampled_from(PEOPLE)
Number = tuple[int, int]  # (device, serial)


class HashedTown(Town):
    """Adds up the state hash block by block, as a node does."""

    total: LtHash

    def keep(self, difference: list[tuple[bytes, Entry | None, Entry | None]]) -> None:
        super().keep(difference)
        if hasattr(self, "total"):
            self.total.remove((key, encode_entry(before)) for key, before, _ in difference if before is not None)
            self.total.add((key, encode_entry(after)) for key, _, after in difference if after is not None)


@pytest.fixture(scope="module")
def template() -> HashedTown:
    town = HashedTown(genesis_json(scheme={"expiry": SHORT}))
    town.device("trader")
    return town


class Stories(RuleBasedStateMachine):
    template: HashedTown

    @initialize()
    def begin(self) -> None:
        self.town = self.template.fork()
        self.town.total = LtHash()
        self.town.total.add((key, encode_entry(entry)) for key, entry in self.town.state.scan(b"\x00", b"\x80"))
        self.where: dict[Number, tuple[int, str]] = {(1, n): (self.town.id("plant"), "active") for n in range(1, 11)}
        self.accepted_wh = {1: 10_000_000, 2: 0}
        self.paid_in = self.paid_out = 0
        self.day = DAY
        self.auction = 0
        self.reference = 0

    # --- what happens

    @rule(device=st.sampled_from([1, 2]), wh=st.integers(0, 3_500_000), good=st.booleans(), skip=st.integers(1, 20))
    def issue(self, device: int, wh: int, good: bool, skip: int) -> None:
        self.day += skip
        day = self.town.attested(device, self.day, wh, ACCEPT if good else HOLD)
        self.take(self.town.do(self.town.issue_action(device, (day,), month_of_day(self.day))))
        self.accepted_wh[device] += wh if good else 0

    @rule(at=pick, cut=pick, to=who, keep=st.booleans())
    def transfer_or_split(self, at: int, cut: int, to: str, keep: bool) -> None:
        found = self.choose(Bundle, at)
        if found is None:
            return
        point, lot = found
        middle = lot.start + cut % (lot.end - lot.start + 1)
        receiver = lot.holder if keep else self.town.id(to)
        pieces = [self.piece(receiver, lot.start, middle)]
        if middle < lot.end:
            pieces.append(self.piece(lot.holder, middle + 1, lot.end))
        if self.tried(Transfer(lot.holder, (point,), tuple(pieces), None), lot.holder):
            self.mark(lot, lot.start, middle, receiver, "active")

    @rule(at=pick)
    def merge(self, at: int) -> None:
        found = self.choose(Bundle, at)
        if found is None:
            return
        point, lot = found
        for other_point, other in sorted(self.town.live().items()):
            if isinstance(other, Bundle) and other.start == lot.end + 1 and like(lot) == like(other):
                whole = self.piece(lot.holder, lot.start, other.end)
                assert self.tried(Transfer(lot.holder, (other_point, point), (whole,), None), lot.holder)
                return

    @rule(at=pick, cut=pick)
    def retire(self, at: int, cut: int) -> None:
        found = self.choose(Bundle, at)
        if found is None:
            return
        point, lot = found
        start = lot.start + cut % (lot.end - lot.start + 1)
        name = self.name_of(lot.holder)
        self.take(self.town.do(self.town.retire_action(name, point, start, lot.end), by=(name,)))
        self.mark(lot, start, lot.end, lot.holder, "retired")

    @rule(name=who, cents=st.integers(1, 10**7))
    def deposit(self, name: str, cents: int) -> None:
        self.reference += 1
        amount = cents * MINOR_UNIT
        action = Deposit(self.town.id("bank"), self.town.id(name), "EUR", amount, f"in {self.reference}")
        self.take(self.town.do(action, by=("bank",)))
        self.paid_in += amount

    @rule(at=pick, part=st.integers(1, 100))
    def payout(self, at: int, part: int) -> None:
        found = self.choose(Funds, at)
        if found is None:
            return
        point, funds = found
        amount = funds.amount * part // 100 // MINOR_UNIT * MINOR_UNIT
        if not amount:
            return
        self.reference += 1
        action = Payout(self.town.id("bank"), funds.holder, (point,), "EUR", amount, f"out {self.reference}")
        self.take(self.town.do(action, by=("bank", self.name_of(funds.holder))))
        self.paid_out += amount

    @precondition(lambda self: not self.auction)
    @rule(floor=st.integers(0, 3), technology=st.sampled_from(["", "T02"]))
    def open_auction(self, floor: int, technology: str) -> None:
        self.auction = self.town.auction(seconds=600, technology=technology, floor=floor * MICRO)

    @precondition(lambda self: self.auction)
    @rule(at=pick, cut=pick, limit=st.integers(0, 9))
    def offer(self, at: int, cut: int, limit: int) -> None:
        found = self.choose(Bundle, at)
        if found is None or self.side_of(found[1].holder) == "bid":
            return
        point, lot = found
        end = lot.start + cut % (lot.end - lot.start + 1)
        if self.tried(PlaceOffer(self.auction, lot.holder, point, lot.start, end, limit * MICRO), lot.holder):
            self.mark(lot, lot.start, end, lot.holder, "locked")

    @precondition(lambda self: self.auction)
    @rule(at=pick, quantity=st.integers(1, 12), limit=st.integers(3, 9))
    def bid(self, at: int, quantity: int, limit: int) -> None:
        found = self.choose(Funds, at)
        if found is None or self.side_of(found[1].holder) == "offer" or found[1].amount < quantity * limit * MICRO:
            return
        point, funds = found
        assert self.tried(PlaceBid(self.auction, funds.holder, quantity, limit * MICRO, (point,)), funds.holder)

    @precondition(lambda self: self.auction)
    @rule(at=pick, kind=st.sampled_from([Offer, Bid]))
    def cancel(self, at: int, kind: type[Output]) -> None:
        found = self.choose(kind, at)
        if found is None:
            return
        point, order = found
        assert self.tried(Cancel(holder_of(order), point), holder_of(order))
        if isinstance(order, Offer):
            self.mark(order.lot, order.lot.start, order.lot.end, order.lot.holder, "active")

    @precondition(lambda self: self.auction)
    @rule()
    def settle(self) -> None:
        self.take(self.town.block(seconds=600))
        while closed_auctions(self.town.state) == []:
            self.take(self.town.block())
        self.take(self.town.settle(self.auction))
        for number, (holder, place) in self.where.items():
            if place == "locked":
                self.where[number] = (holder, "active")  # what was not delivered went back
        self.auction = 0

    @precondition(lambda self: not self.auction)
    @rule(days=st.integers(1, 45))
    def time_passes(self, days: int) -> None:
        self.take(self.town.block(seconds=days * 86_400))

    # --- bookkeeping of the dictionary

    def take(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Issued():
                    self.mark(event, event.start, event.end, event.holder, "active")
                case Expired():
                    self.mark(event, event.start, event.end, event.holder, "expired")
                case Delivered():
                    numbers = [(event.device, serial) for serial in range(event.start, event.end + 1)]
                    assert all(self.where[number] == (event.seller, "locked") for number in numbers)
                    self.mark(event, event.start, event.end, event.buyer, "active")

    def mark(self, lot: Bundle | Issued | Expired | Delivered, start: int, end: int, holder: int, place: str) -> None:
        for serial in range(start, end + 1):
            number = (lot.device, serial)
            if isinstance(lot, Issued):
                assert number not in self.where, f"{number} was issued twice"
            else:
                assert self.where[number][1] not in {"retired", "expired"}, f"{number} died before"
            self.where[number] = (holder, place)

    def tried(self, action: Action, holder: int) -> bool:
        """Whether the ledger took it; the only refusal that a story may meet is the end of a trading term."""
        try:
            self.take(self.town.do(action, by=(self.name_of(holder),)))
        except BlockInvalid as error:
            if not isinstance(error.__cause__, CertificateExpired):
                raise
            return False
        return True

    def choose(self, kind: type[Output], at: int) -> tuple[Outpoint, Output] | None:
        holders = {self.town.id(name) for name in PEOPLE}
        found = [
            (point, output)
            for point, output in sorted(self.town.live().items())
            if isinstance(output, kind) and holder_of(output) in holders
        ]
        # a second from now it must still be alive
        alive = [(p, o) for p, o in found if retire_until(o) > self.town.time_ms // 1000 + 1]
        return alive[at % len(alive)] if alive else None

    def side_of(self, holder: int) -> str:
        low = bytes((Space.AUCTION_MEMBER,)) + self.auction.to_bytes(4, "big") + holder.to_bytes(4, "big")
        member = self.town.state.get(low)
        return member.side if member else ""  # type: ignore[union-attr]

    def name_of(self, holder: int) -> str:
        return next(name for name, number in self.town.people.items() if number == holder)

    def piece(self, to: int, start: int, end: int):  # type: ignore[no-untyped-def]
        return self.town.piece(self.name_of(to), start, end)

    # --- what must hold after every step

    @invariant()
    def every_number_is_in_one_place(self) -> None:
        seen: dict[Number, tuple[int, str]] = {}
        for output in self.town.live().values():
            match output:
                case Bundle():
                    lot, place = output, "active"
                case Offer():
                    lot, place = output.lot, "locked"
                case Delivery():
                    lot, place = output.lot, "reserved"
                case _:
                    continue
            for serial in range(lot.start, lot.end + 1):
                assert (lot.device, serial) not in seen, f"{lot.device}-{serial} lies in two outputs"
                seen[lot.device, serial] = (lot.holder, place)
        dead = {number: fate for number, fate in self.where.items() if fate[1] in {"retired", "expired"}}
        assert seen == {number: fate for number, fate in self.where.items() if number not in dead}

    @invariant()
    def energy_is_certificates_and_carry(self) -> None:
        for device, accepted in self.accepted_wh.items():
            issued = sum(number[0] == device for number in self.where)
            accounts = accounts_of(self.town.state, device)
            assert accepted == FACE_WH * issued + sum(account.carry_wh for account in accounts)
            assert {serial for found, serial in self.where if found == device} == set(range(1, issued + 1))
            for account in accounts:
                assert 0 <= account.carry_wh < FACE_WH
                made = FACE_WH * account.issued + account.carry_wh + account.moved_wh
                assert account.carry_in_wh + account.released_wh == made

    @invariant()
    def money_in_is_money_out_and_money_held(self) -> None:
        held = 0
        for output in self.town.live().values():
            match output:
                case Funds():
                    held += output.amount
                case Bid():
                    held += output.funds.amount
                case Delivery():
                    held += output.payment.amount
        assert self.paid_in == self.paid_out + held

    @invariant()
    def counts_and_queues_are_those_of_the_live_outputs(self) -> None:
        live = self.town.live()
        counted = Tally(holder_of(output) for output in live.values())
        for number in self.town.people.values():
            count = self.town.state.get(output_count_key(number))
            assert (count.value if isinstance(count, Counter) else 0) == counted[number]
        low = bytes((Space.EXPIRY,))
        queued = {(int.from_bytes(key[1:9], "big"), key[9:]) for key, _ in self.town.state.scan(low, space_end(low))}
        assert queued == {(retire_until(o), p) for p, o in live.items() if retire_until(o) != NEVER}

    @invariant()
    def the_state_hash_added_up_is_the_one_of_the_whole_state(self) -> None:
        assert self.town.total.root() == summed_root(self.town.state)


def like(lot: Bundle) -> tuple[int, int, int]:
    return lot.holder, lot.issuance, lot.transfers


def test_nothing_appears_doubles_or_vanishes(template: HashedTown) -> None:
    Stories.template = template
    plan = settings(max_examples=60 * FACTOR, stateful_step_count=40, deadline=None, derandomize=FACTOR == 1)
    run_state_machine_as_test(Stories, settings=plan)
