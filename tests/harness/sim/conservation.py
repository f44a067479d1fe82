"""Nothing appears, doubles or vanishes: money and certificates, counted after every block that becomes final.

What the transactions should leave is compared with what is in the outputs. Those are counted by what each block
changed in them, and all of them again from the beginning every `RECOUNT` blocks.
"""

from bisect import bisect_left
from collections.abc import Mapping

from harness.sim.ledger import Flat

from contracts.context import BlockOutput
from contracts.transition import DecodedTx
from state.history import lot_of
from state.keyspace import Entry, Space, space_end
from state.outputs import Bundle, Funds, Output, quantity
from state.transaction import ConfirmPayout, Deposit, Issue, Pay, Payout, Retire, Withdraw

RECOUNT = 25  # blocks: a count by differences is only as good as the differences
OUTPUTS = bytes((Space.OUTPUT,))


class Holdings:
    """Money and certificates in all outputs; AssertionError where a certificate is in two of them."""

    def __init__(self, state: Flat) -> None:
        self.money = self.certificates = 0
        self._ranges: dict[int, list[tuple[int, int]]] = {}  # device -> (start, end), rising
        for _, output in state.scan(OUTPUTS, space_end(OUTPUTS)):
            self._enter(output)  # type: ignore[arg-type]

    def change(self, before: Flat, changes: Mapping[bytes, Entry | None]) -> None:
        """What a block spends and creates, on the state before it."""
        changed = [(key, after) for key, after in changes.items() if key[:1] == OUTPUTS]
        for key, _ in changed:
            spent = before.get(key)
            if spent is not None:
                self._strike(spent)  # type: ignore[arg-type]
        for _, created in changed:
            if created is not None:
                self._enter(created)  # type: ignore[arg-type]

    def _enter(self, output: Output) -> None:
        self.money += _money(output)
        lot = lot_of(output)
        if lot is None:
            return
        self.certificates += quantity(lot)
        ranges = self._ranges.setdefault(lot.device, [])
        at = bisect_left(ranges, (lot.start, lot.end))
        for other in ranges[max(at - 1, 0) : at + 1]:
            assert other[1] < lot.start or lot.end < other[0], f"certificates of two holders: {other}, {lot}"
        ranges.insert(at, (lot.start, lot.end))

    def _strike(self, output: Output) -> None:
        self.money -= _money(output)
        lot = lot_of(output)
        if lot is not None:
            self.certificates -= quantity(lot)
            self._ranges[lot.device].remove((lot.start, lot.end))


class Books:
    """What should be there by the transactions, against what is there by the outputs of the state."""

    def __init__(self, state: Flat) -> None:
        self._state, self._held = state, Holdings(state)
        self.money, self.certificates = self._held.money, self._held.certificates
        self.kinds: dict[str, int] = {}

    def enter(
        self,
        height: int,
        state: Flat,
        changes: Mapping[bytes, Entry | None],
        transactions: tuple[DecodedTx, ...],
        output: BlockOutput,
    ) -> None:
        """AssertionError unless the state of the block holds exactly what its transactions leave."""
        for decoded in transactions:
            for action in decoded.body_actions:
                kind = str(action.__struct_config__.tag)
                self.kinds[kind] = self.kinds.get(kind, 0) + 1
                match action:
                    case Deposit(amount=amount):
                        self.money += amount
                    case Pay(amount=amount, operator=operator):
                        self.money += amount if operator else 0
                    case Payout(amount=amount) | ConfirmPayout(amount=amount):
                        self.money -= amount
                    case Issue(count=count):
                        self.certificates += count
                    case Retire(ranges=ranges) | Withdraw(ranges=ranges):
                        self.certificates -= sum(retired.end - retired.start + 1 for retired in ranges)
        for movement in output.movements:
            if movement.kind == "expire":
                self.certificates -= sum(map(_certificates, (spent for _, spent in movement.spent)))
        self._held.change(self._state, changes)
        self._state = state
        self._compare(height, self._held)
        if height % RECOUNT == 0:
            self._compare(height, Holdings(state))

    def _compare(self, height: int, held: Holdings) -> None:
        found = (held.money, held.certificates)
        assert found == (self.money, self.certificates), (
            f"block {height} leaves {found} millionths and certificates, not {(self.money, self.certificates)}"
        )


def _money(output: Output) -> int:
    if isinstance(output, Bundle):
        return 0
    parts = [output, *(getattr(output, name) for name in output.__struct_fields__)]
    return sum(part.amount for part in parts if isinstance(part, Funds))


def _certificates(output: Output) -> int:
    lot = lot_of(output)
    return 0 if lot is None else quantity(lot)
