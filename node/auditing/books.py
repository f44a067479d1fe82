"""The books: certificates, energy and money of a chain, added up from what moved, by somebody who knows no rule.

What must never change in sum, whatever the rules say (research/registry.md section 4): a number is given once and lies
in one place until it is retired, expires or is withdrawn; for each plant the accepted energy is its certificates times
their face value, what is carried, and what is owed; money comes by deposits and goes by payouts. Kept apart from
`contracts/` on purpose: shares the shapes of actions and outputs with them, and not a line of what they decide.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

from contracts.events import DayCorrected, Event, Forfeited
from node.auditing.findings import Findings
from state.attestation import ACCEPT, CORRECTION, Attestation, SignedBy, attestation_bytes
from state.crypto import verify
from state.history import lot_of
from state.movement import Movement
from state.outputs import NEVER, Bid, Delivery, Funds, Offer, Output, holder_of, retire_until
from state.spoken import counted
from state.transaction import Action, ConfirmPayout, Deposit, Issue, Pay, Payout, Retire, Settle, Withdraw
from state.units import Outpoint

DAY_S = 86_400
HOUR_S = 3_600
ENDS = {"retire": "retired", "expire": "expired", "withdraw": "withdrawn"}

Range = tuple[int, int]


@dataclass
class Account:
    """Wh of one plant and production month, as its issues leave it."""

    released_wh: int = 0
    issued: int = 0
    carry_in_wh: int = 0
    carry_wh: int = 0
    moved_wh: int = 0
    withdrawn: int = 0
    corrected_wh: int = 0
    netted_wh: int = 0
    returned_wh: int = 0


@dataclass
class Plant:
    """One plant: its numbers and its energy."""

    next_serial: int = 1
    scheme: int = 0
    face_wh: int = 0
    released_wh: int = 0
    days: int = 0
    accounts: dict[int, Account] = field(default_factory=dict)
    ended: list[tuple[int, int, str]] = field(default_factory=list)
    accepted_wh: int = 0  # of its days, as they stand corrected
    credit_wh: int = 0  # corrected upwards, and not yet issued
    debt_wh: int = 0
    forfeited_wh: int = 0
    received_wh: int = 0  # of its debt, paid by certificates of other plants
    given_wh: int = 0  # by its certificates for the debt of other plants
    births: list[Range] = field(default_factory=list)  # first serial of an issue, its production month
    hours: dict[int, int] = field(default_factory=dict)  # first serial of an hour -> its start in s
    days_wh: dict[int, int] = field(default_factory=dict)  # what each judged day stands at
    owner: int = 0
    debt_month: int = 0  # of the last correction that made a debt

    def month_of(self, serial: int) -> int:
        """The production month of a certificate."""
        return self.births[bisect_right(self.births, (serial, NEVER)) - 1][1]

    @property
    def issued(self) -> int:
        return sum(account.issued for account in self.accounts.values())

    @property
    def carry_wh(self) -> int:
        return sum(account.carry_wh for account in self.accounts.values())


@dataclass(frozen=True)
class Terms:
    """What the genesis says of a scheme."""

    face_wh: int
    close_days: int


class Books:
    """Fed block by block with what moved. `quorum` and `vote_keys` are those of the block."""

    def __init__(self, chain: bytes, schemes: dict[int, Terms], found: Findings) -> None:
        self._chain = chain
        self.schemes = schemes
        self._found = found
        self.live: dict[Outpoint, Output] = {}
        self.plants: dict[int, Plant] = defaultdict(Plant)
        self.statements: dict[bytes, int] = {}
        self.deposited: Counter[str] = Counter()
        self.paid_out: Counter[str] = Counter()
        self._released: set[tuple[int, int, int, int]] = set()
        self.attestations = 0
        self._spent: dict[Outpoint, Output] = {}  # by the movement that is booked

    # --- one block

    def book(
        self, place: str, time_ms: int, vote_keys: Sequence[bytes], movement: Movement, action: Action | None
    ) -> None:
        """What one action did; `action` is None for what time did by itself."""
        self._spent = {}
        for point, output in movement.spent:
            self._spend(place, time_ms, movement.kind, point, output)
        for point, output in movement.created:
            if point in self.live:
                self._found.add("ranges_overlap", place, f"output {point.hex()} is created twice")
            self.live[point] = output
        self._book_money(place, movement, action)
        if isinstance(action, Issue):
            self._book_issue(place, time_ms // 1000, vote_keys, action, movement)
        else:
            self._book_ranges(place, movement, action)
        if isinstance(action, Withdraw):
            self._book_withdrawal(place, action)
        if isinstance(action, Settle):
            self._check_settlement(place, action, movement)

    def _spend(self, place: str, time_ms: int, kind: str, point: Outpoint, output: Output) -> None:
        held = self.live.pop(point, None)
        self._spent[point] = output
        if held is None:
            self._found.add("spent_twice", place, f"output {point.hex()} is not there to be spent")
        elif held != output:
            self._found.add("spent_twice", place, f"output {point.hex()} is spent as something else than it is")
        dead = retire_until(output) * 1000 <= time_ms
        if kind != "expire" and dead:
            self._found.add("dead_used", place, f"output {point.hex()} was dead since {retire_until(output)} s")
        if kind == "expire" and not dead and lot_of(output) is not None:
            self._found.add("certificates_lost", place, f"output {point.hex()} expires before its term")

    # --- money

    def _book_money(self, place: str, movement: Movement, action: Action | None) -> None:
        change: Counter[str] = Counter()
        for _, output in movement.created:
            for funds in money_in(output):
                change[funds.currency] += funds.amount
        for _, output in movement.spent:
            for funds in money_in(output):
                change[funds.currency] -= funds.amount
        if isinstance(action, Deposit):
            change[action.currency] -= action.amount
            self.deposited[action.currency] += action.amount
        elif isinstance(action, Pay) and action.operator:
            currency = next((funds.currency for _, spent in movement.spent for funds in money_in(spent)), "")
            change[currency] -= action.amount
            self.deposited[currency] += action.amount
        elif isinstance(action, Payout | ConfirmPayout):
            change[action.currency] += action.amount
            self.paid_out[action.currency] += action.amount
        for currency, amount in change.items():
            if amount > 0:
                self._found.add("money_minted", place, f"{amount} millionths of {currency} come from nowhere")
            elif amount < 0:
                self._found.add("money_lost", place, f"{-amount} millionths of {currency} are gone")

    # --- certificates

    def _book_ranges(self, place: str, movement: Movement, action: Action | None) -> None:
        """What was there is there again, but for what the action may end."""
        before, after = _by_plant(movement.spent), _by_plant(movement.created)
        ended: list[tuple[int, int, int]] = []
        for device in before.keys() | after.keys():
            inputs, outputs = sorted(before.get(device, [])), sorted(after.get(device, []))
            for (_, end), (start, last) in pairwise(outputs):
                if start <= end:
                    self._found.add("ranges_overlap", place, f"plant {device}: {start}..{last} lies in two outputs")
            for start, last in _minus(outputs, inputs):
                self._found.add("certificates_from_nothing", place, f"plant {device}: {start}..{last} was not spent")
            ended += ((device, start, last) for start, last in _minus(inputs, outputs))
        status = ENDS.get(movement.kind)
        for device, start, last in ended:
            if status is None:
                self._found.add("certificates_lost", place, f"plant {device}: {start}..{last} by {movement.kind}")
            self.plants[device].ended.append((start, last, status or "lost"))
        if isinstance(action, Retire):
            self._book_retirement(place, action, ended)

    def _book_retirement(self, place: str, action: Retire, ended: list[tuple[int, int, int]]) -> None:
        named = sorted((part.device, part.start, part.end) for part in action.ranges)
        if _joined(named) != _joined(sorted(ended)):
            self._found.add("retirement_differs", place, f"its statement names {named}, {sorted(ended)} ended")
        identity = action.statement_hash[:16]
        if identity in self.statements:
            self._found.add("retirement_differs", place, f"statement {identity.hex()} was made before")
        self.statements[identity] = sum(last - start + 1 for _, start, last in named)

    # --- corrections

    def book_events(self, place: str, events: Sequence[Event]) -> None:
        """What a quorum put right, and what pledged money paid: told by events, because no output moves with it."""
        for event in events:
            match event:
                case DayCorrected():
                    self._correct_day(place, event)
                    self._correct(event.device, _month(event.day * DAY_S), event.after_wh - event.before_wh)
                case Forfeited():
                    plant = self.plants[event.device]
                    plant.forfeited_wh += event.forfeited_wh
                    self._pay(place, event.device, event.forfeited_wh)

    def _correct_day(self, place: str, event: DayCorrected) -> None:
        stood = self.plants[event.device].days_wh.get(event.day)
        if stood != event.before_wh:
            why = f"day {_date(event.day)} stood at {stood} Wh, a correction begins with {event.before_wh} Wh"
            self._found.add("account_differs", place, f"plant {event.device}: {why}")
        self.plants[event.device].days_wh[event.day] = event.after_wh

    def _correct(self, device: int, month: int, change_wh: int) -> None:
        """Upwards a credit waits for its issue; downwards the carry pays, that month's first, and the rest is owed."""
        plant = self.plants[device]
        plant.accepted_wh += change_wh
        plant.credit_wh += max(0, change_wh)
        owed = max(0, -change_wh)
        for number in sorted(plant.accounts, key=lambda number: (number != month, number)):
            account = plant.accounts[number]
            taken = min(account.carry_wh, owed)
            account.carry_wh -= taken
            account.corrected_wh += taken
            owed -= taken
        if owed:
            plant.debt_wh += owed
            plant.debt_month = month

    def _pay(self, place: str, device: int, paid_wh: int) -> None:
        plant = self.plants[device]
        if paid_wh > plant.debt_wh:
            self._found.add("debt_differs", place, f"plant {device}: {paid_wh} Wh are paid, {plant.debt_wh} are owed")
        plant.debt_wh -= paid_wh

    def _book_withdrawal(self, place: str, action: Withdraw) -> None:
        """Whole certificates pay what is owed; what the last one has too much is carried again."""
        debtor = self.plants[action.device]
        for part in action.ranges:
            output = self._spent.get(part.outpoint)
            lot = None if output is None else lot_of(output)
            if lot is None:
                continue  # the spending has been found wrong already
            if holder_of(output) != debtor.owner:  # type: ignore[arg-type]
                self._found.add("debt_differs", place, f"plant {action.device}: its operator does not own what pays")
            plant, count = self.plants[lot.device], part.end - part.start + 1
            month = plant.month_of(part.start)
            energy = count * debtor.face_wh
            paid = min(energy, debtor.debt_wh)
            if energy - paid >= debtor.face_wh:
                self._found.add("debt_differs", place, f"plant {action.device}: more is withdrawn than is owed")
            plant.accounts[month].withdrawn += count
            home = plant.accounts[month]
            if plant is not debtor:
                plant.given_wh += energy
                debtor.received_wh += energy
                home = debtor.accounts[debtor.debt_month]
            home.carry_wh += energy - paid
            home.returned_wh += energy - paid
            self._pay(place, action.device, paid)

    # --- energy

    def _book_issue(
        self, place: str, time_s: int, vote_keys: Sequence[bytes], action: Issue, movement: Movement
    ) -> None:
        plant, terms = self.plants[action.device], self.schemes.get(action.scheme, Terms(action.face_value, 0))
        if plant.face_wh not in (0, terms.face_wh):
            why = f"certificates of {terms.face_wh} Wh, after some of {plant.face_wh} Wh"
            self._found.add("issuance_differs", place, f"plant {action.device}: {why}")
        plant.scheme, plant.face_wh, plant.owner = action.scheme, terms.face_wh, action.owner
        for day in action.days:
            self._book_day(place, action, day.attestation)
            self._check_quorum(place, vote_keys, day.attestation, day.signatures)
        released = sum(day.attestation.release_wh for day in action.days)
        account = self._account(plant, action.month, time_s, terms)
        if action.carry_in_wh != account.carry_wh:
            self._found.add(
                "carry_missing",
                place,
                f"plant {action.device} carried {account.carry_wh} Wh, the issue begins with {action.carry_in_wh} Wh",
            )
        netted = min(plant.debt_wh, account.carry_wh + released)
        if netted != action.netted_wh:
            self._found.add("debt_differs", place, f"plant {action.device}: {netted} Wh pay its debt first")
        count, carry = divmod(account.carry_wh + released - netted, terms.face_wh)
        if (count, carry) != (action.count, action.carry_out_wh) or action.face_value != terms.face_wh:
            self._found.add(
                "issuance_differs",
                place,
                f"plant {action.device}: {account.carry_wh} + {released} Wh are "
                f"{counted(count, 'certificate')} and {carry} Wh, "
                f"it makes {action.count} of {action.face_value} Wh and carries {action.carry_out_wh} Wh",
            )
        self._book_numbers(place, plant, action, movement)
        if terms.face_wh == 1:
            self._book_hours(place, plant, action, movement, netted)
        account.released_wh += released
        account.issued += action.count
        account.carry_wh = action.carry_out_wh
        account.netted_wh += action.netted_wh
        plant.released_wh += released
        credited = sum(day.attestation.release_wh for day in action.days if day.attestation.step == CORRECTION)
        plant.credit_wh -= credited
        plant.accepted_wh += released - credited  # a correction was booked when it was decided
        plant.births.append((action.first_serial, action.month))
        self._pay(place, action.device, action.netted_wh)

    def _book_day(self, place: str, action: Issue, judged: Attestation) -> None:
        key = (judged.device, judged.day, judged.step, judged.revision)
        if key in self._released:
            self._found.add(
                "energy_twice", place, f"plant {judged.device}: day {_date(judged.day)} was released before"
            )
        self._released.add(key)
        plant = self.plants[judged.device]
        plant.days += 1
        if judged.step != CORRECTION:  # what a correction adds was booked when it was decided
            plant.days_wh[judged.day] = plant.days_wh.get(judged.day, 0) + judged.release_wh
        if judged.device != action.device or _month(judged.day * DAY_S) != action.month:
            self._found.add("issuance_differs", place, f"day {_date(judged.day)} is not of that plant and month")
        if judged.release_wh > (judged.energy_wh if judged.verdict == ACCEPT else 0):
            self._found.add("issuance_differs", place, f"day {_date(judged.day)} releases more than was accepted of it")

    def _check_quorum(
        self, place: str, vote_keys: Sequence[bytes], judged: Attestation, signatures: Iterable[SignedBy]
    ) -> None:
        message = attestation_bytes(self._chain, judged)
        good = {
            signed.validator
            for signed in signatures
            if signed.validator < len(vote_keys) and verify(vote_keys[signed.validator], message, signed.signature)
        }
        self.attestations += len(good)
        quorum = len(vote_keys) - (len(vote_keys) - 1) // 3
        if len(good) < quorum:
            self._found.add(
                "issuance_unattested",
                place,
                f"plant {judged.device}, day {_date(judged.day)}: {len(good)} attestations hold, {quorum} are needed",
            )

    def _account(self, plant: Plant, month: int, time_s: int, terms: Terms) -> Account:
        """The month's account; a new one takes over what earlier months left, once they are closed."""
        account = plant.accounts.get(month)
        if account is None:
            account = Account()
            for earlier in sorted(plant.accounts):
                before = plant.accounts[earlier]
                if earlier < month and before.carry_wh and _month_end(earlier) + terms.close_days * DAY_S <= time_s:
                    account.carry_in_wh += before.carry_wh
                    before.moved_wh += before.carry_wh
                    before.carry_wh = 0
            account.carry_wh = account.carry_in_wh
            plant.accounts[month] = account
        return account

    def _book_numbers(self, place: str, plant: Plant, action: Issue, movement: Movement) -> None:
        lots = [lot for _, output in movement.created if (lot := lot_of(output)) is not None]
        last = action.first_serial + action.count - 1
        made = sorted((lot.start, lot.end) for lot in lots)
        strange = [lot for lot in lots if (lot.device, lot.holder) != (action.device, action.owner)]
        if strange or _whole(made) != ([(action.first_serial, last)] if action.count else []):
            self._found.add(
                "issuance_differs", place, f"it announces {counted(action.count, 'certificate')} and creates {made}"
            )
        for start, end in made:
            if start != plant.next_serial:
                how = "ranges_overlap" if start < plant.next_serial else "certificates_lost"
                self._found.add(how, place, f"numbers go on with {start}, the next one was {plant.next_serial}")
            plant.next_serial = max(plant.next_serial, end + 1)

    def _book_hours(self, place: str, plant: Plant, action: Issue, movement: Movement, netted: int) -> None:
        """Where certificates name their hour: the attested hours in order, what pays a debt taken off the first."""
        serial = action.first_serial
        expected: list[Range] = []
        for judged in (day.attestation for day in action.days):
            for hour, energy_wh in enumerate(judged.hours_wh):
                paid = min(netted, energy_wh)
                netted -= paid
                if energy_wh > paid:
                    plant.hours[serial] = judged.day * DAY_S + hour * HOUR_S
                    expected.append((serial, serial + energy_wh - paid - 1))
                    serial += energy_wh - paid
        made = [(lot.start, lot.end) for _, output in movement.created if (lot := lot_of(output)) is not None]
        if sorted(made) != expected:
            self._found.add("hours_differ", place, f"plant {action.device}: {expected} by the hour, it creates {made}")

    # --- the market

    def _check_settlement(self, place: str, action: Settle, movement: Movement) -> None:
        """Inside everybody's limits and between the prices; of one class without a fee exactly at its price."""
        certificates: Counter[int] = Counter()
        money: Counter[int] = Counter()
        for sign, outputs in ((1, movement.created), (-1, movement.spent)):
            for _, output in outputs:
                for holder, count, amount in _belongs(output):
                    certificates[holder] += sign * count
                    money[holder] += sign * amount
        low, high = min(action.prices, default=0), max(action.prices, default=0)
        if low == high and not any(money[holder] and not certificates[holder] for holder in money):
            wrong = [holder for holder in money | certificates if money[holder] + certificates[holder] * low]
        else:  # fees and forfeits go to somebody who did not trade
            wrong = [h for h, count in certificates.items() if count > 0 and not low <= -money[h] / count <= high]
            wrong += [h for h, count in certificates.items() if count < 0 and money[h] > -count * high]
            wrong += [0] if sum(money.values()) else []
        for holder in wrong:
            self._found.add(
                "settle_wrong",
                place,
                f"participant {holder}: {certificates[holder]:+} certificates at {low}..{high}, {money[holder]:+}",
            )
        orders = [output for _, output in movement.spent]
        for holder, change in certificates.items():
            limits = [order.limit for order in orders if isinstance(order, Offer | Bid) and holder_of(order) == holder]
            if (change > 0 and max(limits, default=0) < low) or (change < 0 and min(limits, default=0) > high):
                self._found.add("settle_wrong", place, f"participant {holder} trades at {low}, outside its limits")

    # --- the end

    def close(self) -> None:
        """What must hold of the whole."""
        lots: dict[int, list[Range]] = defaultdict(list)
        for output in self.live.values():
            lot = lot_of(output)
            if lot is not None:
                lots[lot.device].append((lot.start, lot.end))
        for device in sorted(self.plants.keys() | lots.keys()):
            self._close_plant(f"plant {device}", self.plants[device], lots[device])
        held: Counter[str] = Counter()
        for output in self.live.values():
            for funds in money_in(output):
                held[funds.currency] += funds.amount
        for currency in sorted(held.keys() | self.deposited.keys()):
            owed = self.deposited[currency] - self.paid_out[currency]
            if held[currency] != owed:
                kind = "money_minted" if held[currency] > owed else "money_lost"
                self._found.add(
                    kind, "the end", f"{held[currency]} millionths of {currency} are held, {owed} were paid in"
                )

    def _close_plant(self, place: str, plant: Plant, parts: list[Range]) -> None:
        expected = 1
        for start, end in sorted([*parts, *((start, end) for start, end, _ in plant.ended)]):
            if start != expected:
                kind = "ranges_overlap" if start < expected else "certificates_lost"
                self._found.add(kind, place, f"after {expected - 1} comes the range {start}..{end}")
            expected = max(expected, end + 1)
        if expected != plant.next_serial:
            self._found.add(
                "certificates_lost", place, f"its ranges end at {expected - 1}, not {plant.next_serial - 1}"
            )
        for month, account in plant.accounts.items():
            if not 0 <= account.carry_wh < plant.face_wh:
                self._found.add("account_differs", place, f"month {month} carries {account.carry_wh} Wh")
        if plant.debt_wh and plant.carry_wh:
            self._found.add("debt_differs", place, f"{plant.carry_wh} Wh are carried, {plant.debt_wh} Wh are owed")
        withdrawn = sum(account.withdrawn for account in plant.accounts.values())
        given = (plant.issued - withdrawn) * plant.face_wh + plant.carry_wh + plant.credit_wh
        given += plant.given_wh - plant.debt_wh - plant.forfeited_wh - plant.received_wh
        if given != plant.accepted_wh:
            self._found.add(
                "issuance_differs", place, f"{plant.accepted_wh} Wh were accepted, {given} Wh are certified or carried"
            )


