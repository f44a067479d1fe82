"""A deed: actions with the words that a person reads before signing, and the way from there to the ledger."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tui.texts import sentence, t

if TYPE_CHECKING:
    from node.client import NodeClient
    from node.keystore import PrivateKey
    from state.transaction import Action
    from tui.account import Account

FINAL_S = 60.0


@dataclass(frozen=True)
class Deed:
    """`notes` help to judge the words: a name behind a number, what cannot be undone. `signer` is who signs where that
    is not the account, such as an organisation by its governance key. `carry` is the way of what is no transaction:
    it returns lines that say what became of it."""

    title: str
    actions: "tuple[Action, ...]"
    notes: tuple[str, ...] = ()
    signer: "Account | None" = None
    carry: "Callable[[NodeClient, PrivateKey, Callable[[str], None]], list[str]] | None" = None

    def words(self) -> list[str]:
        from contracts.transition import describe

        return [*(sentence(describe(action)) for action in self.actions), *self.notes]


class Mistake(Exception):
    """What was typed cannot be meant; the text is a sentence for whoever typed it."""


def carry_out(client: "NodeClient", key: "PrivateKey", deed: Deed, say: Callable[[str], None]) -> dict[str, Any]:
    """Sign, hand in, wait until it is final; the final record, or `lines` of what is none. RefusedByNode,
    NodeUnreachable, TimedOut."""
    if deed.carry is not None:
        return {"lines": deed.carry(client, key, say)}
    from node.wallet import build_body, raw_and_id, sign_transaction

    status = client.status()
    chain, tip = bytes.fromhex(status["chain_id"]), int(status["height"])
    raw, txid = raw_and_id(sign_transaction(build_body(chain, [key.public], deed.actions, tip), [key]))
    say(t("signed: {txid}…", txid=txid[:16]))
    client.submit(raw)
    say(t("handed in; waiting until a block with it is final …"))
    final = client.wait_final(txid, FINAL_S)
    return {"txid": txid, **final}
