"""A plain model of the ledger beside the ledger: certificate number -> (holder, where it is), day -> Wh, hour -> Wh.

What must hold after every step of every story stands here as invariants; `harness.stories` tells what happens.
"""

from collections import Counter as Tally
from collections import defaultdict
from typing import Self

import pytest
from harness.chain import summed_root
from harness.finalized import FinalizedWorld
from harness.town import Town
from harness.world import DAY
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from contracts.accounts import accounts_of, debt_of
from contracts.correct import credits_in
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
from contracts.transition import DecodedTx
from state.errors import BlockInvalid, CertificateExpired, DebtOpen, HandoverOver, NotYet, Refusal
from state.keyspace import Entry, Space, amendment_key, issuance_key, output_count_key, space_end
from state.lthash import LtHash
from state.outputs import (
    NEVER,
    Bid,
    Bundle,
    Delivery,
    Funds,
    Offer,
    Output,
    PayoutRequest,
    Pending,
    Security,
    holder_of,
    retire_until,
)
from state.records import Amendment, Counter, Issuance
from state.store import encode_entry
from state.transaction import Action
from state.units import MICRO, Outpoint

PEOPLE = ("plant", "trader", "consumer")
FACE_WH = {1: 1_000_000, 2: 1_000_000, 3: 1}  # of the plants
HOURLY = 3  # the plant whose certificates name their hour
HOUR_S = 3_600
FIRST_DAYS = {(1, DAY): 10_000_000, (2, DAY): 6_400_000}
START_EUROS = 1_000  # of everybody
Number = tuple[int, int]  # (device, serial)
Ranged = Bundle | Issued | Expired | Delivered | Withdrawn | Transferred | HandedOver | HandoverAnswered
DEAD = frozenset({"retired", "expired", "withdrawn"})
TERMS = (CertificateExpired, DebtOpen, HandoverOver, NotYet)  # what a story may run into without doing wrong


class HashedTown(Town):
    """Adds up the state hash block by block, as a node does, and remembers its blocks."""

    total: LtHash
    blocks: list[tuple[tuple[DecodedTx, ...], int]]

    def block(self, *transactions: DecodedTx, seconds: int = 1) -> list[Event]:
        events = super().block(*transactions, seconds=seconds)
        self.__dict__.setdefault("blocks", []).append((transactions, seconds))
        return events

    def keep(self, difference: list[tuple[bytes, Entry | None, Entry | None]]) -> None:
        super().keep(difference)
        if hasattr(self, "total"):
            self.total.remove((key, encode_entry(before)) for key, before, _ in difference if before is not None)
            self.total.add((key, encode_entry(after)) for key, _, after in difference if after is not None)

    def begin_story(self) -> Self:
        town = self.fork()
        town.blocks, town.total = list(self.blocks), LtHash()
        town.total.add((key, encode_entry(entry)) for key, entry in town.state.scan(b"\x00", b"\x80"))
        return town

    @property
    def state_root(self) -> bytes:
        return self.total.root()

    def mark(self) -> object:
        """Changes with every change of the state."""
        return dict(self.state.changes)


class FinalTown(Town, FinalizedWorld):
    """The blocks of a template again, on a real ledger with real Finalizations, and then a story of its own."""

    def __init__(self, template: HashedTown, genesis: bytes) -> None:
        FinalizedWorld.__init__(self, genesis=genesis)
        self.people = dict(template.people)
        for transactions, seconds in template.blocks:
            self.block(*transactions, seconds=seconds)

    def block(self, *transactions: DecodedTx, seconds: int = 1) -> list[Event]:
        before = self.time_ms
        try:
            return FinalizedWorld.block(self, *transactions, seconds=seconds)
        except Refusal as refusal:
            self.time_ms = before
            raise BlockInvalid(why=str(refusal)) from refusal

    @property
    def state_root(self) -> bytes:
        return self.ledger.tip.header.state_root

    def mark(self) -> object:
        return self.height, self.state_root


