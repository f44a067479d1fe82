"""The market's part of a node: it opens what its home sealed, settles what is closed, voids what nobody could."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from harness.finalized import FinalizedWorld
from msgspec.structs import replace

from contracts.settle import VOID_AFTER_S
from contracts.transition import decode_signed
from node import settling
from node.openings import keep, kept, new_opening
from node.settling import Settling
from state.errors import WattestError
from state.keyspace import auction_key
from state.outputs import Bid, Funds
from state.records import Auction, AuctionTerms
from state.transaction import Default, PlaceBid, Reveal, Settle, VoidAuction
from state.units import MICRO


class Pool:
    """Takes what a node sends into a block of its own at once."""

    def __init__(self, world: FinalizedWorld) -> None:
        self.world, self.sent = world, list[type]()

    async def admit(self, raws: list[bytes]) -> list[Any]:
        results: list[Any] = []
        for raw in raws:
            decoded = decode_signed(raw)
            self.sent += [type(action) for action in decoded.body_actions]
            try:
                self.world.block(decoded)
            except WattestError as error:
                results.append(error)
            else:
                results.append(decoded)
        return results


def part_of(world: FinalizedWorld, home: Path) -> tuple[Settling, Pool]:
    pool = Pool(world)
    node = SimpleNamespace(
        ledger=world.ledger,
        clock=SimpleNamespace(wall_ms=lambda: world.time_ms, now_ms=lambda: world.time_ms),
        index=0,
        config=SimpleNamespace(home=home),
        runtime=SimpleNamespace(watchers=[], fail=pytest.fail),
        mempool=pool,
        log=SimpleNamespace(info=lambda *_, **__: None),
    )
    return Settling(node), pool  # type: ignore[arg-type]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> FinalizedWorld:
    monkeypatch.setattr(settling, "OTHERS_S", 0.01)
    world = FinalizedWorld()
    world.operators()
    world.register("trader")
    world.fund("trader", 100)
    return world


def status(world: FinalizedWorld, auction: int) -> str:
    found = world.state.get(auction_key(auction))
    assert isinstance(found, Auction)
    return found.status


async def run(part: Settling, until: Any) -> None:
    await part.start()
    async with asyncio.timeout(40):
        while not until():
            part._look()
            await asyncio.sleep(0.01)
    await part.stop()


async def test_a_node_opens_what_was_sealed_from_its_home_and_settles(world: FinalizedWorld, tmp_path: Path) -> None:
    auction = world.auction(seconds=60, terms=AuctionTerms(sealed=True, opening_s=60))
    opening = new_opening(world.chain, auction, world.people["trader"], "bid", 3, 2 * MICRO, ())
    keep(tmp_path, opening)
    money = world.outputs_of("trader", Funds)[0]
    sealed = PlaceBid(auction, world.people["trader"], 0, 0, (money,), (), opening.commitment, 6 * MICRO)
    world.do(sealed, by=("trader",))
    while status(world, auction) == "open":
        world.block(seconds=10)
    part, pool = part_of(world, tmp_path)
    await run(part, lambda: world.outputs_of("trader", Bid))
    assert pool.sent == [Reveal]
    world.close(auction)
    await run(part, lambda: status(world, auction) == "settled")
    assert pool.sent == [Reveal, Settle]
    assert world.money("trader") == 100 * MICRO


async def test_a_node_voids_an_auction_that_waited_in_vain(world: FinalizedWorld, tmp_path: Path) -> None:
    auction = world.auction(seconds=60)
    world.close(auction)
    world.block(seconds=VOID_AFTER_S)
    world.pass_blocks(13, seconds=1)
    part, pool = part_of(world, tmp_path)
    await run(part, lambda: status(world, auction) == "void")
    assert pool.sent == [VoidAuction]


async def test_a_node_declares_what_was_not_paid_once_it_is_due(world: FinalizedWorld, tmp_path: Path) -> None:
    world.register("plant")
    lot = world.issue(world.device("plant"), 2_000_000)
    assert lot is not None
    auction = world.auction(seconds=60, terms=AuctionTerms(margin=2_000, pay_s=600))
    world.offer("plant", auction, lot, 1, 2, MICRO)
    world.bid("trader", auction, 2, MICRO, world.outputs_of("trader", Funds)[0])
    world.settle(auction)
    part, pool = part_of(world, tmp_path)
    part._look()
    assert part._overdue is None
    world.block(seconds=600)
    await run(part, lambda: pool.sent)
    world.block()
    assert pool.sent == [Default]
    assert (world.certificates("plant"), world.money("plant")) == (2, 400_000)


def test_openings_are_private_written_once_and_bad_files_are_left_aside(tmp_path: Path) -> None:
    chain = bytes(range(32))
    opening = new_opening(chain, 7, 3, "bid", 5, MICRO, ("T02", ""))
    path = keep(tmp_path, opening)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    with pytest.raises(FileExistsError):
        keep(tmp_path, opening)
    (path.parent / f"{chain.hex()[:8]}-7-broken.json").write_text('{"auction": 7')
    (path.parent / f"{chain.hex()[:8]}-8-other.json").write_text("[]")
    assert kept(tmp_path, chain) == [opening] == kept(tmp_path, chain, [7])
    assert kept(tmp_path, chain, [8]) == kept(tmp_path, bytes(32)) == []
    assert replace(opening.reveal(0), order=4) == opening.reveal(4)
