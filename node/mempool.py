"""Transactions that wait for a block, in the order in which they came.

    admit: decode -> screen (duplicate, conflict, limits) -> signatures, once per node, in chunks of 64
           -> check against the tip and what already waits -> kept, gossiped once

A transaction may spend what another waiting one creates (`node.trial`): for that the pool keeps the outputs that its
transactions would create. Two waiting transactions never share a conflict key, so at most one spends an output. That a
transaction is final already needs no question of its own, as the rules refuse a second execution of anything; it is
asked to tell the sender why.

After a block only what its conflict keys touch is looked at again. Whatever else has become invalid by then (a
deadline passed, a limit reached) is found when a block is built with it, and dropped there.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import msgspec

from contracts.transition import DecodedTx, cache_key, conflict_keys, decode_signed, verify_signatures
from node.signatures import SignatureCache
from node.trial import Created, Settlements, Tip, Trial
from state.errors import (
    Conflict,
    Duplicate,
    Expired,
    FormRefusal,
    LimitReached,
    MempoolFull,
    Refusal,
    Spent,
    WattestError,
)
from state.keyspace import Entry, Space
from state.units import MAX_BLOCK_ACTIONS, MAX_BLOCK_BYTES, SIGNER_PER_BLOCK

MAX_TRANSACTIONS = 20_000
MAX_BYTES = 32 * 1024 * 1024
MAX_PER_SIGNER = 64
VERIFY_CHUNK = 64  # about 3.5 ms: one task per signature would lose half to the executor, more would starve the loop
SLICE_S = 0.004  # work between two chances for votes and requests to be served
REMEMBERED_FINAL = 20_000  # some seconds at full speed: by then the gossip of a transaction has come too
REMEMBERED = 10_000  # refusals of dropped transactions, for who asks what became of them

Admitted = DecodedTx | WattestError


class Waiting(msgspec.Struct, frozen=True, gc=False):
    decoded: DecodedTx
    keys: frozenset[bytes]
    creates: Created
    local: bool  # came through this node's own door, or from an observer: ours to pass on


class Mempool:
    """One owner: the node's loop. `verify_threads` 0 checks signatures on that loop, in slices."""

    def __init__(self, tip: Tip, signatures: SignatureCache, verify_threads: int = 0) -> None:
        self._tip = tip
        self._signatures = signatures  # shared with the ledger
        self._waiting: dict[bytes, Waiting] = {}  # txid ->, in order of arrival
        self._by_conflict: dict[bytes, bytes] = {}  # conflict key -> txid
        self._created: dict[bytes, Entry] = {}
        self._signers: Counter[bytes] = Counter()
        self._by_expiry: dict[int, set[bytes]] = {}  # expiry height -> txids
        self._refused: OrderedDict[bytes, WattestError] = OrderedDict()
        self._final: OrderedDict[bytes, bytes] = OrderedDict()  # of the newest blocks: `DecodedTx.key` -> txid
        self._pool = ThreadPoolExecutor(verify_threads, "verify") if verify_threads else None
        self.bytes = 0
        self._settlements = Settlements(tip)
        self.on_admitted: Callable[[Sequence[DecodedTx], bool], None] = lambda admitted, local: None

    # --- coming in

    async def admit(self, raws: Sequence[bytes], local: bool = True) -> list[Admitted]:
        """For each raw transaction its decoded form, or why it is refused. Gives way to the loop every few ms."""
        results: list[Admitted] = []
        for start in range(0, len(raws), VERIFY_CHUNK):
            results += await self._admit_chunk(raws[start : start + VERIFY_CHUNK], local)
            await asyncio.sleep(0)
        return results

    async def _admit_chunk(self, raws: Sequence[bytes], local: bool) -> list[Admitted]:
        results = [self._screened(raw) for raw in raws]
        failures = await self._verify([result for result in results if isinstance(result, DecodedTx)])
        admitted: list[DecodedTx] = []
        since, trial = perf_counter(), Trial(self._tip, self._created)
        for index, decoded in enumerate(results):
            if isinstance(decoded, WattestError):
                continue
            if perf_counter() - since > SLICE_S:
                await asyncio.sleep(0)
                since, trial = perf_counter(), Trial(self._tip, self._created)
            try:
                if decoded.key in failures:
                    raise failures[decoded.key]
                self._enter(decoded, local, trial)
                admitted.append(decoded)
            except WattestError as refusal:
                results[index] = refusal
        if admitted:
            self.on_admitted(admitted, local)
        return results

    def _screened(self, raw: bytes) -> Admitted:
        """Everything that is cheap, before a signature is looked at."""
        try:
            key = cache_key(raw)
            if key in self._final:  # its block was faster than its gossip
                raise Duplicate(txid=self._final[key].hex(), where="final")
            decoded = self._signatures.get(key) or decode_signed(raw, key)
            self._screen(decoded)
        except WattestError as refusal:
            return refusal
        return decoded

    def _screen(self, decoded: DecodedTx) -> None:
        if decoded.txid in self._waiting:
            raise Duplicate(txid=decoded.txid.hex(), where="waiting")
        if len(self._waiting) >= MAX_TRANSACTIONS or self.bytes + len(decoded.raw) > MAX_BYTES:
            raise MempoolFull(count=len(self._waiting))
        for signer in decoded.transaction.body.signers:
            if self._signers.get(signer, 0) >= MAX_PER_SIGNER:
                raise LimitReached(limit=MAX_PER_SIGNER, what=f"waiting transactions of signer {signer.hex()[:16]}")

    def _enter(self, decoded: DecodedTx, local: bool, trial: Trial) -> None:
        """Check against the state and keep. Screened again: others came in while signatures were checked."""
        self._screen(decoded)
        keys = conflict_keys(decoded.transaction)
        for key in keys:
            if key in self._by_conflict:
                raise Conflict(what=_in_words(key))
        try:
            self._settlements.require_right(decoded)
            creates = trial.creates(decoded)
        except Refusal:
            if self._tip.is_final(decoded.txid):
                raise Duplicate(txid=decoded.txid.hex(), where="final") from None
            raise
        self._waiting[decoded.txid] = Waiting(decoded, keys, creates, local)
        for key in keys:
            self._by_conflict[key] = decoded.txid
        self._created.update(creates)
        for signer in decoded.transaction.body.signers:
            self._signers[signer] += 1
        self._by_expiry.setdefault(decoded.transaction.body.expiry_height, set()).add(decoded.txid)
        self.bytes += len(decoded.raw)
        self._refused.pop(decoded.txid, None)

    # --- signatures

    async def _verify(self, transactions: Sequence[DecodedTx]) -> dict[bytes, FormRefusal]:
        """Check signatures that were not checked before, in slices; the failures by `DecodedTx.key`."""
        failures: dict[bytes, FormRefusal] = {}
        loop = asyncio.get_running_loop()
        for start in range(0, len(transactions), VERIFY_CHUNK):
            # asked for each chunk, as a block and the gossip of its transactions are often verified side by side
            chunk = [one for one in transactions[start : start + VERIFY_CHUNK] if self._signatures.get(one.key) is None]
            if not chunk:
                continue
            if self._pool is not None:
                found = await loop.run_in_executor(self._pool, _failures, chunk)
            else:
                found = _failures(chunk)
            failures.update(found)
            for decoded in chunk:
                if decoded.key not in found:
                    self._signatures.add(decoded)
            if self._pool is None:
                await asyncio.sleep(0)
        return failures

    async def prepare(self, raws: Sequence[bytes]) -> None:
        """Decode and verify a block's transactions in slices, so that its execution finds them all in the cache.

        WattestError for the first bad one.
        """
        unseen: list[DecodedTx] = []
        since = perf_counter()
        for raw in raws:
            if self._signatures.get(cache_key(raw)) is None:
                unseen.append(decode_signed(raw))
            if perf_counter() - since > SLICE_S:
                await asyncio.sleep(0)
                since = perf_counter()
        failures = await self._verify(unseen)
        if failures:
            raise next(iter(failures.values()))

    # --- going out

    def take(
        self,
        exclude: Collection[bytes] = (),
        max_bytes: int = MAX_BLOCK_BYTES,
        max_actions: int = MAX_BLOCK_ACTIONS,
        per_signer: int = SIGNER_PER_BLOCK,
    ) -> list[DecodedTx]:
        """What fits into one block, in order of arrival. `exclude`: txids of unfinalised ancestors."""
        taken: list[DecodedTx] = []
        signers: Counter[bytes] = Counter()
        total_bytes = actions = 0
        for txid, waiting in self._waiting.items():
            decoded = waiting.decoded
            body = decoded.transaction.body
            if total_bytes + len(decoded.raw) > max_bytes or actions + len(body.actions) > max_actions:
                break
            if txid in exclude or any(signers[signer] >= per_signer for signer in body.signers):
                continue
            signers.update(body.signers)
            total_bytes += len(decoded.raw)
            actions += len(body.actions)
            taken.append(decoded)
        return taken

    def reconsider(self, refused: Iterable[DecodedTx]) -> None:
        """What a block could not be built with: dropped, unless it only waits for another waiting one."""
        trial = Trial(self._tip, self._created)
        for decoded in refused:
            if decoded.txid in self._waiting:
                try:
                    trial.creates(decoded)
                except Refusal as refusal:
                    self._drop(decoded.txid, refusal)

    def committed(self, height: int, transactions: Sequence[DecodedTx]) -> None:
        """A block is final: forget its transactions, and drop those that can never hold any more."""
        self._settlements.forget()
        spent: list[bytes] = []
        for decoded in transactions:
            self._final[decoded.key] = decoded.txid
            self._signatures.drop(decoded)
            waiting = self._remove(decoded.txid)
            spent += waiting.keys if waiting is not None else conflict_keys(decoded.transaction)
        for key in spent:
            loser = self._by_conflict.get(key)
            if loser is not None:
                self._drop(loser, Conflict(what=_in_words(key)))
        while len(self._final) > REMEMBERED_FINAL:
            self._final.popitem(last=False)
        for expiry_height in [each for each in self._by_expiry if each <= height]:
            for txid in list(self._by_expiry.get(expiry_height, ())):
                self._drop(txid, Expired(expiry_height=expiry_height, height=height + 1))

    def _drop(self, txid: bytes, refusal: WattestError) -> None:
        """Remove a transaction and what would spend its outputs."""
        waiting = self._remove(txid)
        if waiting is None:
            return
        self._refused[txid] = refusal
        if len(self._refused) > REMEMBERED:
            self._refused.popitem(last=False)
        for key, _ in waiting.creates:
            spender = self._by_conflict.get(key)
            if spender is not None:
                self._drop(spender, Spent(outpoint=key[1:]))

    def _remove(self, txid: bytes) -> Waiting | None:
        waiting = self._waiting.pop(txid, None)
        if waiting is None:
            return None
        for key in waiting.keys:
            del self._by_conflict[key]
        for key, _ in waiting.creates:
            self._created.pop(key, None)
        body = waiting.decoded.transaction.body
        for signer in body.signers:
            self._signers[signer] -= 1
            if not self._signers[signer]:
                del self._signers[signer]
        expiring = self._by_expiry[body.expiry_height]
        expiring.discard(txid)
        if not expiring:
            del self._by_expiry[body.expiry_height]
        self.bytes -= len(waiting.decoded.raw)
        return waiting

    # --- asking

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, txid: bytes) -> bool:
        return txid in self._waiting

    def get(self, txid: bytes) -> DecodedTx | None:
        waiting = self._waiting.get(txid)
        return waiting.decoded if waiting else None

    def refusal(self, txid: bytes) -> WattestError | None:
        """Why a transaction that once waited here was dropped, as long as that is remembered."""
        return self._refused.get(txid)

    def local(self) -> list[bytes]:
        """Raw transactions that this node has to pass on, oldest first: what a peer that comes back may have missed."""
        return [waiting.decoded.raw for waiting in self._waiting.values() if waiting.local]

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _failures(chunk: Sequence[DecodedTx]) -> dict[bytes, FormRefusal]:
    """Pure, so that it can run on any thread."""
    failures: dict[bytes, FormRefusal] = {}
    for decoded in chunk:
        try:
            verify_signatures(decoded)
        except FormRefusal as refusal:
            failures[decoded.key] = refusal
    return failures


def _in_words(key: bytes) -> str:
    if key[0] == Space.OUTPUT:
        return f"output {key[1:].hex()}"
    return f"key {key.hex()}"
