"""`wattest validator`: who validates, who will, and the proposals that change it.

A change that a quorum approved waits for the end of an epoch. Joining and rotating are proposed by the organisation
itself, with its governance key, from the home of its node.
"""

from typing import TYPE_CHECKING, Any

import click

from cli import show
from cli.options import Group, sending
from cli.people import acting, find_participant
from cli.proposals import GOVERNANCE_KEY, propose_content, vote
from cli.session import Session, with_session
from cli.values import KEY

if TYPE_CHECKING:
    from node.keystore import PrivateKey


@click.group(cls=Group)
def validator() -> None:
    """The validators: list, propose, approve, remove, rotate-key. Changes take effect at the end of an epoch."""


@validator.command("list")
@with_session
def list_(session: Session) -> None:
    """The validators in office, and the changes that wait for the end of an epoch."""
    answer = session.client.get("/v1/validators")
    head = ("index", "validator", "organisation", "address", "vote key")
    rows = [
        (item["index"], item["name"], item["participant"], item["address"], item["vote_key"][:16] + "…")
        for item in answer["validators"]
    ]
    text = show.table(head, rows)
    if answer["last_height"] is None:
        text += "\none epoch for ever (epoch_length 0): these validators never change"
    else:
        text += f"\nepoch {answer['epoch']} ends with block {answer['last_height']:,}"
    for change in answer["waiting"]:
        text += f"\n  waits: {_waits(change)}"
    session.answer("validators/1", {name: answer[name] for name in answer if name != "schema"}, text)


