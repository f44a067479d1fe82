"""What waits for a block: admitted once, never two that contradict each other, and gone when it can hold no more."""

import asyncio
import time

import pytest
from harness.town import Town
from harness.world import World, seed_of
from msgspec.structs import replace

from contracts.context import BlockEnvironment
from contracts.transition import DecodedTx
from node import mempool as module
from node import trial
from node.mempool import VERIFY_CHUNK, Admitted, Mempool
from node.signatures import SignatureCache
from state.codec import encode
from state.crypto import public_key, sign
from state.errors import (
    AuctionPhase,
    BadSignature,
    Conflict,
    DecodeError,
    Duplicate,
    Expired,
    ExpiryTooFar,
    LimitReached,
    MempoolFull,
    NotRegistered,
    NotYours,
    PriceWrong,
    SignerMismatch,
    Spent,
    Unknown,
    WattestError,
    WrongChain,
)
from state.outputs import outpoint
from state.overlay import Snapshot
from state.transaction import (
    Body,
    Deposit,
    Piece,
    Register,
    Settle,
    Transaction,
    Transfer,
    encode_transaction,
    signing_bytes,
)
from state.units import MICRO, Outpoint


class WorldTip:
    """The mempool's view of a world in memory."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.final: set[bytes] = set()

    @property
    def state(self) -> Snapshot:
        return self.world.state

    def next_environment(self) -> BlockEnvironment:
        return self.world.environment()

    def is_final(self, txid: bytes) -> bool:
        return txid in self.final


class Scene:
    """A plant owner with one bundle of ten certificates, a trader, a bank, and an empty mempool."""

    def __init__(self) -> None:
        self.world = World()
        self.world.operators()
        self.world.register("owner")
        self.world.register("trader")
        self.world.device("owner")
        bundle = self.world.issue(1, 10_000_000)
        assert bundle is not None
        self.bundle = bundle
        self.tip = WorldTip(self.world)
        self.pool = Mempool(self.tip, SignatureCache())

    def transfer(self, by: str, to: str, point: Outpoint, start: int = 1, end: int = 10) -> DecodedTx:
        people = self.world.people
        piece = Piece(people[to], start, end)
        return self.world.transaction(Transfer(people[by], (point,), (piece,), None), by=(by,))

    def deposit(self, reference: str, euros: int = 1) -> DecodedTx:
        people = self.world.people
        action = Deposit(people["bank"], people["trader"], "EUR", euros * MICRO, reference)
        return self.world.transaction(action, by=("bank",))

    async def admit(self, *transactions: DecodedTx) -> list[Admitted]:
        return await self.pool.admit([decoded.raw for decoded in transactions])

    async def refused(self, decoded: DecodedTx, kind: type[WattestError]) -> WattestError:
        (result,) = await self.admit(decoded)
        assert isinstance(result, kind), result
        return result

    def finalise(self, *transactions: DecodedTx) -> None:
        """A block of these becomes final, whether they waited here or not."""
        self.world.block(*transactions)
        self.tip.final.update(decoded.txid for decoded in transactions)
        self.pool.committed(self.world.height, transactions)

    def taken(self) -> list[bytes]:
        return [decoded.txid for decoded in self.pool.take()]


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_transactions_leave_in_the_order_in_which_they_came(scene: Scene) -> None:
    sent = [scene.deposit(f"r{number}") for number in range(5)]
    results = await scene.admit(*sent)
    assert [isinstance(result, DecodedTx) for result in results] == [True] * 5
    assert scene.taken() == [decoded.txid for decoded in sent]
    assert scene.pool.bytes == sum(len(decoded.raw) for decoded in sent)


async def test_a_waiting_output_can_be_spent_and_the_chain_is_taken_in_order(scene: Scene) -> None:
    first = scene.transfer("owner", "trader", scene.bundle)
    second = scene.transfer("trader", "owner", outpoint(first.txid, 0))
    third = scene.transfer("owner", "trader", outpoint(second.txid, 0))
    await scene.admit(first, second, third)
    assert scene.taken() == [first.txid, second.txid, third.txid]
    scene.finalise(first, second, third)
    assert scene.world.certificates("trader") == 10
    assert len(scene.pool) == 0


async def test_the_rest_of_a_chain_still_waits_after_its_beginning_is_final(scene: Scene) -> None:
    first = scene.transfer("owner", "trader", scene.bundle)
    second = scene.transfer("trader", "owner", outpoint(first.txid, 0))
    await scene.admit(first, second)
    scene.finalise(first)
    assert scene.taken() == [second.txid]
    scene.finalise(second)
    assert scene.world.certificates("owner") == 10


async def test_a_final_rival_drops_a_transaction_and_all_that_builds_on_it(scene: Scene) -> None:
    first = scene.transfer("owner", "trader", scene.bundle)
    second = scene.transfer("trader", "owner", outpoint(first.txid, 0))
    await scene.admit(first, second)
    rival = scene.transfer("owner", "owner", scene.bundle)
    scene.finalise(rival)
    assert scene.taken() == []
    assert isinstance(scene.pool.refusal(first.txid), Conflict)
    assert isinstance(scene.pool.refusal(second.txid), Spent)
    assert scene.pool.bytes == 0


async def test_what_a_block_could_not_take_is_dropped_only_if_it_can_hold_no_more(scene: Scene) -> None:
    first = scene.transfer("owner", "trader", scene.bundle)
    second = scene.transfer("trader", "owner", outpoint(first.txid, 0))
    await scene.admit(first, second)
    scene.pool.reconsider([second])  # refused by a builder that did not take `first`
    assert scene.taken() == [first.txid, second.txid]
    scene.world.block(scene.transfer("owner", "owner", scene.bundle))  # unseen by the pool
    scene.pool.reconsider([first])
    assert scene.taken() == []


async def test_transactions_of_unfinalised_ancestors_are_left_out(scene: Scene) -> None:
    sent = [scene.deposit(f"r{number}") for number in range(3)]
    await scene.admit(*sent)
    taken = scene.pool.take(exclude={sent[1].txid})
    assert [decoded.txid for decoded in taken] == [sent[0].txid, sent[2].txid]


async def test_a_block_takes_at_most_so_many_of_one_signer_bytes_and_actions(scene: Scene) -> None:
    sent = [scene.deposit(f"r{number}") for number in range(40)]
    await scene.admit(*sent)
    assert len(scene.pool.take()) == 32
    assert len(scene.pool.take(max_actions=7)) == 7
    assert len(scene.pool.take(max_bytes=3 * len(sent[0].raw))) == 3


async def test_a_signature_is_checked_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[bytes] = []
    monkeypatch.setattr(module, "verify_signatures", lambda decoded: checked.append(decoded.txid))
    sent = scene.deposit("r")
    await scene.admit(sent)
    await scene.admit(sent)
    await scene.pool.prepare([sent.raw])
    assert checked == [sent.txid]


async def test_a_block_with_a_bad_signature_is_not_prepared(scene: Scene) -> None:
    bad = scene.deposit("r")
    forged = encode(Transaction(bad.transaction.body, (bytes(64),)))
    with pytest.raises(BadSignature):
        await scene.pool.prepare([forged])


async def test_admission_of_a_thousand_gives_way_to_the_loop(scene: Scene) -> None:
    """Votes are served between the slices: the longest pause stays far below one message delay."""
    sent = [scene.deposit(f"r{number}").raw for number in range(64)] + [
        _registration(scene, number) for number in range(936)
    ]
    pauses: list[float] = []
    done = asyncio.Event()

    async def heartbeat() -> None:
        before = time.perf_counter()
        while not done.is_set():
            await asyncio.sleep(0)
            now = time.perf_counter()
            pauses.append(now - before)
            before = now

    beating = asyncio.create_task(heartbeat())
    results = await scene.pool.admit(sent)
    done.set()
    await beating
    assert sum(isinstance(result, DecodedTx) for result in results) == 1_000
    pauses.sort()
    print(f"longest pause {1000 * pauses[-1]:.1f} ms, {len(pauses)} turns")
    assert len(pauses) >= 2 * (1_000 // VERIFY_CHUNK)
    assert pauses[len(pauses) * 9 // 10] < 0.05  # of the slices, on a loaded machine


async def test_threads_give_the_same_answers() -> None:
    scene = Scene()
    scene.pool = Mempool(scene.tip, SignatureCache(), verify_threads=2)
    good = [scene.deposit(f"r{number}") for number in range(3)]
    bad = encode(Transaction(good[0].transaction.body, (bytes(64),)))
    results = await scene.pool.admit([good[1].raw, bad, good[2].raw])
    scene.pool.close()
    assert [type(result) for result in results] == [DecodedTx, BadSignature, DecodedTx]


def _registration(scene: Scene, number: int) -> bytes:
    seed = seed_of(f"person {number}")
    key = public_key(seed)
    body = Body(scene.world.chain, (key,), (Register(key, f"p{number}", "FR", b""),), 50, bytes(8))
    return encode_transaction(Transaction(body, (sign(seed, signing_bytes(body)),)))


# --- refusals


async def test_refuses_a_transaction_that_waits_already(scene: Scene) -> None:
    sent = scene.deposit("r")
    await scene.admit(sent)
    assert "waiting" in str(await scene.refused(sent, Duplicate))


async def test_refuses_a_final_transaction(scene: Scene) -> None:
    sent = scene.deposit("r")
    scene.finalise(sent)
    assert "final" in str(await scene.refused(sent, Duplicate))


async def test_refuses_a_final_transaction_whose_block_was_faster_than_its_gossip(scene: Scene) -> None:
    sent = scene.deposit("r")
    await scene.pool.prepare([sent.raw])
    scene.finalise(sent)
    assert "final" in str(await scene.refused(sent, Duplicate))


async def test_refuses_a_second_spend_of_a_waiting_input(scene: Scene) -> None:
    await scene.admit(scene.transfer("owner", "trader", scene.bundle))
    await scene.refused(scene.transfer("owner", "owner", scene.bundle), Conflict)


async def test_refuses_a_second_use_of_a_waiting_reference(scene: Scene) -> None:
    """Nothing is spent twice here: what would be created twice is the bank's reference."""
    await scene.admit(scene.deposit("r", euros=1))
    await scene.refused(scene.deposit("r", euros=2), Conflict)


