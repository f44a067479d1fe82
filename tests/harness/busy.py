"""A small market on a real ledger that lives by a seed: everything that moves value happens, in a random order."""

import random
from collections.abc import Callable
from itertools import pairwise

from harness.finalized import FinalizedWorld
from harness.world import DAY, MONTH

from contracts.auction import CLOSED
from state.keyspace import auction_key
from state.outputs import Bundle, Funds
from state.records import Auction
from state.transaction import Cancel, Payment, Payout, Piece, Transfer
from state.units import MICRO, MINOR_UNIT

PEOPLE = ("plant", "trader", "consumer")
SHORT = {"basis": "issue", "trade_months": 1, "retire_months": 2}
MONTH_S = 31 * 86_400


class BusyTown(FinalizedWorld):
    """Two plants of one owner, two who trade; `live_on` makes so many blocks, each with one action that holds."""

    def __init__(self, seed: int, **parameters: int) -> None:
        super().__init__(scheme={"expiry": SHORT}, **parameters)  # type: ignore[arg-type]
        self.chance = random.Random(seed)
        self.operators()
        for name in PEOPLE:
            self.register(name)
            self.fund(name, 10_000, f"first of {name}")
        self.devices = (self.device("plant"), self.device("plant"))
        self.days = dict.fromkeys(self.devices, DAY)
        self.open_auction = 0
        for device in self.devices:
            self.produce(device, 12_345_678)

    def live_on(self, blocks: int) -> None:
        target = self.height + blocks
        acts: list[Callable[[], None]] = [
            lambda: self.produce(self.chance.choice(self.devices), self.chance.randint(0, 4_500_000)),
            self.split,
            self.sell,
            self.merge,
            self.retire_some,
            self.bring_to_auction,
            self.buy_at_auction,
            self.finish_auction,
            self.take_back,
            self.pay_out,
        ]
        while self.height < target:
            self.chance.choice(acts)()
        for name in PEOPLE:
            self.fund(name, self.chance.randint(1, 100))

    def produce(self, device: int, energy_wh: int) -> None:
        self.days[device] += 1
        if self.days[device] < DAY + 28:
            self.issue(device, energy_wh, day=self.days[device], month=MONTH)

    def held(self, kind: type[Bundle] | type[Funds]) -> tuple[str, bytes, Bundle | Funds] | None:
        found = [(name, point) for name in PEOPLE for point in self.outputs_of(name, kind)]
        if not found:
            return None
        name, point = self.chance.choice(found)
        return name, point, self.live()[point]  # type: ignore[return-value]

    def split(self) -> None:
        name, point, lot = self.held(Bundle) or ("", b"", None)
        if isinstance(lot, Bundle):
            middle = self.chance.randint(lot.start, lot.end)
            to = self.people[self.chance.choice(PEOPLE)]
            pieces = [Piece(to, lot.start, middle)]
            if middle < lot.end:
                pieces.append(Piece(lot.holder, middle + 1, lot.end))
            self.do(Transfer(lot.holder, (point,), tuple(pieces), None), by=(name,))

    def sell(self) -> None:
        name, point, lot = self.held(Bundle) or ("", b"", None)
        buyer = self.chance.choice([other for other in PEOPLE if other != name])
        money = self.outputs_of(buyer, Funds)
        if isinstance(lot, Bundle) and money:
            amount = min(self.live()[money[0]].amount, self.chance.randint(1, 50) * MICRO)  # type: ignore[union-attr]
            payment = Payment(self.people[buyer], "EUR", amount, (money[0],))
            piece = Piece(self.people[buyer], lot.start, lot.end)
            self.do(Transfer(lot.holder, (point,), (piece,), payment), by=(name, buyer))

    def merge(self) -> None:
        lots = sorted(
            (lot.device, lot.start, point, lot) for point, lot in self.live().items() if isinstance(lot, Bundle)
        )
        for (_, _, first, lot), (_, _, second, other) in pairwise(lots):
            same = (lot.holder, lot.issuance, lot.transfers) == (other.holder, other.issuance, other.transfers)
            if same and other.start == lot.end + 1:
                name = next(name for name, number in self.people.items() if number == lot.holder)
                piece = Piece(lot.holder, lot.start, other.end)
                self.do(Transfer(lot.holder, (second, first), (piece,), None), by=(name,))
                return

    def retire_some(self) -> None:
        name, point, lot = self.held(Bundle) or ("", b"", None)
        if isinstance(lot, Bundle) and self.chance.random() < 0.5:
            start = self.chance.randint(lot.start, lot.end)
            end = self.chance.randint(start, lot.end)
            self.do(self.retire_action(name, point, start, end), by=(name,))

    def bring_to_auction(self) -> None:
        if not self.open_auction:
            self.open_auction = self.auction(seconds=self.chance.randint(5, 40))
            return
        name, point, lot = self.held(Bundle) or ("", b"", None)
        if isinstance(lot, Bundle) and self._is_open() and name != "consumer":
            self.offer(name, self.open_auction, point, lot.start, lot.end, self.chance.randint(1, 40) * MICRO)

    def buy_at_auction(self) -> None:
        money = self.outputs_of("consumer", Funds)
        if self.open_auction and self._is_open() and money:
            largest = max(money, key=lambda point: self.live()[point].amount)  # type: ignore[union-attr]
            self.bid("consumer", self.open_auction, self.chance.randint(1, 4), 30 * MICRO, largest)

    def _is_open(self) -> bool:
        found = self.state.get(auction_key(self.open_auction))
        return isinstance(found, Auction) and found.status == "open" and self.time_ms // 1000 < found.closes_at

    def finish_auction(self) -> None:
        found = self.state.get(auction_key(self.open_auction)) if self.open_auction else None
        if isinstance(found, Auction) and (found.status == CLOSED or self.chance.random() < 0.3):
            self.settle(self.open_auction)
            self.open_auction = 0

    def take_back(self) -> None:
        orders = [(point, output) for point, output in self.live().items() if hasattr(output, "limit")]
        if orders and self._is_open() and self.chance.random() < 0.3:
            point, output = self.chance.choice(orders)
            holder = output.lot.holder if hasattr(output, "lot") else output.holder  # type: ignore[union-attr]
            name = next(name for name, number in self.people.items() if number == holder)
            self.do(Cancel(holder, point), by=(name,), seconds=0)

    def pay_out(self) -> None:
        name, point, funds = self.held(Funds) or ("", b"", None)
        if isinstance(funds, Funds) and funds.amount >= MINOR_UNIT and self.chance.random() < 0.3:
            amount = self.chance.randint(1, funds.amount // MINOR_UNIT) * MINOR_UNIT
            self.salt += 1
            action = Payout(self.people["bank"], self.people[name], (point,), "EUR", amount, f"out {self.salt}")
            self.do(action, by=(name, "bank"))

    def years_later(self) -> None:
        """Everything that lives expires, swept by the blocks that follow."""
        self.block(seconds=3 * MONTH_S)
        self.block()
