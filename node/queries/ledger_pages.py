"""What the pages of a block and of a transaction tell, with names in place of numbers and keys."""

from typing import Any

from contracts.events import Delivered, Issued, Retired, Transferred
from contracts.transition import decode_signed, describe, kind_name
from node.queries.certificates import issuance_of, name_of, number_of
from node.queries.chain import (
    block_at,
    block_dict,
    events_of,
    find_transaction,
    tip_height,
    transaction_dict,
    transaction_ids,
    validators_of,
)
from node.texts import DEFAULT, texts
from state.keyspace import key_owner_key
from state.numbering import format_number
from state.records import KeyOwner
from state.store import Store

TOLD = 200  # transactions of a block


def block_told(store: Store, height: int) -> dict[str, Any]:
    """`block_dict`, names of proposer and signers, kinds of the first TOLD transactions, whether a block follows."""
    shown = block_dict(store, height)
    names = [validator.name for validator in validators_of(store)]
    block = block_at(store, height)
    told = [
        {"txid": txid.hex(), "kinds": [kind_name(action) for action in decode_signed(raw).body_actions]}
        for txid, raw in zip(transaction_ids(block)[:TOLD], block.transactions, strict=False)
    ]
    return {
        **shown,
        "proposer_name": names[shown["proposer"]] if height and shown["proposer"] < len(names) else "",
        "signer_names": [names[index] for index in shown["signers"] if index < len(names)],
        "followed": height < tip_height(store),
        "told": told,
    }


def transaction_told(store: Store, txid: bytes) -> dict[str, Any]:
    """A final transaction: `transaction_dict` and names, kinds, and the numbers of the certificates that it touched."""
    shown = transaction_dict(store, txid, texts(DEFAULT))
    _, _, transaction = find_transaction(store, txid)
    actions = transaction.body.actions
    return {
        **shown,
        "why": "",
        "signer_names": [_signer(store, key) for key in transaction.body.signers],
        "told": [(kind_name(action), describe(action)) for action in actions],
        "numbers": _numbers(store, shown["height"], txid),
    }


def _signer(store: Store, key: bytes) -> str:
    """The participant whose key it is now; the key where it is nobody's any more."""
    owner = store.get(key_owner_key(key))
    return name_of(store, owner.participant) if isinstance(owner, KeyOwner) else key.hex()[:16] + "…"


def _numbers(store: Store, height: int, txid: bytes) -> list[str]:
    """Certificates that its events name, as ranges, each once."""
    found: dict[str, None] = {}
    for record in events_of(store, height):
        event = record.event
        if record.txid == txid and isinstance(event, Issued | Transferred | Retired | Delivered):
            issuance = issuance_of(store, event.issuance)
            found[format_number(number_of(store, issuance, event.start, event.end))] = None
    return list(found)