async def test_refuses_what_never_existed(scene: Scene) -> None:
    await scene.refused(scene.transfer("owner", "trader", outpoint(bytes(32), 0)), Spent)


async def test_refuses_certificates_of_somebody_else(scene: Scene) -> None:
    await scene.refused(scene.transfer("trader", "trader", scene.bundle), NotYours)


async def test_refuses_an_unknown_signer(scene: Scene) -> None:
    scene.world.people["nobody"] = 99
    await scene.refused(scene.transfer("nobody", "trader", scene.bundle), NotRegistered)


async def test_refuses_bytes_that_are_no_transaction(scene: Scene) -> None:
    (result,) = await scene.pool.admit([b"\x93"])
    assert isinstance(result, DecodeError)


async def test_refuses_a_wrong_or_missing_signature(scene: Scene) -> None:
    body = scene.deposit("r").transaction.body
    results = await scene.pool.admit([encode(Transaction(body, (bytes(64),))), encode(Transaction(body, ()))])
    assert [type(result) for result in results] == [BadSignature, SignerMismatch]
    assert len(scene.pool) == 0


async def test_refuses_another_chain(scene: Scene) -> None:
    action = Register(scene.world.key("new"), "new", "FR", b"")
    await scene.refused(scene.world.transaction(action, by=("new",), chain=b"\x07" * 32), WrongChain)


