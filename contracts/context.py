"""What a rule may see and do: the block's environment, one transaction's view of the state, and what came of it."""

from dataclasses import dataclass, field
from typing import TypeVar

from contracts.events import Event, EventRecord
from state.errors import (
    AlreadyExists,
    CertificateExpired,
    DebtOpen,
    LimitReached,
    Locked,
    MissingSignature,
    MoneyDiffers,
    NotYours,
    RoleNeeded,
    Spent,
    Unknown,
)
from state.keyspace import (
    Entry,
    counter_key,
    debt_key,
    device_key,
    expiry_key,
    once_key,
    output_count_key,
    output_key,
    participant_key,
    role_key,
)
from state.movement import Movement
from state.outputs import NEVER, Bundle, Funds, Output, holder_of, outpoint, retire_until
from state.overlay import Overlay
from state.records import Counter, Debt, Device, Parameters, Participant, Pointer, RoleGrant, Used, Validator
from state.spoken import format_money
from state.units import MAX_AMOUNT, Outpoint

R = TypeVar("R", bound=Entry)

MAX_INDEX = 2**16 - 1  # of an output in its transaction: an outpoint ends in a u16


@dataclass(slots=True, frozen=True)
class BlockEnvironment:
    """Everything about a block that its rules may depend on. `time_ms` is the block's own timestamp."""

    chain: bytes
    epoch: int
    height: int
    time_ms: int
    parent_hash: bytes
    validators: tuple[Validator, ...]
    parameters: Parameters

    @property
    def quorum(self) -> int:
        """q = n - floor((n - 1) / 3) (research/consensus.md section 2)."""
        count = len(self.validators)
        return count - (count - 1) // 3

    @property
    def time_s(self) -> int:
        return self.time_ms // 1000

    def before(self, deadline_s: int) -> bool:
        """A deadline holds while the block's time is strictly below it."""
        return self.time_ms < deadline_s * 1000


@dataclass(slots=True)
class BlockOutput:
    """What a block did, beside its state: events for watchers, movements for the indexes."""

    events: list[EventRecord] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)


