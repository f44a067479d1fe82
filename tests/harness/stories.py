"""Random stories of the ledger: everything that may happen, and what must be refused, in any order."""

from collections import defaultdict
from operator import sub

from harness.model import HOUR_S, HOURLY, PEOPLE, Model
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from msgspec.structs import replace

from contracts.calendar import month_of_day
from contracts.correct import credit_of, credits_in, open_debts
from contracts.expire import closed_auctions
from contracts.release import parts_released_up_to
from contracts.security import securities
from contracts.standing import standing_of
from state.attestation import ACCEPT, HOLD
from state.outputs import Bid, Bundle, Funds, Offer, Output, PayoutRequest, Pending, Security, holder_of
from state.transaction import (
    Amend,
    AnswerHandover,
    AskPayout,
    Cancel,
    ConfirmPayout,
    CorrectContent,
    Deposit,
    DropPayout,
    EndStanding,
    HandOver,
    Payment,
    Payout,
    Piece,
    PlaceBid,
    PlaceOffer,
    Pledge,
    Propose,
    SetStanding,
    Transfer,
    Unpledge,
    Withdraw,
    WithdrawnRange,
)
from state.units import DAY_S, MICRO, MINOR_UNIT

LADDER = (9_000, 600, 400)  # of the hourly plant

pick = st.integers(0, 10**6)
who = st.sampled_from(PEOPLE)
small = st.integers(0, 30)


