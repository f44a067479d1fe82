"""Blocks, transactions and events of the final chain."""

from typing import Any, TypeVar

import msgspec

from consensus.votes import Finalization, Quorum
from contracts.events import EventRecord, event_dict
from contracts.transition import describe
from node.queries.access import shown as shown_to_all
from node.queries.seats import names_in
from node.queries.values import plain
from node.texts import Texts
from state.block import Block, Header, header_hash
from state.codec import Wire
from state.crypto import H
from state.errors import NotHeld, Refusal, StoreMismatch, Unknown
from state.history import height_of, transaction_position
from state.kept import KeptHeader, base_of, kept_header, not_held
from state.keyspace import PARAMETERS_KEY, Space, block_key, events_key, finalization_key, space_end
from state.records import Parameters, Validator
from state.store import Meta, Store
from state.transaction import TAG, Transaction, decode_transaction

SIGNED_LOOKBACK = 64  # blocks in which the last signature of a validator is looked for

T = TypeVar("T", bound=Wire)

_block_decoder = msgspec.msgpack.Decoder(Block)
_quorum_decoder = msgspec.msgpack.Decoder(Quorum)
_events_decoder = msgspec.msgpack.Decoder(tuple[EventRecord, ...])
_parts_decoder = msgspec.msgpack.Decoder(tuple[msgspec.Raw, msgspec.Raw])


def meta_of(store: Store) -> Meta:
    meta = store.meta()
    if meta is None:
        raise StoreMismatch(why="it holds no chain yet")
    return meta


def tip_height(store: Store) -> int:
    return meta_of(store).height


def parameters_of(store: Store) -> Parameters:
    found = store.get(PARAMETERS_KEY)
    assert isinstance(found, Parameters), "genesis writes the parameters"
    return found


def validators_of(store: Store) -> list[Validator]:
    low = bytes((Space.VALIDATOR,))
    return [entry for _, entry in store.scan(low, space_end(low)) if isinstance(entry, Validator)]


def time_of_tip(store: Store) -> int:
    """Seconds of the newest block: the ledger's clock."""
    return block_at(store, tip_height(store)).header.timestamp_ms // 1000 if tip_height(store) else 0


def block_at(store: Store, height: int) -> Block:
    """The final block of a height; Unknown above the tip, NotHeld where this node does not keep its body."""
    data = store.get_raw(block_key(height))
    if data is None:
        raise _absent(store, height, base_of(store).bodies_from)
    return _block_decoder.decode(data)


def header_at(store: Store, height: int) -> Header:
    """The header of a final block; Unknown and NotHeld as for blocks, but headers outlast their bodies."""
    return _kept(store, height).header


def _kept(store: Store, height: int) -> KeptHeader:
    found = kept_header(store, height)
    if found is None:
        raise _absent(store, height, base_of(store).history_from)
    return found


def _absent(store: Store, height: int, held_from: int) -> Refusal:
    if 0 <= height <= tip_height(store):
        return NotHeld(what="block", id=height, held_from=held_from)
    return Unknown(what="final block at height", id=height)


def finalization_of(store: Store, height: int) -> Finalization | None:
    """The Finalization kept with a block: its own, or none where only a later block's covers it."""
    data = store.get_raw(finalization_key(height))
    return None if data is None or not data else _quorum_decoder.decode(data)


def events_of(store: Store, height: int) -> tuple[EventRecord, ...]:
    """What happened in a block; NotHeld before the snapshot that this node began from."""
    data = store.get_raw(events_key(height))
    if data is None:
        if height < base_of(store).history_from:
            raise NotHeld(what="the events of block", id=height, held_from=base_of(store).history_from)
        return ()
    return _events_decoder.decode(data)


def transaction_ids(block: Block) -> list[bytes]:
    """Ids of a stored block's transactions, read off their bodies without decoding them."""
    return [H(TAG, bytes(_parts_decoder.decode(raw)[0])) for raw in block.transactions]