class Context:
    """One transaction (or one sweep) at work on the overlay."""

    __slots__ = ("_counts", "_movement", "environment", "events", "index", "movements", "overlay", "signers", "txid")

    def __init__(
        self, overlay: Overlay, environment: BlockEnvironment, txid: bytes, signers: tuple[bytes, ...]
    ) -> None:
        self.overlay = overlay
        self.environment = environment
        self.txid = txid
        self.signers = signers
        self.index = 0  # of the next output, running over all actions
        self.events: list[EventRecord] = []
        self.movements: list[Movement] = []
        self._movement: Movement | None = None
        self._counts: dict[int, int] = {}

    def enter(self, action_index: int, kind: str) -> None:
        """Everything from here on belongs to this action."""
        self._movement = Movement(self.txid, action_index, kind)
        self.movements.append(self._movement)

    @property
    def moved(self) -> bool:
        """Whether the movement that is told has begun."""
        return self._movement is not None and bool(self._movement.spent or self._movement.created)

    @property
    def action_index(self) -> int:
        assert self._movement is not None
        return self._movement.action_index

    # --- reading

    def record(self, key: bytes, kind: type[R], what: str, name: int | str) -> R:
        """The record under `key`; Unknown if there is none."""
        found = self.overlay.get(key)
        if found is None:
            raise Unknown(what=what, id=name)
        assert isinstance(found, kind)
        return found

    def participant(self, participant: int) -> Participant:
        return self.record(participant_key(participant), Participant, "participant", participant)

    def require_signature(self, participant: int) -> Participant:
        """The participant, whose current key must be among the signers."""
        found = self.participant(participant)
        if found.key not in self.signers:
            raise MissingSignature(role="participant", id=participant)
        return found

    def require_role(self, participant: int, role: str) -> None:
        grant = self.overlay.get(role_key(participant, role))
        if not isinstance(grant, RoleGrant) or not self.environment.before(grant.until):
            raise RoleNeeded(participant=participant, role=role)

    def bundle(self, point: Outpoint, holder: int) -> Bundle:
        """The active bundle at `point`: unspent, not locked, `holder`'s, and still alive."""
        found = self._live(point)
        if not isinstance(found, Bundle):
            raise Locked(outpoint=point, kind=str(found.__struct_config__.tag))
        if found.holder != holder:
            raise NotYours(outpoint=point, holder=found.holder, claimed=holder)
        debt = self.overlay.get(debt_key(found.device))
        if debt is not None:
            self._require_free(debt, holder)
        return found

    def _require_free(self, debt: Entry, holder: int) -> None:
        """What an operator in debt still owns of the device waits to be withdrawn; a buyer's certificates are free."""
        assert isinstance(debt, Debt)
        if debt.debt_wh and self.record(device_key(debt.device), Device, "device", debt.device).owner == holder:
            raise DebtOpen(device=debt.device, debt_wh=debt.debt_wh)

    def funds(self, point: Outpoint, holder: int) -> Funds:
        found = self._live(point)
        if not isinstance(found, Funds):
            raise Locked(outpoint=point, kind=str(found.__struct_config__.tag))
        if found.holder != holder:
            raise NotYours(outpoint=point, holder=found.holder, claimed=holder)
        return found

    def order(self, point: Outpoint) -> Output:
        return self._live(point)

    def _live(self, point: Outpoint) -> Output:
        found = self.overlay.get(output_key(point))
        if found is None:
            raise Spent(outpoint=point)
        output: Output = found  # type: ignore[assignment]
        until, environment = retire_until(output), self.environment
        if not environment.before(until):
            raise CertificateExpired(outpoint=point, what="used", until=until, now=environment.time_s)
        return output

    def money(self, points: tuple[Outpoint, ...], holder: int, currency: str, needed: int) -> int:
        """Sum of the holder's funds at `points`, all of one currency; MoneyDiffers where it is less than `needed`."""
        total = 0
        for point in points:
            funds = self.funds(point, holder)
            if funds.currency != currency:
                raise MoneyDiffers(inputs=format_money(funds.amount, funds.currency), needed=currency)
            total += funds.amount
        if len(set(points)) != len(points):
            raise Spent(outpoint=points[0])
        if total > MAX_AMOUNT:
            raise LimitReached(limit=MAX_AMOUNT, what="millionths of one action's inputs")
        if total < needed:
            raise MoneyDiffers(inputs=format_money(total, currency), needed=format_money(needed, currency))
        return total

    # --- writing

    def spend(self, point: Outpoint) -> Output:
        """Take the output at `point` out of the state. Whether that is allowed was the check's business."""
        key = output_key(point)
        output: Output = self.overlay.get(key)  # type: ignore[assignment]
        if output is None:
            raise Spent(outpoint=point)
        self.overlay.delete(key)
        until = retire_until(output)
        if until != NEVER:
            self.overlay.delete(expiry_key(until, point))
        holder = holder_of(output)
        self._counts[holder] = self._counts.get(holder, 0) - 1
        assert self._movement is not None
        self._movement.spent.append((point, output))
        return output

    def create(self, output: Output) -> Outpoint:
        if self.index > MAX_INDEX:
            raise LimitReached(limit=MAX_INDEX + 1, what="outputs of one transaction")
        point = outpoint(self.txid, self.index)
        self.index += 1
        self.overlay.put_new(output_key(point), output)
        until = retire_until(output)
        if until != NEVER:
            self.overlay.put_new(expiry_key(until, point), Pointer(point))
        holder = holder_of(output)
        self._counts[holder] = self._counts.get(holder, 0) + 1
        assert self._movement is not None
        self._movement.created.append((point, output))
        return point

    def pay(self, to: int, currency: str, amount: int) -> None:
        """Create funds, unless there is nothing to pay: several where a seller's income is beyond one output."""
        while amount:
            part = min(amount, MAX_AMOUNT)
            self.create(Funds(to, currency, part))
            amount -= part

    def announce(self, event: Event) -> None:
        assert self._movement is not None
        self.events.append(EventRecord(self.txid, self._movement.action_index, event))

    def next_number(self, sequence: str) -> int:
        """1, 2, 3, ... of a named sequence of the ledger."""
        key = counter_key(sequence)
        counter = self.overlay.get(key)
        number = counter.value if isinstance(counter, Counter) else 1
        self.overlay.put(key, Counter(number + 1))
        return number

    def require_once(self) -> None:
        """Refuse a second execution of this very action; `mark_once` books the first."""
        if self.overlay.get(once_key(self.txid, self.action_index)) is not None:
            raise AlreadyExists(what="transaction", id=self.txid.hex())

    def mark_once(self) -> None:
        self.overlay.put(once_key(self.txid, self.action_index), Used(self.txid))

    def finish(self, limited: bool) -> None:
        """Book how many outputs each holder has now. A signed transaction may not push anybody over the limit.

        Half of the limit is for what a holder signs for, and for money of the payment operator: whoever fills the
        other half with crumbs has not locked the holder out of his own account.
        """
        limit = self.environment.parameters.max_outputs
        overlay = self.overlay
        for holder, change in self._counts.items():
            if change == 0:
                continue
            key = output_count_key(holder)
            counter = overlay.get(key)
            count = (counter.value if isinstance(counter, Counter) else 0) + change
            if limited and change > 0 and count > limit:
                raise LimitReached(limit=limit, what=f"outputs of participant {holder}")
            if limited and change > 0 and count > (limit + 1) // 2 and self._unasked(holder):
                raise LimitReached(limit=(limit + 1) // 2, what=f"outputs that participant {holder} did not ask for")
            if count:
                overlay.put(key, Counter(count))
            else:
                overlay.delete(key)

    def _unasked(self, holder: int) -> bool:
        """Whether certificates or change come to somebody who did not sign."""
        if self.participant(holder).key in self.signers:
            return False
        return any(
            holder_of(output) == holder
            for movement in self.movements
            if movement.kind == "transfer"
            for _, output in movement.created
        )