# --- outputs


def money_in(output: Output) -> Iterator[Funds]:
    """The money that lies in an output, whatever else does."""
    if isinstance(output, Funds):
        yield output
        return
    for name in output.__struct_fields__:
        part = getattr(output, name)
        if isinstance(part, Funds):
            yield part


def _belongs(output: Output) -> Iterator[tuple[int, int, int]]:
    """(participant, certificates, money) of an output; a reserved piece is the buyer's, its price the seller's."""
    if isinstance(output, Delivery):
        lot = output.lot
        yield output.buyer, lot.end - lot.start + 1, 0
        yield lot.holder, 0, output.payment.amount
        return
    lot_or_none = lot_of(output)
    count = 0 if lot_or_none is None else lot_or_none.end - lot_or_none.start + 1
    yield holder_of(output), count, sum(funds.amount for funds in money_in(output))


def _by_plant(outputs: Sequence[tuple[Outpoint, Output]]) -> dict[int, list[Range]]:
    found: dict[int, list[Range]] = {}
    for _, output in outputs:
        lot = lot_of(output)
        if lot is not None:
            found.setdefault(lot.device, []).append((lot.start, lot.end))
    return found


def _minus(ranges: Sequence[Range], others: Sequence[Range]) -> Iterator[Range]:
    """The parts of sorted ranges that none of the sorted others covers."""
    for start, end in ranges:
        for first, last in others[max(0, bisect_right(others, (start, NEVER)) - 1) :]:
            if first > end:
                break
            if last >= start:
                if first > start:
                    yield start, first - 1
                start = last + 1
        if start <= end:
            yield start, end


def _whole(ranges: Sequence[Range]) -> list[Range]:
    """Sorted ranges, those that touch put together."""
    return [(start, end) for _, start, end in _joined([(0, start, end) for start, end in ranges])]


def _joined(ranges: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    joined: list[tuple[int, int, int]] = []
    for device, start, end in ranges:
        if joined and joined[-1][0] == device and joined[-1][2] + 1 == start:
            joined[-1] = (device, joined[-1][1], end)
        else:
            joined.append((device, start, end))
    return joined


# --- the calendar


def _month(seconds: int) -> int:
    at = datetime.fromtimestamp(seconds, UTC)
    return at.year * 100 + at.month


def _month_end(month: int) -> int:
    year, number = divmod(month, 100)
    return int(datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp())


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_S, UTC).strftime("%Y-%m-%d")