@validator.command()
@click.option("--name", required=True, help="Name of the validator.")
@click.option("--address", required=True, metavar="HOST:PORT", help="Where other validators reach its node.")
@click.option("--vote-key", type=KEY, metavar="HEX", help="Public key; that of key `vote` of this home, if not given.")
@click.option("--node-key", type=KEY, metavar="HEX", help="Public key; that of key `node` of this home, if not given.")
@click.option("--escrow-key", type=KEY, metavar="HEX", help="Public key; that of key `escrow`, if not given.")
@sending
@with_session
def propose(
    session: Session,
    name: str,
    address: str,
    vote_key: bytes | None,
    node_key: bytes | None,
    escrow_key: bytes | None,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Propose the own organisation as a validator. Register its governance key as a participant first.

    Before it is in office run `wattest node begin-votes` in the home of its node, once, and let the node follow.
    """
    from state.transaction import ValidatorContent

    me = acting(session, key_name or GOVERNANCE_KEY)
    content = ValidatorContent(
        participant=me.id,
        name=name,
        vote_key=vote_key or _public(session, "vote"),
        node_key=node_key or _public(session, "node"),
        escrow_key=escrow_key or _public(session, "escrow"),
        address=address,
    )
    propose_content(session, me, content, no_wait, timeout_s)


@validator.command()
@click.argument("numbers", nargs=-1, required=True, type=int, metavar="NUMBER…")
@click.option("--reason", default="", help="Goes on record with the vote.")
@sending
@with_session
def approve(
    session: Session, numbers: tuple[int, ...], reason: str, key_name: str | None, no_wait: bool, timeout_s: int
) -> None:
    """Approve proposals with the organisation's governance key; the same as `wattest proposal approve`."""
    vote(session, numbers, True, reason, key_name, no_wait, timeout_s)


@validator.command()
@click.argument("who")
@sending
@with_session
def remove(session: Session, who: str, key_name: str | None, no_wait: bool, timeout_s: int) -> None:
    """Propose that the validator of organisation WHO leaves: number or name of the participant behind it."""
    from state.transaction import RemoveValidatorContent

    me = acting(session, key_name or GOVERNANCE_KEY)
    content = RemoveValidatorContent(find_participant(session, who))
    propose_content(session, me, content, no_wait, timeout_s)


@validator.command("rotate-key")
@click.option("--keyring", type=click.Choice(["file", "test"]), help="test = no passphrase, test networks only.")
@sending
@with_session
def rotate_key(session: Session, keyring: str | None, key_name: str | None, no_wait: bool, timeout_s: int) -> None:
    """Make a new vote key in the home of the node, and propose to vote with it from the next epoch on.

    The key is stored as `vote-next` beside `vote`, under the same passphrase; run again, it proposes the same key
    again. The node takes it up by itself: it votes with the old key until the epoch ends in which the change is made,
    and with the new one after.
    """
    from node.config import load_config
    from node.keystore import generate_key
    from node.voting import NEXT_VOTE_KEY, begin_next_votes
    from state.transaction import RotateVoteKeyContent

    me = acting(session, key_name or GOVERNANCE_KEY)
    if not (session.keys / f"{NEXT_VOTE_KEY}.json").exists():
        chain = session.named_chain()
        _store(session, NEXT_VOTE_KEY, generate_key("vote", chain.hex() if chain else ""), keyring)
        begin_next_votes(load_config(session.home))
        session.say(
            f"The new key {NEXT_VOTE_KEY} lies in {session.keys}. The running node takes it up by itself, if its "
            "passphrase is that of the old one."
        )
    public = session.key_file(NEXT_VOTE_KEY).pubkey
    if any(item["vote_key"] == public for item in session.client.get("/v1/validators")["validators"]):
        raise click.UsageError(
            f"{NEXT_VOTE_KEY} is in office already. Put vote.json away, rename {NEXT_VOTE_KEY}.json to vote.json in "
            f"{session.keys}, restart the node, and run this again for another key."
        )
    propose_content(session, me, RotateVoteKeyContent(me.id, bytes.fromhex(public)), no_wait, timeout_s)


@validator.command("rotate-escrow-key")
@click.option("--keyring", type=click.Choice(["file", "test"]), help="test = no passphrase, test networks only.")
@sending
@with_session
def rotate_escrow_key(
    session: Session, keyring: str | None, key_name: str | None, no_wait: bool, timeout_s: int
) -> None:
    """Make a new escrow key in the home of the node, and propose that orders are sealed to it from the next epoch on.

    It is stored as `escrow-2`, `escrow-3` …, under the same passphrase; run again before it is in office, it proposes
    the same key again. The node takes it up by itself. Keep the old file until every auction is settled in which orders
    were sealed to it: the node opens these with it.
    """
    from node.keystore import generate_key
    from state.transaction import RotateEscrowKeyContent

    me = acting(session, key_name or GOVERNANCE_KEY)
    held = _escrow_keys(session)
    if not held:
        raise click.UsageError(f"{session.home} is no validator's home: it has no escrow key.")
    in_office = {item["escrow_key"] for item in session.client.get("/v1/validators")["validators"]}
    name, public = held[-1]
    if public in in_office:
        name = f"escrow-{len(held) + 1}"
        chain = session.named_chain()
        key = generate_key("escrow", chain.hex() if chain else "")
        _store(session, name, key, keyring)
        public = key.public.hex()
    session.say(f"The new key {name} lies in {session.keys}; keep those before it.")
    propose_content(session, me, RotateEscrowKeyContent(me.id, bytes.fromhex(public)), no_wait, timeout_s)


def _escrow_keys(session: Session) -> list[tuple[str, str]]:
    """(name, public key), oldest first."""
    from node.keystore import list_keys

    found = [(name, content) for name, content in list_keys(session.keys) if content.purpose == "escrow"]
    return [(name, content.pubkey) for name, content in sorted(found, key=lambda each: (len(each[0]), each[0]))]


def _store(session: Session, name: str, key: "PrivateKey", keyring: str | None) -> None:
    from node.keystore import save_key

    ring = keyring or str(session.settings["keyring"].value)
    passphrase = session.passphrase(f"Passphrase for {name}", twice=True) if ring == "file" else None
    save_key(session.keys, name, key, passphrase, ring)


def _public(session: Session, name: str) -> bytes:
    return bytes.fromhex(session.key_file(name).pubkey)


def _waits(change: dict[str, Any]) -> str:
    who = f"the validator of organisation {change['participant']}"
    match change["kind"]:
        case "join":
            return f"{change['joins']['name']} (organisation {change['participant']}) joins"
        case "leave":
            return f"{who} leaves" + (", because it voted twice" if change["evidence"] else "")
        case _ if change.get("escrow_key"):
            return f"{who} opens sealed orders with key {change['escrow_key'][:16]}…"
        case _:
            return f"{who} votes with key {change['vote_key'][:16]}…"