def find_transaction(store: Store, txid: bytes) -> tuple[Block, int, Transaction]:
    """The block, the position in it and the decoded transaction; Unknown unless it is final, NotHeld where this node
    does not keep its block or cannot tell."""
    position = transaction_position(store, txid)
    if position is None:
        raise not_held(store, "transaction", txid.hex()) or Unknown(what="final transaction", id=txid.hex())
    height, index = position
    block = block_at(store, height)
    return block, index, decode_transaction(block.transactions[index])


# --- JSON


def header_dict(header: Header, finalization: Finalization | None) -> dict[str, Any]:
    """`view` and `signers` are of the block's own Finalization; null and empty where a later block's covers it."""
    block_hash = header_hash(header)
    own = finalization if finalization is not None and finalization.block_hash == block_hash else None
    return {
        **plain(header),
        "hash": block_hash.hex(),
        "view": own.view if own is not None else None,
        "signers": list(own.signers) if own is not None else [],
    }


def block_dict(store: Store, height: int) -> dict[str, Any]:
    block = block_at(store, height)
    return {
        **header_dict(block.header, finalization_of(store, height)),
        "transactions": [txid.hex() for txid in transaction_ids(block)],
        "bytes": sum(map(len, block.transactions)),
    }


def block_height(store: Store, block: int | bytes) -> int:
    """Height of a block named by height or hash; Unknown for a hash that is not final here, NotHeld where this node
    cannot tell."""
    if isinstance(block, int):
        return block
    height = height_of(store, block)
    if height is None:
        raise not_held(store, "block", block.hex()) or Unknown(what="final block", id=block.hex())
    return height


def heights(store: Store, first: int | None, count: int) -> range:
    """`count` final heights upward from `first`, or the newest ones that this node keeps whole."""
    tip = tip_height(store)
    low = max(base_of(store).bodies_from, tip - count + 1) if first is None else first
    return range(low, min(tip + 1, low + count))


def transaction_dict(store: Store, txid: bytes, t: Texts) -> dict[str, Any]:
    """A final transaction: what it does in words of the language and in fields, and what happened."""
    block, index, transaction = find_transaction(store, txid)
    happened = [event for event in events_of(store, block.header.height) if event.txid == txid]
    body = transaction.body
    return {
        "txid": txid.hex(),
        "status": "final",
        "height": block.header.height,
        "index": index,
        "time_ms": block.header.timestamp_ms,
        "signers": [key.hex() for key in body.signers],
        "actions": [t.said(describe(action)) for action in body.actions],
        "content": [plain(action) for action in body.actions],
        "events": [event_dict(event) for event in happened],
    }


def block_message(store: Store, height: int) -> dict[str, Any] | None:
    """What the feed says of a final block; None above the tip."""
    if height > tip_height(store):
        return None
    kept = _kept(store, height)
    shown = header_dict(kept.header, finalization_of(store, height))
    message = {
        "kind": "block",
        "height": height,
        "hash": shown["hash"],
        "time_ms": kept.header.timestamp_ms,
        "proposer": kept.header.proposer,
        "epoch": kept.header.epoch,
        "validators": names_in(store, kept.header.epoch),
        "view": shown["view"],
        "signers": shown["signers"],
        "state_root": kept.header.state_root.hex(),
        "transactions": kept.transactions,
        "events": [event_dict(event) for event in events_of(store, height)],
    }
    public: dict[str, Any] = shown_to_all(message)  # a stream has no reader of its own
    return public


def last_signed(store: Store, validators: int) -> list[int]:
    """For each validator the last height whose own Finalization it signed, 0 where that lies too far back.

    Within the epoch of the tip only: before it the same index may have been another validator's.
    """
    found = [0] * validators
    tip = tip_height(store)
    epoch = header_at(store, tip).epoch
    for height in range(tip, max(0, tip - SIGNED_LOOKBACK), -1):
        finalization = finalization_of(store, height)
        if finalization is not None and finalization.epoch != epoch:
            break
        for signer in finalization.signers if finalization is not None else ():
            if signer < validators and not found[signer]:
                found[signer] = height
        if all(found):
            break
    return found
