"""One session of the market on four validator processes, from the first sealed order to the last delivery.

    python -m bench.session [--quick] [--keep DIR]

1,165 participants, each with a wallet of the `test` keyring, place 4,000 orders that are sealed to the validators: a
full book, as its last places are for who has no order yet. One validator is killed as soon as orders may be opened, and
nobody reveals anything. Then money and certificates are counted to the unit, every receipt is compared with what its
owner has, and the ledgers that the nodes left on disk with each other. Anything unexpected voids the run (exit code 1,
no figures). The last line of stdout is one JSON object; times are wall time of this machine at this moment, block times
that of the ledger. --quick: 120 participants, 400 orders.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load import FAR, KWH_SCHEME, SEED, VALIDATORS, Load, secret
from bench.network import Network, Phase, RunVoid
from contracts.events import OrderOpened, SharesGiven
from node.client import NodeClient
from node.keystore import PrivateKey, generate_key, key_path, save_key, unlock
from node.ledger import Ledger
from node.openings import seal_and_keep
from node.queries.chain import events_of, header_at
from node.wallet import build_body, sign_transaction
from state.codec import encode
from state.outputs import outpoint
from state.records import AuctionClass, AuctionTerms, Dimension
from state.store import open_store
from state.transaction import Deposit, OpenAuction, PlaceBid, PlaceOffer, RoleContent
from state.units import MAX_ACTIONS, PAGE_PIECES, Outpoint

CENT = 10_000  # millionths
FEE = 50  # basis points
BATCH = 100
POLL_S = 0.25
PATIENCE_S = 240.0
OPENING_S = 15
KILLED = 3


@dataclass(frozen=True)
class Scale:
    """(participants, orders of each): the larger ones first, as the book's last places are for newcomers."""

    groups: tuple[tuple[int, int], ...]
    open_s: int  # at least: what the orders take


FULL = Scale(((40, 50), (125, 8), (1_000, 1)), 150)
QUICK = Scale(((20, 10), (50, 3), (50, 1)), 30)


@dataclass(frozen=True)
class Order:
    holder: int
    selling: bool
    quantity: int
    limit: int
    wanted: tuple[str, ...]
    funds: Outpoint | None  # what a bid locks, to the unit
    lot: int  # the serial that an offer sells


class Traders(Load):
    """The load's people as sellers and buyers: every second one of a group sells. The first is bank and exchange."""

    scale = FULL

    def orders(self) -> Iterator[tuple[int, bool, int]]:
        """(holder, whether he sells, group) of each order to come."""
        first = self._owner + 1
        for group, (people, each) in enumerate(self.scale.groups):
            for _ in range(each):
                for number in range(people):
                    yield first + number, number % 2 == 0, group  # the first, the third, …
            first += people

    def _dealt(self, count: int) -> list[int]:
        return [holder for holder, selling, _ in self.orders() if selling]

    def deposits(self) -> list[list[Order]]:
        """Accredit bank and exchange, pay in for every bid, and draw what each order will say; by group."""
        for number, role in ((3, "payment_operator"), (4, "market_operator")):
            self._propose(number, RoleContent(self._owner, role, FAR))
        dice, lot = random.Random(SEED), 0
        found: list[list[Order]] = [[] for _ in self.scale.groups]
        for holder, selling, group in self.orders():
            lot += selling
            limit = dice.randint(1, 60) * CENT if selling else dice.randint(20, 100) * CENT
            quantity = 1 if selling else dice.randint(1, 3)
            wanted = () if selling or dice.random() < 0.5 else ("FR", "")
            found[group].append(Order(holder, selling, quantity, limit, wanted, None, lot if selling else 0))
        bids = [order for group in found for order in group if not order.selling]
        paid: dict[int, Outpoint] = {}
        for start in range(0, len(bids), MAX_ACTIONS):
            part = bids[start : start + MAX_ACTIONS]
            actions = [
                Deposit(self._owner, bid.holder, "EUR", bid.quantity * bid.limit, f"in {start + n}")
                for n, bid in enumerate(part)
            ]
            decoded = self._signed(actions, secret("holder", self._owner))
            self.block([decoded])
            paid |= {id(bid): outpoint(decoded.txid, index) for index, bid in enumerate(part)}
        return [
            [Order(o.holder, o.selling, o.quantity, o.limit, o.wanted, paid.get(id(o)), o.lot) for o in group]
            for group in found
        ]


