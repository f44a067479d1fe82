"""A sealed auction on four real nodes, by the commands that people type: one validator is killed while orders are being
opened, nobody reveals anything, and every order is opened, settled and delivered.
"""

import asyncio
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from harness.live import LiveTown
from harness.net import Process, Running, free_ports, make_home, make_homes, open_node
from harness.world import seed_of

from cli.main import run
from contracts.events import OrderOpened, SharesGiven
from contracts.transition import decode_signed
from node.app import NodeKeys
from node.client import NodeClient
from node.config import load_config
from node.keystore import generate_key, save_key
from node.queries.chain import events_of
from state.outputs import Bundle, Funds, holder_of, quantity
from state.transaction import OpenShares, Reveal
from state.units import MICRO

QUICK = {"idle_interval_ms": 250, "min_interval_ms": 50, "delta_ms": 300}
PEOPLE = ("plant", "trader", "consumer", "exchange")


def wattest(home: Path, *arguments: object) -> dict[str, Any]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(["--home", str(home), *map(str, arguments), "--json", "--yes"])
    assert code == 0, f"wattest {' '.join(map(str, arguments))}: {code}\n{out.getvalue()}{err.getvalue()}"
    answer = json.loads(out.getvalue())
    assert isinstance(answer, dict)
    return answer


class Exchange:
    """Four validators in processes of their own, and a home with the wallets of those who trade."""

    def __init__(self, directory: Path) -> None:
        self.homes = make_homes(directory, 4, **QUICK)
        self.genesis = json.loads((self.homes[0] / "genesis.json").read_text())
        self.processes = [Process(home, whole="cli.main") for home in self.homes]
        addresses = [load_config(home, environment={}).text("node.api_listen") for home in self.homes]
        self.clients = [NodeClient(address, timeout_s=10.0) for address in addresses]
        self.wallets = directory / "wallets"
        for name in PEOPLE:
            save_key(self.wallets / "keys", name, generate_key(seed=seed_of(name)), None, "test")
        (self.wallets / "config.toml").write_text(f'[client]\nnode = "http://{addresses[1]}"\nkeyring = "test"\n')

    def auction(self, number: int) -> dict[str, Any]:
        return self.clients[1].get(f"/v1/auctions/{number}")

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what}; heights {[p.height() for p in self.processes]}"
            time.sleep(0.05)

    def stop(self) -> None:
        for process in self.processes:
            if process.alive:
                process.terminate()


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    made = Exchange(tmp_path)
    yield made
    made.stop()


@pytest.mark.timeout(180)
async def test_a_sealed_auction_is_opened_by_validators_of_whom_one_is_killed(
    exchange: Exchange, tmp_path: Path
) -> None:
    keys = NodeKeys(seed_of("onlooker"))
    p2p, api = free_ports(2)
    onlooker = Running(open_node(make_home(tmp_path / "onlooker", exchange.genesis, p2p, api, keys), keys))
    try:
        await onlooker.height(2, 60)
        town = await asyncio.to_thread(LiveTown, onlooker.node, asyncio.get_running_loop())
        number = await asyncio.to_thread(_trade, exchange, town)
        await asyncio.to_thread(_open, exchange, number)
        await asyncio.to_thread(town.wait_for, number, "settled")
        await asyncio.to_thread(_reconcile, exchange, town, number)
    finally:
        await onlooker.stop()


def _trade(exchange: Exchange, town: LiveTown) -> int:
    """Ten certificates offered at 2 EUR, bids of 4 at 5 EUR and of 8 at 3 EUR: all sealed to the validators."""
    town.fund("trader", 40)
    town.fund("consumer", 30)
    home = exchange.wallets
    opened = wattest(home, "auction", "open", "--title", "Spring wind", "--scheme", 1, "--closes", "6s",
                     "--sealed", "5s", "--from", "exchange")  # fmt: skip
    number = next(int(event["auction"]) for event in opened["events"] if event["kind"] == "auction_opened")
    wattest(home, "offer", number, "--quantity", 10, "--limit", 2, "--from", "plant")
    wattest(home, "bid", number, "--quantity", 4, "--limit", 5, "--stake", 40, "--from", "trader")
    wattest(home, "bid", number, "--quantity", 8, "--limit", 3, "--from", "consumer")
    found = exchange.auction(number)
    assert [order["kind"] for order in found["live_orders"]] == ["sealed_offer", "sealed_bid", "sealed_bid"]
    assert found["terms"]["escrow"]
    return number


def _open(exchange: Exchange, number: int) -> None:
    """A validator whose turn it is dies as soon as orders may be opened; the one that waited steps in."""
    exchange.until(lambda: exchange.auction(number)["status"] == "opening", "the close")
    exchange.processes[(4 - number) % 4 or 2].kill()
    exchange.until(lambda: all("sealed" not in o["kind"] for o in exchange.auction(number)["live_orders"]), "opening")


def _reconcile(exchange: Exchange, town: LiveTown, number: int) -> None:
    """At 3 EUR the trader is filled whole, and the consumer gets the six that are left."""
    told = {each["participant"]: each for each in wattest(exchange.wallets, "auction", "receipt", number)["receipts"]}
    assert [told[town.id(name)]["filled"] for name in ("plant", "trader", "consumer")] == ["10", "4", "6"]
    assert [each["forfeited"] for each in told.values()] == ["0"] * 3
    town.until(lambda: _held(town, "consumer") == (6, 12 * MICRO), "the delivery")
    assert _held(town, "plant") == (0, 30 * MICRO)
    assert _held(town, "trader") == (4, 28 * MICRO)
    store = town.node.ledger.store
    events = [each.event for height in range(1, town.node.ledger.tip.height + 1) for each in events_of(store, height)]
    assert sorted(each.order for each in events if isinstance(each, OrderOpened)) == [0, 1, 2]
    assert len({each.participant for each in events if isinstance(each, SharesGiven)}) >= 3
    assert _actions(town, OpenShares) >= 3
    assert _actions(town, Reveal) == 0


def _held(town: LiveTown, name: str) -> tuple[int, int]:
    """(active certificates, free millionths), whoever made the outputs."""
    mine = [output for output in town.live().values() if holder_of(output) == town.id(name)]
    lots = [output for output in mine if isinstance(output, Bundle)]
    return sum(map(quantity, lots)), sum(output.amount for output in mine if isinstance(output, Funds))


def _actions(town: LiveTown, kind: type) -> int:
    ledger = town.node.ledger
    blocks = [ledger.block_at(height) for height in range(1, ledger.tip.height + 1)]
    raws = [raw for block in blocks if block is not None for raw in block.transactions]
    return sum(isinstance(action, kind) for raw in raws for action in decode_signed(raw).body_actions)