async def test_refuses_an_expired_transaction_and_drops_a_waiting_one(scene: Scene) -> None:
    sent = scene.deposit("r")
    await scene.admit(sent)
    scene.world.height += 99
    scene.finalise()  # height = expiry: it could not be in the next block
    assert isinstance(scene.pool.refusal(sent.txid), Expired)
    await scene.refused(sent, Expired)


async def test_nothing_is_kept_of_what_left_but_its_name(scene: Scene) -> None:
    """A pool that has taken many and given all of them away is as small as a new one."""
    first = scene.transfer("owner", "trader", scene.bundle)
    second = scene.transfer("trader", "owner", outpoint(first.txid, 0))
    await scene.admit(first, second, scene.deposit("r"))
    scene.finalise(first)
    rival = scene.transfer("trader", "trader", outpoint(first.txid, 0))
    scene.finalise(rival)
    scene.world.height += 99
    scene.finalise()
    pool = scene.pool
    assert len(pool) == pool.bytes == 0
    for held in (pool._by_conflict, pool._created, pool._signers, pool._by_expiry):
        assert not held
    assert scene.pool._signatures.get(first.key) is None
    assert "final" in str(await scene.refused(first, Duplicate))


async def test_refuses_an_expiry_far_ahead(scene: Scene) -> None:
    sent = scene.deposit("r")
    scene.world.height = -20_000  # as if the ledger were that far behind
    await scene.refused(sent, ExpiryTooFar)


