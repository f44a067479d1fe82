"""`wattest device appeal|answer|appeals`: objections to verdicts, and what the authority says to them."""

from hashlib import sha256
from pathlib import Path

import click

from cli import show
from cli.devices import device as device
from cli.options import sending
from cli.people import acting
from cli.sending import perform
from cli.session import Session, with_session

MAX_EVIDENCE_BYTES = 256 * 1024 * 1024

DAY = click.option("--day", metavar="YYYY-MM-DD", required=True, help="The UTC day of the verdict.")
STEP = click.option("--step", default=0, show_default=True, help="Release step of the verdict; 3 is a correction.")
REVISION = click.option("--revision", default=0, show_default=True, help="Revision of the verdict.")
EVIDENCE = click.option("--evidence", metavar="FILE", help="Its SHA-256 goes on the ledger, the file stays with you.")


@device.command()
@click.argument("number", type=int)
@DAY
@click.option("--reason", required=True, help="Why the verdict is wrong; goes on record.")
@EVIDENCE
@STEP
@REVISION
@sending
@with_session
def appeal(
    session: Session,
    number: int,
    day: str,
    reason: str,
    evidence: str | None,
    step: int,
    revision: int,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Object to a held or refused day of an own plant. The authority answers within the network's term."""
    from state.transaction import FileAppeal

    me = acting(session, key_name)
    action = FileAppeal(me.id, number, day_of(day), step, revision, reason, digest_of(evidence))
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s, ask=False)


@device.command()
@click.argument("number", type=int)
@DAY
@click.option("--uphold/--dismiss", "upheld", required=True, default=None, help="Whether the objection is right.")
@click.option("--answer", "text", required=True, help="The reason of the answer; goes on record.")
@EVIDENCE
@STEP
@REVISION
@sending
@with_session
def answer(
    session: Session,
    number: int,
    day: str,
    upheld: bool,
    text: str,
    evidence: str | None,
    step: int,
    revision: int,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Answer an objection, as an accredited authority. An upheld one is made good by `wattest proposal correct`."""
    from state.transaction import AnswerAppeal

    me = acting(session, key_name)
    action = AnswerAppeal(me.id, number, day_of(day), step, revision, upheld, text, digest_of(evidence))
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s, ask=False)


@device.command()
@click.argument("number", type=int, required=False)
@click.option("--status", type=click.Choice(["open", "upheld", "dismissed"]), help="Only these.")
@with_session
def appeals(session: Session, number: int | None, status: str | None) -> None:
    """Objections to verdicts: of one plant, or of all."""
    if number is None:
        found = list(session.client.pages("/v1/appeals", "appeals", status=status))
    else:
        every = session.client.pages(f"/v1/devices/{number}/appeals", "appeals")
        found = [item for item in every if status in (None, item["status"])]
    rows = [
        (
            item["device"],
            item["date"],
            "overdue" if item["overdue"] else item["status"] + (" (late)" if item["late"] else ""),
            item["reason"],
            item["answer"] or f"until {show.moment(item['answer_until'])}",
        )
        for item in found
    ]
    text = show.table(("device", "day", "status", "objection", "answer"), rows, "no objections")
    session.answer("appeals/1", {"appeals": found}, text)


def day_of(text: str) -> int:
    from contracts.calendar import day_of_date

    try:
        return day_of_date(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is no day; write YYYY-MM-DD.") from None


def digest_of(path: str | None) -> bytes:
    """SHA-256 of the evidence, empty where none is named."""
    if path is None:
        return b""
    try:
        size = Path(path).stat().st_size
        if size > MAX_EVIDENCE_BYTES:
            raise click.UsageError(f"{path} has {size} bytes; pack the evidence into at most {MAX_EVIDENCE_BYTES}.")
        with Path(path).open("rb") as file:
            digest = sha256()
            while part := file.read(1 << 20):
                digest.update(part)
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None
    return digest.digest()