class Model(RuleBasedStateMachine):
    template: HashedTown
    town: HashedTown | FinalTown

    def settle_down(self) -> HashedTown | FinalTown:
        return self.template.begin_story()

    @initialize()
    def begin(self) -> None:
        self.town = self.settle_down()
        self.where: dict[Number, tuple[int, str]] = {}
        for lot in self.town.live().values():
            if isinstance(lot, Bundle):
                self.where |= {(lot.device, n): (lot.holder, "active") for n in range(lot.start, lot.end + 1)}
        self.days: dict[tuple[int, int], int] = dict(FIRST_DAYS)  # what each judged day stands at
        self.hours: dict[int, int] = defaultdict(int)  # start of an hour in s -> Wh that were attested of it
        self.issuances: list[Issuance] = []
        self.corrected: dict[tuple[int, int], int] = {}  # revisions so far
        self.sent: list[tuple[Action, tuple[int, ...]]] = []  # actions that held once: none may hold again
        self.statements: dict[bytes, tuple[int, int]] = {}  # holder, retired at
        self.amended: set[bytes] = set()
        self.paid_in, self.paid_out = len(PEOPLE) * START_EUROS * MICRO, 0
        self.day = DAY
        self.auction = 0
        self.reference = 0

    # --- bookkeeping of the dictionary

    def take(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Issued():
                    issuance = self.town.state.get(issuance_key(event.issuance))
                    assert isinstance(issuance, Issuance)
                    self.issuances.append(issuance)
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

    def tried(self, action: Action, *signers: int) -> bool:
        """Whether the ledger took it; a story may meet the end of a term, and an operator's debt."""
        try:
            self.take(self.town.do(action, by=tuple(map(self.name_of, signers))))
        except BlockInvalid as error:
            if not isinstance(error.__cause__, TERMS):
                raise
            return False
        self.sent.append((action, signers))
        return True

    def refused(self, action: Action, *signers: int) -> None:
        """A block with it is no block, and the state stays what it was."""
        before = self.town.mark()
        with pytest.raises(BlockInvalid):
            self.town.do(action, by=tuple(map(self.name_of, signers)))
        assert self.town.mark() == before

    def owner_of(self, device: int) -> int:
        return self.town.id("trader" if device == 2 else "plant")

    def other_than(self, holder: int) -> int:
        return next(self.town.id(name) for name in PEOPLE if self.town.id(name) != holder)

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
        for device, face_wh in FACE_WH.items():
            numbers = {serial: fate for (found, serial), fate in self.where.items() if found == device}
            assert set(numbers) == set(range(1, len(numbers) + 1))
            withdrawn = sum(place == "withdrawn" for _, place in numbers.values())
            accounts, debt = accounts_of(self.town.state, device), debt_of(self.town.state, device)
            assert sum(account.issued for account in accounts) == len(numbers)
            assert sum(account.withdrawn for account in accounts) == withdrawn
            carry = sum(account.carry_wh for account in accounts)
            owed = debt.debt_wh + debt.forfeited_wh + debt.received_wh if debt else 0
            owed -= sum(account.given_wh for account in accounts)
            assert not (debt and debt.debt_wh and carry)
            accepted = sum(wh for (found, _), wh in self.days.items() if found == device)
            accepted -= sum(credit.credit_wh for credit in credits_in(self.town.state, device))
            assert accepted == face_wh * (len(numbers) - withdrawn) + carry - owed
            for account in accounts:
                assert 0 <= account.carry_wh < face_wh
                made = face_wh * account.issued + account.carry_wh + account.moved_wh
                spent = made + account.corrected_wh + account.netted_wh
                assert account.carry_in_wh + account.released_wh + account.returned_wh == spent

    @invariant()
    def no_hour_has_more_certificates_than_was_attested_of_it(self) -> None:
        """And what is missing to all of them paid a debt."""
        made: dict[int, int] = defaultdict(int)
        for issuance in self.issuances:
            if issuance.device == HOURLY:
                assert issuance.production_to == issuance.production_from + HOUR_S
                made[issuance.production_from] += issuance.end - issuance.start + 1
        assert all(count <= self.hours[start] for start, count in made.items())
        debt = debt_of(self.town.state, HOURLY)
        assert sum(self.hours.values()) - sum(made.values()) == (debt.netted_wh if debt else 0)

    @invariant()
    def words_are_put_right_once(self) -> None:
        for statement in self.statements:
            kept = isinstance(self.town.state.get(amendment_key(statement)), Amendment)
            assert kept == (statement in self.amended)

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
                case Security() | PayoutRequest():
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
        assert self.town.state_root == summed_root(self.town.state)