class Stories(Model):
    @initialize()
    def begin_days(self) -> None:
        self.energies: dict[int, tuple[int, ...]] = {}  # of the hourly plant, by hour
        self.steps: dict[int, int] = defaultdict(int)
        self.hours_to_come: dict[int, tuple[int, ...]] = {}

    # --- what happens

    @rule(device=st.sampled_from([1, 2]), wh=st.integers(0, 3_500_000), good=st.booleans(), skip=st.integers(1, 20))
    def issue(self, device: int, wh: int, good: bool, skip: int) -> None:
        self.day += skip
        day = self.town.attested(device, self.day, wh, ACCEPT if good else HOLD)
        self.take(self.town.do(self.town.issue_action(device, (day,), month_of_day(self.day))))
        self.days[device, self.day] = wh if good else 0

    @rule(first=small, second=small, skip=st.integers(1, 20))
    def issue_by_the_hour(self, first: int, second: int, skip: int) -> None:
        """The first part of a day; the others follow by `climb`."""
        self.day += skip
        self.energies[self.day] = (*(0,) * 8, first, second, *(0,) * 14)
        self.release(self.day, 0)

    @rule(at=pick)
    def climb(self, at: int) -> None:
        """The next step of a day of the hourly plant."""
        open_days = [day for day in self.energies if (HOURLY, day) not in self.corrected and self.steps[day] < 2]
        if open_days:
            day = open_days[at % len(open_days)]
            self.release(day, self.steps[day] + 1)

    def release(self, day: int, step: int) -> None:
        energies = self.energies[day]
        before = parts_released_up_to(energies, LADDER, step - 1) if step else (0,) * 24
        hours = tuple(map(sub, parts_released_up_to(energies, LADDER, step), before))
        released = sum(hours)
        attested = self.town.attested(
            HOURLY, day, sum(energies), step=step, release_wh=released, hours_wh=hours if released else ()
        )
        self.take(self.town.do(self.town.issue_action(HOURLY, (attested,), month_of_day(day))))
        self.steps[day] = step
        self.days[HOURLY, day] = self.days.get((HOURLY, day), 0) + released
        self.gain(day, hours)

    def gain(self, day: int, hours: tuple[int, ...]) -> None:
        for hour, energy_wh in enumerate(hours):
            self.hours[day * DAY_S + hour * HOUR_S] += energy_wh

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

    @rule(at=pick, to=who, cents=st.integers(1, 10_000))
    def sell(self, at: int, to: str, cents: int) -> None:
        """Against payment: both legs, or neither."""
        found, buyer = self.choose(Bundle, at), self.town.id(to)
        purses = [(p, o) for p, o in sorted(self.town.live().items()) if isinstance(o, Funds) and o.holder == buyer]
        if found is None or found[1].holder == buyer or not purses:
            return
        (point, lot), (purse, funds) = found, purses[at % len(purses)]
        price = min(cents * MINOR_UNIT, funds.amount)
        pieces = (self.piece(buyer, lot.start, lot.end),)
        dear = Transfer(lot.holder, (point,), pieces, Payment(buyer, "EUR", funds.amount + 1, (purse,)))
        self.refused(dear, lot.holder, buyer)
        sale = Transfer(lot.holder, (point,), pieces, Payment(buyer, "EUR", price, (purse,)))
        self.refused(sale, lot.holder)
        self.tried(sale, lot.holder, buyer)

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
        action = self.town.retire_action(name, point, start, lot.end)
        if self.tried(action, lot.holder):
            self.mark(lot, start, lot.end, lot.holder, "retired")
            self.statements[action.statement_hash[:16]] = lot.holder, self.town.time_ms // 1000

    @rule(at=pick, mine=st.booleans())
    def amend(self, at: int, mine: bool) -> None:
        if not self.statements:
            return
        statement = sorted(self.statements)[at % len(self.statements)]
        holder, retired_at = self.statements[statement]
        person = holder if mine else self.other_than(holder)
        until = retired_at + self.town.parameters.terms.amend_s
        action = Amend(person, statement, "Bakery Dupont & fils", "Nancy", "")
        if statement in self.amended or not mine or self.town.time_ms // 1000 + 1 >= until:
            self.refused(action, person)
        else:
            assert self.tried(action, person)
            self.amended.add(statement)

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

    @rule(device=st.sampled_from([1, 2, 3]), to=who, share=st.integers(1, 10_000), most=st.integers(0, 8))
    def stand(self, device: int, to: str, share: int, most: int) -> None:
        owner = self.owner_of(device)
        if owner == self.town.id(to) or len(standing_of(self.town.state, device)) > 2:
            return
        until = self.town.time_ms // 1000 + 40 * 86_400
        self.take(
            self.town.do(SetStanding(owner, device, self.town.id(to), share, most, until), by=(self.name_of(owner),))
        )

    @rule(at=pick, device=st.sampled_from([1, 2, 3]), receiver=st.booleans())
    def end_standing(self, at: int, device: int, receiver: bool) -> None:
        rules = standing_of(self.town.state, device)
        if rules:
            rule_ = rules[at % len(rules)]
            person = rule_.to if receiver else rule_.owner
            if person in {self.town.id(name) for name in PEOPLE}:
                self.tried(EndStanding(person, device, rule_.id), person)

    # --- errors that are put right

    @rule(at=pick, wh=st.integers(0, 12_000_000))
    def correct(self, at: int, wh: int) -> None:
        device, day = sorted(self.days)[at % len(self.days)]
        revision = self.corrected.get((device, day), 0) + 1
        if self.days[device, day] == wh or credit_of(self.town.state, device, day) is not None or revision > 9:
            return
        hours: tuple[int, ...] = ()
        if device == HOURLY:
            wh = wh % 60
            added = wh - self.days[device, day]
            if not added:
                return
            hours = (*(0,) * 10, added, *(0,) * 13) if added > 0 else ()
            self.hours_to_come[day] = hours
        self.take(self.town.correct(device, day, wh, revision=revision, hours_wh=hours))
        self.corrected[device, day], self.days[device, day] = revision, wh

    @rule()
    def withdraw(self) -> None:
        for debt in open_debts(self.town.state):
            if self.free_of(debt.device):
                self.take(self.town.do(self.town.withdrawal(debt.device)))

    @rule(at=pick, mine=st.booleans())
    def hand_in(self, at: int, mine: bool) -> None:
        """Certificates of another plant for what one owes; without a debt, or by somebody else, never."""
        found = self.choose(Bundle, at)
        if found is None:
            return
        point, lot = found
        for device in (1, 2):
            if device == lot.device or lot.device == HOURLY:
                continue
            owner = self.owner_of(device)
            action = Withdraw(device, (WithdrawnRange(point, lot.end, lot.end),))
            debts = {debt.device for debt in open_debts(self.town.state)}
            if device not in debts or lot.holder != owner or not mine:
                self.refused(action, owner if mine else self.other_than(owner))
            else:
                self.tried(action, owner)

    @rule(at=pick)
    def issue_credit(self, at: int) -> None:
        waiting = credits_in(self.town.state)
        if waiting:
            credit = waiting[at % len(waiting)]
            self.take(self.town.do(self.town.credit_action(credit.device, credit.day)))
            if credit.device == HOURLY:
                self.gain(credit.day, self.hours_to_come.pop(credit.day))

    @rule(at=pick, device=st.sampled_from([1, 2, 3]))
    def pledge(self, at: int, device: int) -> None:
        found = self.choose(Funds, at)
        if found is None or found[1].holder != self.owner_of(device) or len(securities(self.town.state, device)) > 3:
            return
        point, funds = found
        action = Pledge(funds.holder, device, "EUR", 1 + funds.amount // 2, (point,))
        self.take(self.town.do(action, by=(self.name_of(funds.holder),)))

    @rule(at=pick)
    def unpledge(self, at: int) -> None:
        """Notice, or the money back; never while there is a debt."""
        found = self.choose(Security, at)
        if found is not None:
            point, locked = found
            owner = locked.funds.holder
            self.tried(Unpledge(owner, locked.device, point), owner)

    # --- what must be refused

    @rule(at=pick, kind=st.sampled_from(["holder", "beyond", "overlap", "gap", "money", "stranger", "reversed"]))
    def wrong(self, at: int, kind: str) -> None:
        found = self.choose(Bundle, at)
        if found is None:
            return
        point, lot = found
        other = self.other_than(lot.holder)
        sender, whole = lot.holder, self.piece(other, lot.start, lot.end)
        wrong = {
            "holder": (other, (whole,)),
            "beyond": (sender, (self.piece(other, lot.start, lot.end + 1),)),
            "overlap": (sender, (whole, self.piece(sender, lot.end, lot.end))),
            "gap": (sender, (self.piece(other, lot.start, lot.end - 1),)),
            "money": (sender, (whole,)),
            "stranger": (sender, (Piece(99, lot.start, lot.end),)),
            "reversed": (sender, (whole, Piece(other, lot.end, lot.end - 1))),
        }
        by, pieces = wrong[kind]
        inputs = (point, point) if kind == "money" else (point,)
        self.refused(Transfer(by, inputs, pieces, None), by)

    @rule(at=pick, kind=st.sampled_from(["holder", "beyond", "before", "statement"]))
    def wrong_retirement(self, at: int, kind: str) -> None:
        found = self.choose(Bundle, at)
        if found is None:
            return
        point, lot = found
        name, other = self.name_of(lot.holder), self.other_than(lot.holder)
        right = self.town.retire_action(name, point, lot.start, lot.end)
        match kind:
            case "holder":
                action, by = self.town.retire_action(self.name_of(other), point, lot.start, lot.end), other
            case "beyond":
                action, by = self.town.retire_action(name, point, lot.start, lot.end + 1), lot.holder
            case "before":
                action, by = self.town.retire_action(name, point, lot.start - 1, lot.end), lot.holder
            case _:
                action, by = replace(right, statement_hash=bytes(32)), lot.holder
        self.refused(action, by)

    @rule(at=pick, more=st.integers(1, 9), down=st.booleans())
    def wrong_correction(self, at: int, more: int, down: bool) -> None:
        """Out of turn, of no change, or upwards in an hourly plant without its hours."""
        device, day = sorted(self.days)[at % len(self.days)]
        stands, turn = self.days[device, day], self.corrected.get((device, day), 0) + 1
        contents = [CorrectContent(device, day, turn + more, stands + more, stands + more, "out of turn", b"")]
        contents += [CorrectContent(device, day, turn, stands, stands, "no change", b"")]
        if device == HOURLY:
            contents += [CorrectContent(device, day, turn, stands + more, stands + more, "no hours", b"")]
            if stands >= more:
                hours = (more, *(0,) * 23)
                contents += [CorrectContent(device, day, turn, stands, stands - more, "hours", b"", hours)]
        for content in contents:
            self.refused(Propose(self.town.id("plant"), content), self.town.id("plant"))

    @rule(at=pick)
    def replay(self, at: int) -> None:
        if self.sent:
            action, signers = self.sent[at % len(self.sent)]
            self.refused(action, *signers)

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

    @rule(at=pick)
    def ask_payout(self, at: int) -> None:
        found = self.choose(Funds, at)
        if found is not None and found[1].amount >= MINOR_UNIT:
            point, funds = found
            amount, until = funds.amount // MINOR_UNIT * MINOR_UNIT, self.town.time_ms // 1000 + 100
            self.tried(AskPayout(funds.holder, self.town.id("bank"), (point,), "EUR", amount, until), funds.holder)

    @rule(at=pick, confirm=st.booleans(), bank=st.booleans())
    def end_payout(self, at: int, confirm: bool, bank: bool) -> None:
        found = self.choose(PayoutRequest, at)
        if found is None:
            return
        (point, request), operator = found, self.town.id("bank")
        holder, amount = request.funds.holder, request.funds.amount
        if not confirm:
            self.tried(DropPayout(operator if bank else holder, point), operator if bank else holder)
            return
        self.reference += 1
        action = ConfirmPayout(operator, point, holder, "EUR", amount, f"out {self.reference}")
        self.take(self.town.do(action, by=("bank",)))
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
        action = PlaceOffer(self.auction, lot.holder, point, lot.start, end, limit * MICRO)
        if lot.device == HOURLY:
            self.refused(action, lot.holder)  # the auction is of another scheme
        elif self.tried(action, lot.holder):
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


def like(lot: Bundle) -> tuple[int, int, int]:
    return lot.holder, lot.issuance, lot.transfers