async def test_refuses_more_than_64_of_one_signer(scene: Scene) -> None:
    results = await scene.admit(*(scene.deposit(f"r{number}") for number in range(65)))
    assert isinstance(results[-1], LimitReached)
    assert len(scene.pool) == 64


async def test_refuses_more_than_its_memory_holds(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TRANSACTIONS", 2)
    results = await scene.admit(*(scene.deposit(f"r{number}") for number in range(3)))
    assert isinstance(results[-1], MempoolFull)
    monkeypatch.setattr(module, "MAX_TRANSACTIONS", 100)
    monkeypatch.setattr(module, "MAX_BYTES", scene.pool.bytes)
    await scene.refused(scene.deposit("r9"), MempoolFull)


def test_block_and_its_gossip_side_by_side_are_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, verified = Scene(), []
    monkeypatch.setattr(module, "verify_signatures", lambda decoded: verified.append(decoded.txid))
    monkeypatch.setattr(module, "VERIFY_CHUNK", 2)
    names = [f"p{n}" for n in range(9)]
    raws = [scene.world.transaction(Register(scene.world.key(n), n, "FR", b""), by=(n,)).raw for n in names]

    async def both() -> None:
        await asyncio.gather(scene.pool.prepare(raws), scene.pool.admit(raws, local=False))

    asyncio.run(both())
    assert len(verified) == len(set(verified)) == len(raws)
    assert len(scene.pool) == len(raws)


def test_block_that_becomes_final_while_signatures_are_checked_is_seen() -> None:
    scene = Scene()
    decoded = scene.transfer("owner", "trader", scene.bundle)

    async def overtaken() -> list[Admitted]:
        admission = asyncio.create_task(scene.pool.admit([decoded.raw], local=False))
        await asyncio.sleep(0)  # screened; its signature is being checked
        scene.finalise(decoded)
        return await admission

    (result,) = asyncio.run(overtaken())
    assert isinstance(result, Duplicate)
    assert len(scene.pool) == 0


# --- settlements, which nobody signs


async def test_a_wrong_settlement_is_refused_without_another_clearing(monkeypatch: pytest.MonkeyPatch) -> None:
    town = Town()
    auction, _, _ = town.trade()
    closed = town.close(auction)
    pool, counted = Mempool(WorldTip(town), SignatureCache()), []  # type: ignore[var-annotated]
    computed = trial.build_settle
    monkeypatch.setattr(trial, "build_settle", lambda *given: counted.append(given) or computed(*given))
    right = computed(town.state, closed)
    wrong = [replace(right, prices=(price,)) for price in range(100)]
    results = await pool.admit([town.transaction(each).raw for each in wrong])
    assert [type(result) for result in results] == [PriceWrong] * 100
    assert {result.action_index for result in results if isinstance(result, PriceWrong)} == {0}
    (taken,) = await pool.admit([town.transaction(right).raw])
    assert isinstance(taken, DecodedTx)
    assert len(counted) == 1
    town.block(taken)
    pool.committed(town.height, [taken])
    (late,) = await pool.admit([town.transaction(wrong[0]).raw])
    assert isinstance(late, AuctionPhase)
    assert len(counted) == 1


async def test_a_settlement_of_no_closed_auction_is_refused_by_the_rules() -> None:
    town = Town()
    auction, _, _ = town.trade()
    pool = Mempool(WorldTip(town), SignatureCache())
    settles = [Settle(auction, (1,), bytes(32)), Settle(auction + 1, (1,), bytes(32))]
    results = await pool.admit([town.transaction(settle).raw for settle in settles])
    assert [type(result) for result in results] == [AuctionPhase, Unknown]
