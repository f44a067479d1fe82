"""From actions to the ledger: said in words, asked, signed, handed in, final; or written out for other signers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.people import Acting
from cli.session import Session
from state.spoken import counted

if TYPE_CHECKING:
    from node.wallet import TransactionFile
    from state.transaction import Action


def perform(
    session: Session,
    actions: "Sequence[Action]",
    signers: Sequence[Acting],
    *,
    no_wait: bool,
    timeout_s: int,
    ask: bool = True,
    notes: Sequence[str] = (),
) -> None:
    """Carry out what the actions say as one transaction; its one answer is `sent/1`, or a file under `tx build`.

    `notes` are lines that help a person to judge the words, such as the name behind a number.
    """
    from node.wallet import build_body, draft, raw_and_id, sign_transaction

    chain, tip = session.network()
    if not session.building:
        _reveal_kept(session)
    body = build_body(chain, [signer.public for signer in signers], actions, tip)
    words = in_words(body.actions)
    if session.building:
        for line in [*words, *notes]:
            session.say(line)
        write_file(session, draft(body), None)
        return
    absent = [signer for signer in signers if signer.key_name is None]
    if absent:
        names = ", ".join(f"{signer.name} ({signer.id})" for signer in absent)
        raise click.UsageError(f"{names} must sign too and the key is not in this home: use `wattest tx build`.")
    heading = f"On network {chain.hex()[:8]}…, signed by {', '.join(str(signer.key_name) for signer in signers)}:"
    lines = [heading, *(f"  {line}" for line in [*words, *notes])]
    if ask:
        session.confirm(lines)
    else:
        for line in lines:
            session.say(line)
    transaction = sign_transaction(body, [session.unlock(str(signer.key_name)) for signer in signers])
    raw, txid = raw_and_id(transaction)
    hand_in(session, raw, txid, words, no_wait=no_wait, timeout_s=timeout_s)


def _reveal_kept(session: Session) -> None:
    """Sealed orders of this home that only it can open, where that is due: whatever command comes by does it."""
    from node.failures import RefusedByNode
    from node.revealing import reveal_kept

    try:
        for auction, order in reveal_kept(session.home, session.client):
            session.say(f"on the way: the opening of your sealed order {order} of auction {auction}")
    except RefusedByNode as refused:
        session.say(f"a sealed order of this home could not be opened: {refused}")


def hand_in(
    session: Session, raw: bytes, txid: str, words: list[str], *, no_wait: bool, timeout_s: int
) -> dict[str, Any] | None:
    """Submit and answer; the final record, or None when it was not waited for."""
    session.client.submit(raw)
    if no_wait:
        session.answer("sent/1", {"txid": txid, "status": "waiting", "actions": words}, f"handed in: {txid}")
        return None
    final = session.client.wait_final(txid, timeout_s)
    value = {
        "txid": txid,
        "status": "final",
        "height": final["height"],
        "actions": final.get("actions") or words,
        "events": final.get("events", []),
    }
    made = [line for line in map(_made, final.get("events", [])) if line]
    session.answer("sent/1", value, "\n".join([*made, f"final in block {final['height']}: {txid}"]))
    return final


def in_words(actions: "Sequence[Action]") -> list[str]:
    from contracts.transition import describe

    return [str(describe(action)) for action in actions]


def write_file(session: Session, content: "TransactionFile", out: str | None) -> None:
    """A transaction file to --out, else to stdout, which is then the whole answer."""
    from node.wallet import format_file

    target = out or session.out
    if target is None:
        click.echo(format_file(content))
        return
    Path(target).write_text(format_file(content) + "\n", "utf-8")
    session.answer("file_written/1", {"file": target}, f"written to {target}")


def _made(event: dict[str, Any]) -> str:
    """What a person wants to know of an event of the own transaction: the numbers that the ledger gave."""
    from state.spoken import format_money

    match event.get("kind"):
        case "registered":
            return f"participant {event['participant']} is {event['name']}"
        case "proposed":
            return f"proposal {event['proposal']} ({event['content']}) is open"
        case "enacted":
            return f"proposal {event['proposal']} is enacted: {event['content']} {event['created']}"
        case "auction_opened":
            return f"auction {event['auction']} is open"
        case "offered" | "bid_placed":
            return f"order {event['outpoint']} in auction {event['auction']}"
        case "order_sealed":
            return f"sealed order {event['order']} in auction {event['auction']}: {event['outpoint']}"
        case "replaced":
            return f"order {event['outpoint']} in auction {event['auction']}"
        case "paid_in":
            left = int(event["owed"])
            more = f"{format_money(left, event['currency'])} is still owed" if left else "nothing is owed any more"
            return f"{format_money(int(event['amount']), event['currency'])} is paid in, {more}"
        case "listed":
            return f"posted lot {event['outpoint']}"
        case "bought":
            got = int(event["end"]) - int(event["start"]) + 1
            return f"{counted(got, 'certificate')} {'is' if got == 1 else 'are'} yours"
        case "standing_bid_placed":
            return f"standing bid {event['standing']} of scheme {event['scheme']}"
        case "retired":
            return f"statement {event['statement']}"
    return ""
