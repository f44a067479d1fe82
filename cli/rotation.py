"""`wattest keys rotate|recover|set-recovery|veto|history`: a participant, meter or gateway gets another key.

What it holds stays where it is: the ledger names holders by number. The new key file is made first and stored, so that
a command that is interrupted never leaves an account with a key that nobody has.
"""

from typing import TYPE_CHECKING, Any

import click

from cli import show
from cli.keys import keys, new_key
from cli.options import sending
from cli.people import Acting, acting, find_participant
from cli.sending import perform
from cli.session import Session, with_session
from cli.values import KEY

if TYPE_CHECKING:
    from state.transaction import Action


@keys.command()
@click.argument("name")
@click.option("--new", "new_name", required=True, metavar="NAME", help="Name of the new key; made if there is none.")
@click.option("--device", type=int, metavar="N", help="NAME is the key of this device's meter.")
@click.option("--gateway", type=int, metavar="N", help="NAME is the key of this gateway.")
@sending
@with_session
def rotate(
    session: Session,
    name: str,
    new_name: str,
    device: int | None,
    gateway: int | None,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Let another key take the place of NAME. The old key is refused by every node from the next block on.

    For a meter (--device) or gateway (--gateway) the owner signs too: name its key with --from.
    """
    from state.transaction import RotateCredential, RotateKey

    if device is not None and gateway is not None:
        raise click.UsageError("Name a device or a gateway, not both.")
    if device is None and gateway is None:
        me = acting(session, name)
        new = _signer(session, new_key(session, new_name, session.key_file(name).purpose), me.id, me.name)
        action: Action = RotateKey(me.id, new.public)
        signers = [me, new]
    else:
        me = acting(session, key_name)
        former = _signer(session, name, me.id, name)
        new = _signer(session, new_key(session, new_name, session.key_file(name).purpose), me.id, new_name)
        kind, subject = ("meter", device) if device is not None else ("gateway", gateway)
        assert subject is not None
        action = RotateCredential(kind, subject, former.public, new.public)
        signers = [me, former, new]
    note = f"from then on sign with {new_name}; {name} can never come back"
    perform(session, [action], signers, no_wait=no_wait, timeout_s=timeout_s, notes=[note])


@keys.command()
@click.argument("who")
@click.option("--recovery", required=True, metavar="KEY", help="Name of the recovery key in this home.")
@click.option("--new", "new_name", required=True, metavar="NAME", help="Name of the new key; made if there is none.")
@click.option("--next-recovery", type=KEY, default=b"", metavar="HEX", help="Another recovery key from then on.")
@sending
@with_session
def recover(
    session: Session,
    who: str,
    recovery: str,
    new_name: str,
    next_recovery: bytes,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Give WHO, whose key is lost or stolen, a new one by its recovery key; at once.

    Without a recovery key: `wattest proposal recover`.
    """
    from state.transaction import RecoverKey

    number = find_participant(session, who)
    named = str(session.client.participant(number)["name"])
    safe = _signer(session, recovery, number, named)
    new = _signer(session, new_key(session, new_name, "wallet"), number, named)
    action = RecoverKey(number, safe.public, new.public, next_recovery)
    note = f"participant {number} is {named}; from then on it signs with {new_name}"
    perform(session, [action], [safe, new], no_wait=no_wait, timeout_s=timeout_s, notes=[note])


@keys.command("set-recovery")
@click.option("--recovery-key", type=KEY, default=b"", metavar="HEX", help="Its public key; none, if not given.")
@click.option("--former", metavar="KEY", help="Name of the recovery key named so far; it must sign too.")
@sending
@with_session
def set_recovery(
    session: Session, recovery_key: bytes, former: str | None, key_name: str | None, no_wait: bool, timeout_s: int
) -> None:
    """Name, change or take away the key that may replace a lost one. Keep its private half away from this machine."""
    from state.transaction import NameRecovery

    me = acting(session, key_name)
    signers = [me] if former is None else [me, _signer(session, former, me.id, me.name)]
    perform(session, [NameRecovery(me.id, recovery_key)], signers, no_wait=no_wait, timeout_s=timeout_s)


@keys.command()
@click.argument("who", required=False)
@click.option("--recovery", metavar="KEY", help="Sign with this recovery key: the current key is not in your hands.")
@sending
@with_session
def veto(
    session: Session, who: str | None, recovery: str | None, key_name: str | None, no_wait: bool, timeout_s: int
) -> None:
    """Stop a recovery of your account that a quorum approved and that waits for its day."""
    from state.transaction import VetoRecovery

    if recovery is None:
        me = acting(session, key_name)
        action, signer = VetoRecovery(me.id, b""), me
    else:
        if who is None:
            raise click.UsageError("Name the participant: a recovery key does not say whose it is.")
        signer = _signer(session, recovery, find_participant(session, who), who)
        action = VetoRecovery(signer.id, signer.public)
    perform(session, [action], [signer], no_wait=no_wait, timeout_s=timeout_s)


@keys.command()
@click.argument("who", required=False)
@click.option("--device", type=int, metavar="N", help="Of this device's meter or its gateway, instead.")
@with_session
def history(session: Session, who: str | None, device: int | None) -> None:
    """Every key that a participant (or a device's credential) had, and how each came to be replaced."""
    if device is not None:
        found = session.client.get(f"/v1/devices/{device}")["credential"] or {"key": "", "changes": []}
        current, changes, pending = found["key"], found["changes"], None
    else:
        number = find_participant(session, who) if who else acting(session, None).id
        found = session.client.participant(number)
        current, changes, pending = found["key"], found["key_changes"], found["pending_recovery"]
    rows = [(each["height"], show.moment(each["at"]), each["former"], each["key"], each["reason"]) for each in changes]
    text = show.table(("block", "when", "old key", "new key", "by"), rows, "the key was never changed")
    if pending:
        text += f"\n\na recovery waits: {pending['key']} takes over at {show.moment(pending['due_at'])} unless vetoed"
    value: dict[str, Any] = {"key": current, "changes": changes, "pending_recovery": pending}
    session.answer("key_history/1", value, f"current key  {current}\n\n{text}")


def _signer(session: Session, name: str, participant: int, called: str) -> Acting:
    return Acting(name, bytes.fromhex(session.key_file(name).pubkey), participant, called, "")
