"""The validator's part in opening sealed orders: after the close it looks into its boxes and publishes the shares.

A quorum of validators begins at once, in turn from auction to auction; the others come when orders are still shut two
seconds later. Which keys open the boxes is said by the ledger, epoch by epoch: a node that took another key, or that
left the validators, still opens what was sealed to it. Boxes are opened on a worker thread, about 35 us each.
"""

import asyncio
import secrets
from typing import Any, TypeGuard

from contracts.auction import OPENING, book_of
from contracts.escrow import escrow_sets, order_context, pages_of
from contracts.expire import opening_auctions
from contracts.open_shares import signers_of
from contracts.sealing import quorum_of, share_in
from node.app import LedgerTip, Node
from node.runtime import FinalBlock
from node.signer import Signer
from state.codec import encode
from state.errors import WattestError
from state.escrow import PAGE_ORDERS, EscrowSet
from state.keyspace import auction_key, escrow_set_key, escrow_shares_key
from state.outputs import OrderOutput, SealedBid, SealedOffer
from state.records import Auction
from state.transaction import Body, OpenShares, Transaction, signing_bytes

OTHERS_S = 2.0
AGAIN_S = 2.0
EXPIRY_BLOCKS = 100
SHUT, GOING_ON, DONE = "shut", "going on", "done"


class Unsealing:
    """A part of the node and a watcher of its blocks."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tip = LedgerTip(node.ledger, node.clock)
        self._tasks: dict[int, asyncio.Task[None]] = {}  # by auction
        node.runtime.watchers.append(self)
        if node.index is not None and node.ledger.validators[node.index].escrow_key not in node.escrow_keys():
            node.warn(
                f"The escrow key of this validator is not in {node.config.keys}: it opens no sealed orders, "
                "and an auction has one validator less that may fail. Put the file back."
            )

    async def start(self) -> None:
        self._look()

    async def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def committed(self, final: FinalBlock) -> None:
        self._look()

    def live(self, kind: str, fields: dict[str, Any]) -> None:
        """Only blocks close auctions."""

    def _look(self) -> None:
        opening = {each.id: each for each in opening_auctions(self._node.ledger.store) if each.terms.escrow}
        for number in [number for number in self._tasks if number not in opening]:
            self._tasks.pop(number).cancel()
        for number, auction in opening.items():
            if number not in self._tasks:
                task = self._tasks[number] = asyncio.create_task(self._serve(auction))
                task.add_done_callback(self._ended)

    async def _serve(self, auction: Auction) -> None:
        """One set after the other; usually there is one."""
        keys = await asyncio.to_thread(self._node.escrow_keys)
        for found in escrow_sets(self._node.ledger.store, auction.id):
            for index, member in enumerate(found.members):
                if member.escrow_key in keys:
                    await self._give(auction, found, index, keys[member.escrow_key])

    async def _give(self, auction: Auction, found: EscrowSet, index: int, secret: bytes) -> None:
        """Until every page is in a block, or nobody needs them any more."""
        signer = self._signer(found, index)
        if signer is None:
            self._node.log.error("no_key_for_shares", auction=auction.id, why="the vote key of this seat is not here")
            return
        members = len(found.members)
        first = (index + auction.id) % members < quorum_of(members)
        if not first:
            await asyncio.sleep(OTHERS_S)
        while missing := self._missing(auction, found, index):
            standing = SHUT if first else await asyncio.to_thread(self._standing, auction, found)
            if standing == DONE:
                return
            if standing == GOING_ON:
                await asyncio.sleep(AGAIN_S)
                continue
            actions = await asyncio.to_thread(self._pages, auction, found, index, secret, missing)
            for result in await self._node.mempool.admit([self._transaction(action, signer) for action in actions]):
                if isinstance(result, WattestError):
                    self._node.log.info("shares_refused", auction=auction.id, code=result.code)
            await asyncio.sleep(AGAIN_S)

    # --- looking

    def _signer(self, found: EscrowSet, index: int) -> Signer | None:
        allowed = signers_of(self._node.ledger.store, found, index)
        return next((each for each in self._node.office.signers if each.public in allowed), None)

    def _missing(self, auction: Auction, found: EscrowSet, index: int) -> list[int]:
        store = self._node.ledger.store
        if not isinstance(store.get(escrow_set_key(auction.id, found.epoch)), EscrowSet):
            return []  # settled meanwhile
        pages = range(pages_of(auction))
        return [page for page in pages if store.get(escrow_shares_key(auction.id, found.epoch, index, page)) is None]

    def _standing(self, auction: Auction, found: EscrowSet) -> str:
        """Whether the others are just opening the orders, have opened all, or some wait for this validator too."""
        store = self._node.ledger.store
        now = store.get(escrow_set_key(auction.id, found.epoch))
        if isinstance(now, EscrowSet) and now.walking:
            return GOING_ON
        book = book_of(store, auction).values()
        return SHUT if any(_sealed_to(order, found) and not order.spoilt for _, order in book) else DONE

    def _pages(
        self, auction: Auction, found: EscrowSet, index: int, secret: bytes, missing: list[int]
    ) -> list[OpenShares]:
        chain, store = self._tip.next_environment().chain, self._node.ledger.store
        now = store.get(auction_key(auction.id))
        if not isinstance(now, Auction) or now.status != OPENING:
            return []
        book = book_of(store, now)
        public = found.members[index].escrow_key
        actions = []
        for page in missing:
            shares = []
            for number in range(page * PAGE_ORDERS, min(now.orders, (page + 1) * PAGE_ORDERS)):
                _, order = book.get(number, (b"", None))
                share = b""
                if order is not None and _sealed_to(order, found):
                    assert order.envelope is not None
                    share = share_in(order.envelope, order_context(chain, order), index, secret, public)
                shares.append(share)
            actions.append(OpenShares(auction.id, found.epoch, index, page, tuple(shares)))
        return actions

    def _transaction(self, action: OpenShares, signer: Signer) -> bytes:
        environment = self._tip.next_environment()
        expiry = environment.height + EXPIRY_BLOCKS
        body = Body(environment.chain, (signer.public,), (action,), expiry, secrets.token_bytes(8))
        return encode(Transaction(body, (signer.sign(signing_bytes(body)),)))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._node.runtime.fail(error)


def _sealed_to(order: OrderOutput, found: EscrowSet) -> TypeGuard[SealedBid | SealedOffer]:
    return (
        isinstance(order, SealedBid | SealedOffer)
        and order.envelope is not None
        and order.envelope.epoch == found.epoch
    )
