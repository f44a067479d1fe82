"""The validator's part in a node: it publishes the shares of its boxes, page by page, when it is its turn or needed."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from harness.escrow import VOTERS, enveloped, escrow_auction, escrow_set, give
from harness.finalized import FinalizedWorld
from harness.world import seed_of

from contracts.transition import decode_signed
from node import unsealing
from node.signer import Signer
from node.unsealing import Unsealing
from state import escrow
from state.crypto import exchange_key
from state.errors import WattestError
from state.keyspace import auction_key
from state.outputs import Bid, Funds
from state.records import Auction
from state.transaction import OpenShares
from state.units import MICRO


class Pool:
    """Takes what a node sends into a block of its own at once."""

    def __init__(self, world: FinalizedWorld) -> None:
        self.world, self.sent = world, list[OpenShares]()

    async def admit(self, raws: list[bytes]) -> list[Any]:
        results: list[Any] = []
        for raw in raws:
            decoded = decode_signed(raw)
            self.sent += [action for action in decoded.body_actions if isinstance(action, OpenShares)]
            try:
                self.world.block(decoded)
            except WattestError as error:
                results.append(error)
            else:
                results.append(decoded)
        return results


def part_of(world: FinalizedWorld, index: int, *escrow_names: str) -> tuple[Unsealing, Pool]:
    pool, errors = Pool(world), list[str]()
    keys = {exchange_key(seed_of(name)): seed_of(name) for name in escrow_names or (f"escrow_key{index}",)}
    node = SimpleNamespace(
        ledger=world.ledger,
        index=index,
        warn=lambda what: errors.append("warned"),
        config=SimpleNamespace(keys="keys"),
        clock=SimpleNamespace(wall_ms=lambda: world.time_ms, now_ms=lambda: world.time_ms),
        office=SimpleNamespace(signers=[Signer(seed_of(VOTERS[index]))]),
        escrow_keys=lambda: keys,
        runtime=SimpleNamespace(watchers=[], fail=pytest.fail),
        mempool=pool,
        log=SimpleNamespace(info=lambda *_, **__: None, error=lambda what, **_: errors.append(what)),
        errors=errors,
    )
    return Unsealing(node), pool  # type: ignore[arg-type]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> FinalizedWorld:
    monkeypatch.setattr(unsealing, "OTHERS_S", 0.02)
    monkeypatch.setattr(unsealing, "AGAIN_S", 0.01)
    world = FinalizedWorld()
    world.operators()
    world.register("trader")
    return world


def opening(world: FinalizedWorld, orders: int = 1) -> int:
    auction = escrow_auction(world, seconds=60)
    for _ in range(orders):
        order = enveloped(world, auction, "trader", "bid", 1, MICRO)
        world.fund("trader", 1)
        world.do(order.placing(world.outputs_of("trader", Funds)[-1]), by=("trader",))
    while status(world, auction) == "open":
        world.block(seconds=10)
    return auction


def status(world: FinalizedWorld, auction: int) -> str:
    found = world.state.get(auction_key(auction))
    assert isinstance(found, Auction)
    return found.status


async def run(part: Unsealing, until: Callable[[], object]) -> None:
    await part.start()
    async with asyncio.timeout(40):
        while not until():
            part._look()
            await asyncio.sleep(0.01)
    await part.stop()


async def test_a_validator_gives_its_shares_page_by_page(
    world: FinalizedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("node.unsealing", "contracts.escrow", "contracts.open_shares", "harness.escrow"):
        monkeypatch.setattr(f"{module}.PAGE_ORDERS", 2)
    auction = opening(world, orders=3)
    part, pool = part_of(world, 0)
    await run(part, lambda: len(pool.sent) == 2)
    assert [(each.validator, each.page, [bool(share) for share in each.shares]) for each in pool.sent] == [
        (0, 0, [True, True]),
        (0, 1, [True]),
    ]
    assert escrow_set(world, auction).pages == (2, 0, 0, 0)
    assert escrow.PAGE_ORDERS == 1_000


async def test_a_validator_whose_turn_it_is_not_waits_and_comes_when_orders_stay_shut(world: FinalizedWorld) -> None:
    """Auction 1: validators 0, 1 and 3 begin, validator 2 is the one that waits."""
    auction = opening(world)
    give(world, auction, 0, 1)
    part, pool = part_of(world, 2)
    await run(part, lambda: pool.sent)
    world.block()
    assert len(world.outputs_of("trader", Bid)) == 1


async def test_a_validator_that_is_not_needed_stays_silent(world: FinalizedWorld) -> None:
    auction = opening(world)
    give(world, auction, 0, 1, 3)
    world.block()
    part, pool = part_of(world, 2)
    await part.start()
    await asyncio.sleep(0.1)
    assert part._tasks[auction].done()
    await part.stop()
    assert not pool.sent


async def test_a_node_opens_with_the_key_that_orders_were_sealed_to(world: FinalizedWorld) -> None:
    """Among several that it holds, and none where it holds none of them."""
    opening(world)
    stranger, nothing = part_of(world, 0, "new escrow")
    await stranger.start()
    await asyncio.sleep(0.05)
    await stranger.stop()
    assert not nothing.sent
    assert stranger._node.errors == ["warned"]  # type: ignore[attr-defined]
    part, pool = part_of(world, 0, "new escrow", "escrow_key0")
    await run(part, lambda: pool.sent)
    assert all(pool.sent[0].shares)


async def test_a_node_without_the_vote_key_of_its_seat_says_so(world: FinalizedWorld) -> None:
    opening(world)
    part, pool = part_of(world, 1, "escrow_key0")
    await part.start()
    await asyncio.sleep(0.05)
    await part.stop()
    assert part._node.errors == ["warned", "no_key_for_shares"]  # type: ignore[attr-defined]
    assert not pool.sent
