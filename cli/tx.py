"""`wattest tx`: a transaction by steps, for several signers or a machine without a network.

wattest tx build transfer … | wattest tx sign --from seller - | wattest tx sign --from buyer - | wattest tx send -
"""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import show
from cli.options import Group, LazyGroup, sending, signing, unlocking
from cli.people import acting
from cli.sending import hand_in, in_words, write_file
from cli.session import BUILDING, OUT, Session, with_session

if TYPE_CHECKING:
    from node.wallet import TransactionFile

MAX_FILE_BYTES = 2 * 1024 * 1024
TXID = re.compile(r"[0-9a-f]{64}")

BUILDABLE = {
    "Actions": {
        "transfer": ("cli.certificates:transfer", "Hand certificates to another participant."),
        "retire": ("cli.certificates:retire", "End certificates with a claim, for ever."),
        "offer": ("cli.orders:offer", "Put certificates up for sale in an auction."),
        "bid": ("cli.orders:bid", "Bid for certificates in an auction."),
        "replace": ("cli.orders:replace", "Change an own order in one transaction."),
        "cancel": ("cli.orders:cancel", "Take an own order or a posted lot back."),
        "deals": ("cli.deals:deals", "Posted lots and standing bids."),
        "buy": ("cli.deals:buy", "Buy a posted lot, whole or in part."),
        "deposit": ("cli.money:deposit", "Credit money that came in at the bank."),
        "payout": ("cli.money:payout", "Pay money out to the bank."),
        "pay": ("cli.money:pay", "Pay what is owed for certificates bought on margin."),
        "pledge": ("cli.pledges:pledge", "Lock money as security of an own plant."),
        "withdraw": ("cli.debts:withdraw", "Hand in certificates for what an own plant owes."),
        "buy-back": ("cli.debts:buy_back", "Buy certificates for what an own plant owes."),
        "register": ("cli.participants:register", "Register a key as a participant."),
    }
}


@click.group(cls=Group)
def tx() -> None:
    """Transactions by steps: build, sign, send, show. FILE may be - for stdin and stdout."""


@click.group(cls=LazyGroup, sections=BUILDABLE)
@click.option("--out", metavar="FILE", help="Write the transaction file here instead of to stdout.")
@click.pass_context
def build(context: click.Context, out: str | None) -> None:
    """Write an unsigned transaction instead of sending it. Takes the options of the action itself."""
    context.meta[BUILDING] = True
    context.meta[OUT] = out


tx.add_command(build)


@tx.command()
@click.argument("file", default="-")
@click.option("--offline", is_flag=True, help="Ask no node; the network must then be named (--chain-id or the home).")
@click.option("--out", metavar="FILE", help="Write the signed file here instead of to stdout; may be FILE itself.")
@signing
@with_session
def sign(session: Session, file: str, offline: bool, out: str | None, key_name: str | None) -> None:
    """Add the signature of --from to a transaction file, after showing it in words."""
    from node.wallet import add_signature, body_of

    content = _read(file)
    chain = session.named_chain()
    if chain is None:
        if offline:
            raise click.UsageError("Offline, name the network with --chain-id: a signature must say where it holds.")
        chain, _ = session.network()
    name = session.key_name(key_name)
    session.confirm([f"{name} signs, for network {chain.hex()[:8]}…:", *_lines(content)])
    assert body_of(content)
    write_file(session, add_signature(content, session.unlock(name), chain), out)


@tx.command()
@click.argument("file", default="-")
@sending
@with_session
def send(session: Session, file: str, key_name: str | None, no_wait: bool, timeout_s: int) -> None:
    """Hand in a transaction file that all its signers have signed, and wait until it is final."""
    from node.wallet import body_of, complete, raw_and_id
    from state.errors import WrongChain

    content = _read(file)
    transaction = complete(content)
    chain, _ = session.network()
    if body_of(content).chain != chain:
        raise WrongChain(chain=content.chain)
    session.confirm(["Send:", *_lines(content)])
    raw, txid = raw_and_id(transaction)
    hand_in(session, raw, txid, in_words(transaction.body.actions), no_wait=no_wait, timeout_s=timeout_s)


@tx.command("show")
@click.argument("what", metavar="FILE|TXID")
@click.option("--as", "reader", metavar="KEY", help="Read as the participant of this key: see what is your own.")
@unlocking
@with_session
def show_(session: Session, what: str, reader: str | None) -> None:
    """A transaction file in words, or what became of a transaction on the ledger."""
    from node.wallet import body_of, missing_signers
    from state.transaction import transaction_id

    if TXID.fullmatch(what):
        if reader is not None:
            session.read_as(reader, acting(session, reader).id)
        _show_sent(session, what)
        return
    content = _read(what)
    body = body_of(content)
    missing = [public.hex() for public in missing_signers(content)]
    value = {
        "txid": transaction_id(body).hex(),
        "chain_id": content.chain,
        "actions": in_words(body.actions),
        "signers": [public.hex() for public in body.signers],
        "missing": missing,
        "expiry_height": body.expiry_height,
    }
    session.answer("transaction_words/1", value, "\n".join([f"transaction {value['txid']}", *_lines(content)]))


def _show_sent(session: Session, txid: str) -> None:
    from node.failures import RefusedByNode

    found = session.client.transaction(txid)
    if found["status"] == "unknown":
        why = "it was never handed in there, has expired unused, or is older than what that node keeps"
        raise RefusedByNode(
            "unknown", f"The node at {session.node_url} knows no transaction {txid}: {why}.", {}, None, 0
        )
    time_ms = found.get("time_ms")
    text = show.fields(
        [
            ("transaction", txid),
            ("status", found["status"]),
            ("block", found.get("height")),
            ("ledger time", show.moment(time_ms // 1000) if time_ms else None),
            ("refused because", found.get("message")),
            *(("action", line) for line in found.get("actions", [])),
        ]
    )
    session.answer("transaction/1", {k: v for k, v in found.items() if k != "schema"}, text)


def _lines(content: "TransactionFile") -> list[str]:
    from node.wallet import body_of, missing_signers

    body = body_of(content)
    missing = missing_signers(content)
    signed = len(body.signers) - len(missing)
    return [
        *(f"  {line}" for line in in_words(body.actions)),
        f"  network {content.chain[:8]}…, valid until height {body.expiry_height}",
        f"  signed by {signed} of {len(body.signers)}",
        *(f"  missing {public.hex()}" for public in missing),
    ]


def _read(file: str) -> "TransactionFile":
    from node.wallet import parse_file

    if file == "-":
        return parse_file(sys.stdin.buffer.read(MAX_FILE_BYTES + 1))
    try:
        return parse_file(Path(file).read_bytes()[: MAX_FILE_BYTES + 1])
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from None
