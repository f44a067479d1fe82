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

from contracts.accounts import accounts_of, debt_of
from contracts.calendar import month_of_day
from contracts.correct import credit_of, credits_in, open_debts
from contracts.events import (
    Delivered,
    Event,
    Expired,
    HandedOver,
    HandoverAnswered,
    Issued,
    Transferred,
    Withdrawn,
)
from contracts.expire import closed_auctions
from contracts.security import securities
from contracts.standing import standing_of
from state.attestation import ACCEPT, HOLD
from state.errors import BlockInvalid, CertificateExpired, DebtOpen, HandoverOver
from state.keyspace import Entry, Space, output_count_key, space_end
from state.lthash import LtHash
from state.outputs import NEVER, Bid, Bundle, Delivery, Funds, Offer, Output, Pending, Security, holder_of, retire_until
from state.records import Counter
from state.store import encode_entry
from state.transaction import (
    Action,
    AnswerHandover,
    Cancel,
    Deposit,
    HandOver,
    Payout,
    Piece,
    PlaceBid,
    PlaceOffer,
    Pledge,
    SetStanding,
    Transfer,
)
from state.units import MICRO, MINOR_UNIT, Outpoint

FACTOR = int(os.environ.get("WATTEST_EXAMPLES", "1"))
RUNS = int(os.environ.get("WATTEST_STORIES", "0")) or 60 * FACTOR
FACE_WH = 1_000_000
PEOPLE = ("plant", "trader", "consumer")
SHORT = {"basis": "issue", "trade_months": 1, "retire_months": 2}

