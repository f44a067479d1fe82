"""What this node's ledger was after any earlier block, for whoever asks: made again from the blocks, beside the node.

Nothing of it is kept until somebody asks. Then a thread of its own executes the final blocks once more, from the
genesis, with the rules and checks of every block (its state root must come out again, or the thread stops), and keeps
each row with the height that wrote it (`state/versions.py`). From there on a question about any height it has reached
is a read. The thread rests as long as it works, so that votes and blocks have their half of the interpreter, and it
stops where the disk has little room left.

    HOME/data/past         those rows: it may be deleted while the node stands, and is made again

A node without its first blocks (it pruned them, or began from a snapshot) cannot tell of the past: NotHeld.
"""

import asyncio
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from contracts.genesis import Genesis
from node.api.refusals import PastUnready, PastUnusable
from node.ledger import Ledger
from node.signatures import SignatureCache, SignatureVerifier
from state.block import decode_block, header_hash
from state.errors import NotHeld, StoreError, StoreMismatch, Unknown, WattestError
from state.kept import base_of, kept_header
from state.keyspace import block_key
from state.store import LevelRows, Rows, Store
from state.versions import Archive, RowsAt

STORES = 8  # heights whose decoded entries are kept at hand
WAIT_S = 2.0  # that a question waits for its height before it is told how far the thread is
LOOK_S = 0.02
SLICE_S = 0.02  # of work before the thread rests
REST = 1.0  # of the time that it worked: at most half of a core goes into the past
ROOM_BYTES = 1024**3  # of disk left: below it nothing more is written here
ROOM_EVERY = 256  # blocks between two looks at the disk


class Past:
    """`open_rows` opens the archive; `forget` throws away one that does not fit. One thread writes, any may read."""

    def __init__(
        self,
        live: Store,
        genesis: Genesis,
        chain: bytes,
        open_rows: Callable[[], Rows],
        forget: Callable[[], None] = lambda: None,
        room: Callable[[], int] = lambda: ROOM_BYTES,
        rest: float = REST,
    ) -> None:
        self._live, self._genesis, self._chain = live, genesis, chain
        self._open_rows, self._forget, self._room, self._rest = open_rows, forget, room, rest
        self._rows: Rows | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._target = -1
        self._trouble = ""
        self._stores: OrderedDict[int, Store] = OrderedDict()
        self.height = -1  # reached

    async def at(self, height: int) -> Store:
        """The ledger after that block. Unknown above the tip, NotHeld, PastUnready, PastUnusable."""
        meta = self._live.meta()
        assert meta is not None, "a served store has a ledger"
        if height > meta.height:
            raise Unknown(what="final block at height", id=height)
        if self.height < height:
            await self._reach(height, meta.height)
        store = self._stores.get(height)
        if store is None:
            assert self._rows is not None, "a height was reached"
            store = self._stores[height] = Store(RowsAt(self._rows, self._live, height))
        self._stores.move_to_end(height)
        while len(self._stores) > STORES:
            self._stores.popitem(last=False)
        return store

    async def _reach(self, height: int, tip: int) -> None:
        base = base_of(self._live)
        if self.height < 0 and max(base.bodies_from, base.history_from) > 1:
            raise NotHeld(what="the state of height", id=height, held_from=max(base.bodies_from, base.history_from))
        self._target = max(self._target, tip)
        if self._thread is None or not self._thread.is_alive():
            self._trouble = ""
            self._thread = threading.Thread(target=self._run, name="past", daemon=True)
            self._thread.start()
        until = time.monotonic() + WAIT_S
        while self.height < height and not self._trouble and time.monotonic() < until:  # noqa: ASYNC110 a thread's
            await asyncio.sleep(LOOK_S)
        if self.height < height and self._trouble:
            raise PastUnusable(height=height, why=self._trouble)
        if self.height < height:
            raise PastUnready(reached=max(0, self.height), target=height, retry_after_s=1)

    def close(self) -> None:
        """Ends the thread within a block, and closes the archive."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        if self._rows is not None:
            self._rows.close()
            self._rows = None

    # --- the thread

    def _run(self) -> None:
        try:
            self._climb()
        except (WattestError, OSError) as error:
            self._trouble = str(error)

    def _climb(self) -> None:
        ledger = self._ledger()
        began, blocks = time.monotonic(), 0
        while self.height < self._target and not self._stopping.is_set():
            if blocks % ROOM_EVERY == 0 and self._room() < ROOM_BYTES:
                raise StoreError(why="less than 1 GiB of its disk is free")
            data = self._live.get_raw(block_key(self.height + 1))
            if data is None:
                raise NotHeld(what="block", id=self.height + 1, held_from=base_of(self._live).bodies_from)
            block = decode_block(data)
            ledger.check(block, certified=True)
            ledger.commit(block, b"", 0)
            self.height, blocks = block.header.height, blocks + 1
            worked = time.monotonic() - began
            if worked > SLICE_S:
                self._stopping.wait(worked * self._rest)
                began = time.monotonic()

    def _ledger(self) -> Ledger:
        """Where the archive stands; from the genesis where it is of another chain or there is none."""
        try:
            ledger = self._opened()
        except StoreError:
            self._let_go()
            ledger = self._opened()
        self.height = ledger.tip.height
        return ledger

    def _opened(self) -> Ledger:
        if self._rows is None:
            self._rows = self._open_rows()
        store = Store(Archive(self._rows, self._live))
        meta = store.meta()
        if meta is None:
            return Ledger.open(store, self._genesis, self._chain, SignatureCache())
        kept = kept_header(self._live, meta.height)
        if meta.chain != self._chain or kept is None or header_hash(kept.header) != meta.hash:
            raise StoreMismatch(why="the past is not this chain's")
        return Ledger(store, SignatureVerifier(SignatureCache()), meta, kept.header)

    def _let_go(self) -> None:
        if self._rows is not None:
            self._rows.close()
        self._rows, self.height = None, -1
        self._stores.clear()
        self._forget()


def past_in(folder: Path, live: Store, genesis: Genesis, chain: bytes) -> Past:
    """The past of a node whose data stand in that folder."""
    path = folder / "past"

    def forget() -> None:
        shutil.rmtree(path, ignore_errors=True)

    return Past(live, genesis, chain, lambda: LevelRows(path), forget, lambda: shutil.disk_usage(folder).free)
