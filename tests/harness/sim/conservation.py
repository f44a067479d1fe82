"""Nothing appears, doubles or vanishes: money and certificates, counted again after every block that becomes final."""

from itertools import pairwise

from harness.sim.ledger import Flat

from contracts.context import BlockOutput
from contracts.transition import DecodedTx
from state.history import lot_of
from state.keyspace import Space, space_end
from state.outputs import Bundle, Funds, Output, quantity
from state.transaction import Deposit, Issue, Pay, Payout, Retire, Withdraw


class Books:
    """What should be there by the transactions, against what is there by the outputs of the state."""

    def __init__(self, state: Flat) -> None:
        self.money, self.certificates = _content(state)
        self.kinds: dict[str, int] = {}

    def enter(self, height: int, state: Flat, transactions: tuple[DecodedTx, ...], output: BlockOutput) -> None:
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
                    case Payout(amount=amount):
                        self.money -= amount
                    case Issue(count=count):
                        self.certificates += count
                    case Retire(ranges=ranges) | Withdraw(ranges=ranges):
                        self.certificates -= sum(retired.end - retired.start + 1 for retired in ranges)
        for movement in output.movements:
            if movement.kind == "expire":
                self.certificates -= sum(map(_certificates, (spent for _, spent in movement.spent)))
        found = _content(state)
        assert found == (self.money, self.certificates), (
            f"block {height} leaves {found} millionths and certificates, not {(self.money, self.certificates)}"
        )


def _content(state: Flat) -> tuple[int, int]:
    """(money, certificates) in all outputs; no certificate in two of them."""
    low = bytes((Space.OUTPUT,))
    money = certificates = 0
    ranges: list[tuple[int, int, int]] = []
    for _, output in state.scan(low, space_end(low)):
        money += _money(output)  # type: ignore[arg-type]
        certificates += _certificates(output)  # type: ignore[arg-type]
        lot = output if isinstance(output, Bundle) else getattr(output, "lot", None)
        if isinstance(lot, Bundle):
            ranges.append((lot.device, lot.start, lot.end))
    ranges.sort()
    for before, after in pairwise(ranges):
        assert before[0] != after[0] or before[2] < after[1], f"certificates of two holders: {before}, {after}"
    return money, certificates


def _money(output: Output) -> int:
    parts = [output, *(getattr(output, name) for name in output.__struct_fields__)]
    return sum(part.amount for part in parts if isinstance(part, Funds))


def _certificates(output: Output) -> int:
    lot = lot_of(output)
    return 0 if lot is None else quantity(lot)