pick = st.integers(0, 10**6)
who = st.sampled_from(PEOPLE)
Number = tuple[int, int]  # (device, serial)
Ranged = Bundle | Issued | Expired | Delivered | Withdrawn | Transferred | HandedOver | HandoverAnswered
DEAD = frozenset({"retired", "expired", "withdrawn"})


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
        self.days: dict[tuple[int, int], int] = {(1, DAY): 10_000_000}  # what each judged day stands at
        self.corrected: dict[tuple[int, int], int] = {}  # revisions so far
        self.sent: list[tuple[Action, int]] = []  # actions that held once: none may hold again
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
        self.days[device, self.day] = wh if good else 0

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
                self.tried(Transfer(lot.holder, (other_point, point), (whole,), None), lot.holder)
                return

    @rule(at=pick, cut=pick)
    def retire(self, at: int, cut: int) -> None:
        found = self.choose(Bundle, at)
        if found is None:
            return
        point, lot = found
        start = lot.start + cut % (lot.end - lot.start + 1)
        name = self.name_of(lot.holder)
        if self.tried(self.town.retire_action(name, point, start, lot.end), lot.holder):
            self.mark(lot, start, lot.end, lot.holder, "retired")

    @rule(at=pick, cut=pick, to=who, days=st.integers(1, 30))
    def hand_over(self, at: int, cut: int, to: str, days: int) -> None:
        found = self.choose(Bundle, at)
        if found is None or found[1].holder == self.town.id(to):
            return
        point, lot = found
        start = lot.start + cut % (lot.end - lot.start + 1)
        until = self.town.time_ms // 1000 + days * 86_400
        self.tried(HandOver(lot.holder, point, start, lot.end, self.town.id(to), until, ""), lot.holder)

    @rule(at=pick, receiver=st.booleans(), accept=st.booleans())
    def answer_handover(self, at: int, receiver: bool, accept: bool) -> None:
        found = self.choose(Pending, at)
        if found is None:
            return
        point, waiting = found
        person = waiting.to if receiver else waiting.lot.holder
        self.tried(AnswerHandover(person, point, accept and receiver), person)

    @rule(device=st.sampled_from([1, 2]), to=who, share=st.integers(1, 10_000), most=st.integers(0, 8))
    def stand(self, device: int, to: str, share: int, most: int) -> None:
        owner = self.owner_of(device)
        if owner == self.town.id(to) or len(standing_of(self.town.state, device)) > 2:
            return
        until = self.town.time_ms // 1000 + 40 * 86_400
        self.take(
            self.town.do(SetStanding(owner, device, self.town.id(to), share, most, until), by=(self.name_of(owner),))
        )

    # --- errors that are put right

    @rule(at=pick, wh=st.integers(0, 12_000_000))
    def correct(self, at: int, wh: int) -> None:
        device, day = sorted(self.days)[at % len(self.days)]
        revision = self.corrected.get((device, day), 0) + 1
        if self.days[device, day] == wh or credit_of(self.town.state, device, day) is not None or revision > 9:
            return
        self.take(self.town.correct(device, day, wh, revision=revision))
        self.corrected[device, day], self.days[device, day] = revision, wh

    @rule()
    def withdraw(self) -> None:
        for debt in open_debts(self.town.state):
            if self.free_of(debt.device):
                self.take(self.town.do(self.town.withdrawal(debt.device)))

    @rule(at=pick)
    def issue_credit(self, at: int) -> None:
        waiting = credits_in(self.town.state)
        if waiting:
            credit = waiting[at % len(waiting)]
            self.take(self.town.do(self.town.credit_action(credit.device, credit.day)))

    @rule(at=pick, device=st.sampled_from([1, 2]))
    def pledge(self, at: int, device: int) -> None:
        found = self.choose(Funds, at)
        if found is None or found[1].holder != self.owner_of(device) or len(securities(self.town.state, device)) > 3:
            return
        point, funds = found
        action = Pledge(funds.holder, device, "EUR", 1 + funds.amount // 2, (point,))
        self.take(self.town.do(action, by=(self.name_of(funds.holder),)))

    # --- what must be refused

    @rule(at=pick, kind=st.sampled_from(["holder", "beyond", "overlap", "gap", "money", "stranger"]))
    def wrong(self, at: int, kind: str) -> None:
        found = self.choose(Bundle, at)
        if found is None:
            return
        point, lot = found
        other = next(self.town.id(name) for name in PEOPLE if self.town.id(name) != lot.holder)
        sender, whole = lot.holder, self.piece(other, lot.start, lot.end)
        wrong = {
            "holder": (other, (whole,)),
            "beyond": (sender, (self.piece(other, lot.start, lot.end + 1),)),
            "overlap": (sender, (whole, self.piece(sender, lot.end, lot.end))),
            "gap": (sender, (self.piece(other, lot.start, lot.end - 1),)),
            "money": (sender, (whole,)),
            "stranger": (sender, (Piece(99, lot.start, lot.end),)),
        }
        by, pieces = wrong[kind]
        inputs = (point, point) if kind == "money" else (point,)
        self.refused(Transfer(by, inputs, pieces, None), by)

    @rule(at=pick)
    def replay(self, at: int) -> None:
        if self.sent:
            self.refused(*self.sent[at % len(self.sent)])

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
                case Withdrawn():
                    self.mark(event, event.start, event.end, event.holder, "withdrawn")
                case Transferred():
                    self.mark(event, event.start, event.end, event.to, "active")
                case HandedOver():
                    self.mark(event, event.start, event.end, event.sender, "handed")
                case HandoverAnswered():
                    to = event.to if event.how == "accepted" else event.sender
                    self.mark(event, event.start, event.end, to, "active")
                case Delivered():
                    numbers = [(event.device, serial) for serial in range(event.start, event.end + 1)]
                    assert all(self.where[number] == (event.seller, "locked") for number in numbers)
                    self.mark(event, event.start, event.end, event.buyer, "active")

    def mark(self, lot: Ranged, start: int, end: int, holder: int, place: str) -> None:
        for serial in range(start, end + 1):
            number = (lot.device, serial)
            if isinstance(lot, Issued):
                assert number not in self.where, f"{number} was issued twice"
            else:
                assert self.where[number][1] not in DEAD, f"{number} died before"
            self.where[number] = (holder, place)

    def tried(self, action: Action, holder: int) -> bool:
        """Whether the ledger took it; a story may meet the end of a term, and an operator's debt."""
        try:
            self.take(self.town.do(action, by=(self.name_of(holder),)))
        except BlockInvalid as error:
            if not isinstance(error.__cause__, CertificateExpired | DebtOpen | HandoverOver):
                raise
            return False
        self.sent.append((action, holder))
        return True

    def refused(self, action: Action, holder: int) -> None:
        """A block with it is no block, and the state stays what it was."""
        before = dict(self.town.state.changes)
        with pytest.raises(BlockInvalid):
            self.town.do(action, by=(self.name_of(holder),))
        assert self.town.state.changes == before

    def owner_of(self, device: int) -> int:
        return self.town.id("plant" if device == 1 else "trader")

    def free_of(self, device: int) -> bool:
        """The operator has active certificates of the device."""
        owner = self.owner_of(device)
        return any(
            isinstance(each, Bundle) and (each.holder, each.device) == (owner, device)
            for each in self.town.live().values()
        )

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
                case Pending():
                    lot, place = output.lot, "handed"
                case _:
                    continue
            for serial in range(lot.start, lot.end + 1):
                assert (lot.device, serial) not in seen, f"{lot.device}-{serial} lies in two outputs"
                seen[lot.device, serial] = (lot.holder, place)
        dead = {number: fate for number, fate in self.where.items() if fate[1] in DEAD}
        assert seen == {number: fate for number, fate in self.where.items() if number not in dead}

    @invariant()
    def energy_is_certificates_carry_and_debt(self) -> None:
        """The identity of `contracts/accounts.py`, for every account and every device."""
        for device in (1, 2):
            numbers = {serial: fate for (found, serial), fate in self.where.items() if found == device}
            assert set(numbers) == set(range(1, len(numbers) + 1))
            withdrawn = sum(place == "withdrawn" for _, place in numbers.values())
            accounts, debt = accounts_of(self.town.state, device), debt_of(self.town.state, device)
            assert sum(account.issued for account in accounts) == len(numbers)
            assert sum(account.withdrawn for account in accounts) == withdrawn
            carry = sum(account.carry_wh for account in accounts)
            owed = debt.debt_wh + debt.forfeited_wh + debt.received_wh if debt else 0
            assert not (debt and debt.debt_wh and carry)
            accepted = sum(wh for (found, _), wh in self.days.items() if found == device)
            accepted -= sum(credit.credit_wh for credit in credits_in(self.town.state, device))
            assert accepted == FACE_WH * (len(numbers) - withdrawn) + carry - owed
            for account in accounts:
                assert 0 <= account.carry_wh < FACE_WH
                made = FACE_WH * account.issued + account.carry_wh + account.moved_wh
                spent = made + account.corrected_wh + account.netted_wh
                assert account.carry_in_wh + account.released_wh + account.returned_wh == spent

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
                case Security():
                    held += output.funds.amount
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
    plan = settings(max_examples=RUNS, stateful_step_count=40, deadline=None, derandomize=RUNS == 60)
    run_state_machine_as_test(Stories, settings=plan)