class Session(Network):
    prepared = Traders

    def __init__(self, directory: Path) -> None:
        self.groups: list[list[Order]] = []
        people = 1 + sum(people for people, _ in Traders.scale.groups)
        lots = sum((people + 1) // 2 * each for people, each in Traders.scale.groups)  # every second one sells
        super().__init__(directory, people, lots)
        self.wallets = directory / "participants"
        for number in self.load.participants:
            key = generate_key(seed=secret("holder", number), chain=self.load.chain.hex(), name=str(number))
            save_key(self.wallets / "keys", str(number), key, None, "test")

    def _made_ready(self, load: Load) -> None:
        assert isinstance(load, Traders)
        self.groups = load.deposits()

    def key(self, holder: int) -> PrivateKey:
        return unlock(key_path(self.wallets / "keys", str(holder)))

    def signed(self, holder: int, action: Any, tip: int) -> bytes:
        key = self.key(holder)
        return encode(sign_transaction(build_body(self.load.chain, [key.public], [action], tip), [key]))

    def open_auction(self, open_s: int) -> int:
        client, operator = self.clients[0], self.load.participants[0]
        terms = AuctionTerms(
            dimensions=(Dimension("zone", ("FR", "DK")), Dimension("support", ("none", "supported"))),
            sealed=True,
            opening_s=OPENING_S,
            fee=FEE,
            escrow=True,
        )
        lot_class = AuctionClass(KWH_SCHEME, "", "", 0, 0, 0)
        closes_at = int(time.time()) + open_s
        action = OpenAuction(operator, "session", lot_class, "EUR", 0, 0, closes_at, terms)
        client.wait_final(client.submit(self.signed(operator, action, int(client.status()["height"]))))
        return 1

    def place(self, group: list[Order], auction: dict[str, Any]) -> Phase:
        """Sealed by each wallet on its own, the opening kept, and handed in."""
        client, raws = self.clients[0], []
        tip = int(client.status()["height"])
        for order in group:
            side = "offer" if order.selling else "bid"
            say = (order.quantity, order.limit, order.wanted)
            seal = seal_and_keep(self.wallets, client, auction, order.holder, side, *say)
            action: PlaceOffer | PlaceBid
            if order.selling:
                lot = (self.load.outpoint_of(order.lot), order.lot, order.lot)
                action = PlaceOffer(1, order.holder, *lot, 0, 0, seal.commitment, (), seal.envelope)
            else:
                assert order.funds is not None
                stake = order.quantity * order.limit
                action = PlaceBid(1, order.holder, 0, 0, (order.funds,), (), seal.commitment, stake, seal.envelope)
            raws.append(self.signed(order.holder, action, tip))
        return self.run(raws, BATCH)

    def kill(self, index: int) -> None:
        self._processes.kill_node(self.homes[index])

    def bare(self, client: NodeClient) -> dict[str, Any]:
        """The auction without its orders, which are four thousand."""
        return next(iter(client.pages("/v1/auctions", "auctions")))

    def wait(self, *status: str) -> float:
        """The moment at which the auction was seen there."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := self.bare(self.clients[1])["status"]) not in status:
            self._processes.check()
            if time.monotonic() > deadline or found == "void":
                raise RunVoid(f"the auction is {found}, not {' or '.join(status)}")
            time.sleep(POLL_S)
        return time.time()

    # --- afterwards

    def reconcile(self) -> dict[str, Any]:
        """Each participant has what his receipts say, to the unit; nothing appeared or vanished."""
        client = self.clients[1]
        receipts = client.get("/v1/auctions/1/receipts")["receipts"]
        orders = [order for group in self.groups for order in group]
        if sorted(each["order"] for each in receipts) != list(range(len(orders))):
            raise RunVoid(f"{len(receipts)} receipts for {len(orders)} orders")
        money, held = Counter[int](), Counter[int]()
        for order in orders:
            held[order.holder] += order.selling
            money[order.holder] += 0 if order.selling else order.quantity * order.limit
        paid_in, certificates = sum(money.values()), sum(held.values())
        for each in receipts:
            sign, holder = (1 if each["side"] == "bid" else -1), each["participant"]
            if int(each["forfeited"]) or each["why"] not in ("filled", "shared", "price"):
                raise RunVoid(f"order {each['order']}: {each['why']}, {each['forfeited']} forfeited")
            held[holder] += sign * int(each["filled"])
            money[holder] -= sign * int(each["amount"]) + int(each["fee"])
            money[self.load.participants[0]] += int(each["fee"])
        for holder in self.load.participants:
            funds = sum(int(output["amount"]) for output in client.outputs(holder, "funds"))
            bundles = [(int(output["start"]), int(output["end"])) for output in client.outputs(holder, "bundle")]
            have = (funds, sum(end - start + 1 for start, end in bundles))
            if have != (money[holder], held[holder]):
                raise RunVoid(f"participant {holder} has {have}, his receipts say {money[holder], held[holder]}")
        if (sum(money.values()), sum(held.values())) != (paid_in, certificates):
            raise RunVoid("money or certificates appeared or vanished")
        return {"traded": sum(int(each["filled"]) for each in receipts if each["side"] == "bid"), "money": paid_in}

    def look_at_disks(self) -> dict[str, Any]:
        """What the blocks say, the same on every node that was not killed before."""
        for home in self.homes:
            if home in self._processes.running:
                self._processes.kill_node(home)
        ledgers = [
            Ledger.open(open_store(home / "data" / "state", create=False), self.load.genesis, self.load.chain)
            for home in self.homes
        ]
        last = min(ledger.tip.height for place, ledger in enumerate(ledgers) if place != KILLED)
        roots = {header_at(ledger.store, last).state_root for place, ledger in enumerate(ledgers) if place != KILLED}
        if len(roots) != 1:
            raise RunVoid("the nodes ended in different states")
        found = _walked(ledgers[1], last)
        for ledger in ledgers:
            ledger.audit()
            ledger.close()
        return found


def _walked(ledger: Ledger, last: int) -> dict[str, Any]:
    opened, givers, at = Counter[int](), set[int](), dict[int, int]()
    for height in range(1, last + 1):
        for record in events_of(ledger.store, height):
            match record.event:
                case OrderOpened():
                    opened[height] += 1
                case SharesGiven():
                    givers.add(record.event.participant)
        at[height] = header_at(ledger.store, height).timestamp_ms
    heights = sorted(opened)
    return {
        "opened": sum(opened.values()),
        "opening_blocks": len(heights),
        "opened_in_ms": at[heights[-1]] - at[heights[0] - 1] if heights else 0,
        "validators_that_gave_shares": len(givers),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="120 participants, 400 orders")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="leave the homes there")
    options = parser.parse_args()
    Traders.scale = QUICK if options.quick else FULL
    try:
        if options.keep is not None:
            print(json.dumps(measure(options.keep)))
        else:
            with tempfile.TemporaryDirectory() as directory:
                print(json.dumps(measure(Path(directory) / "session")))
    except RunVoid as void:
        print(f"void: {void}", file=sys.stderr)
        return 1
    return 0


def measure(directory: Path) -> dict[str, Any]:
    with Session(directory) as session:
        auction = session.clients[0].get(f"/v1/auctions/{session.open_auction(Traders.scale.open_s)}")
        began, phases = time.time(), []
        for group in session.groups:
            phases.append(session.place(group, auction))
            _say(f"{sum(phase.transactions for phase in phases)} orders are final")
        placed = time.time()
        if session.bare(session.clients[1])["status"] != "open":
            raise RunVoid(f"the auction closed before its orders were in, after {placed - began:.0f} s")
        closed = session.wait("opening")
        session.kill(KILLED)
        _say("closed; one validator is killed")
        session.wait("closed", "settled")
        settled = session.wait("settled")
        last_page = (
            int(session.bare(session.clients[1])["settled_height"]) + (session.load.certificates - 1) // PAGE_PIECES
        )
        while int(session.clients[1].status()["height"]) < last_page:
            time.sleep(POLL_S)
        delivered = time.time()
        found = {**session.reconcile(), **session.look_at_disks()}
    orders = sum(phase.transactions for phase in phases)
    if found["opened"] != orders:
        raise RunVoid(f"{found['opened']} of {orders} orders were opened")
    return {
        "participants": len(session.load.participants),
        "orders": orders,
        "validators": VALIDATORS,
        "killed": 1,
        "placed_s": round(placed - began, 1),
        "node_cpu_ms_per_order": round(sum(p.node_cpu_s for p in phases) / orders / VALIDATORS * 1e3, 2),
        "close_to_settled_s": round(settled - closed, 1),
        "settled_to_delivered_s": round(delivered - settled, 1),
        **found,
        "reconciled": orders,
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
