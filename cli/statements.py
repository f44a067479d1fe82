"""`wattest statement`: the proof that somebody used green power, with and without a network."""

import re
from pathlib import Path

import click

from cli import show
from cli.options import Group
from cli.people import find_participant
from cli.session import Session, with_session

STATEMENT_ID = re.compile(r"[0-9a-f]{32}")


@click.group(cls=Group)
def statement() -> None:
    """Retirement statements."""


@statement.command("list")
@click.option("--holder", metavar="WHO", help="Of this participant: number, name or key name.")
@with_session
def list_(session: Session, holder: str | None) -> None:
    """Statements of a holder, or all."""
    number = find_participant(session, holder) if holder else None
    found = list(session.client.pages("/v1/statements", "statements", holder=number))
    rows = [(one["id"], one["holder_name"], one["quantity"], show.moment(one["retired_at"])) for one in found]
    text = show.table(("statement", "holder", "certificates", "retired"), rows, "no statements")
    session.answer("statements/1", {"statements": found}, text)


@statement.command("show")
@click.argument("identity", metavar="ID")
@with_session
def show_(session: Session, identity: str) -> None:
    """One statement in words."""
    found = session.client.get(f"/v1/statements/{_identity(identity)}")
    facts = found["facts"]
    beneficiary = facts["beneficiary"]
    head = show.fields(
        [
            ("statement", found["id"]),
            ("status", found["status"]),
            ("holder", f"{found['holder_name']} ({found['holder']})"),
            ("beneficiary", ", ".join(filter(None, (beneficiary[k] for k in ("name", "id", "location", "country"))))),
            ("purpose", facts["purpose"].replace("_", " ")),
            ("note", facts["note"]),
            ("consumed", f"{show.moment(facts['consumption_from'])} to {show.moment(facts['consumption_to'])}"),
            ("jurisdiction", facts["jurisdiction"]),
            ("energy", show.energy(facts["total_wh"])),
            ("retired", f"{show.moment(found['retired_at'])}, block {found['height']}"),
            ("transaction", found["txid"]),
            ("page", f"{session.client.url}/statement/{found['id']}?c={facts['chain'][:8]}"),
        ]
    )
    rows = [
        (one["number"], one["quantity"], one["facts"]["name"], f"{show.moment(one['production_from'])} on")
        for one in facts["bundles"]
    ]
    body = show.table(("certificates", "quantity", "plant", "produced"), rows)
    session.answer("statement/1", {k: v for k, v in found.items() if k != "schema"}, f"{head}\n\n{body}")


@statement.command()
@click.argument("identity", metavar="ID")
@click.option("--out", metavar="FILE", default="statement.proof", show_default=True)
@with_session
def export(session: Session, identity: str, out: str) -> None:
    """Write the proof file of a statement: it verifies on a machine without a network, for ever."""
    data = session.client.get_bytes(f"/v1/statements/{_identity(identity)}/proof")
    Path(out).write_bytes(data)
    text = f"{len(data)} bytes written to {out}; check it with: wattest statement verify {out}"
    session.answer("proof/1", {"file": out, "bytes": len(data)}, text)


@statement.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--genesis", metavar="FILE", help="The genesis that you trust; else the one inside the file is taken.")
@with_session
def verify(session: Session, file: Path, genesis: str | None) -> None:
    """Check a proof file without any node: hashes, validators' votes, inclusion, every fact. Exit code 6 if wrong."""
    from cli.verify_statement import NotProven, in_words, verify_proof
    from node.failures import VerificationFailed

    trusted = _trusted_genesis(session, genesis)
    try:
        proven = verify_proof(file.read_bytes(), trusted)
    except NotProven as error:
        raise VerificationFailed(why=str(error)) from None
    if trusted is None:
        session.say("No genesis was given: compare the chain id below with the one that you trust.")
    session.answer("statement_verified/1", {"verified": True, **proven}, in_words(proven))


def _trusted_genesis(session: Session, name: str | None) -> bytes | None:
    """--genesis, or the genesis of the home."""
    path = Path(name) if name else session.home / "genesis.json"
    if name is None and not path.is_file():
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None


def _identity(text: str) -> str:
    if not STATEMENT_ID.fullmatch(text.lower()):
        raise click.UsageError(f"{text!r} is no statement: 32 hexadecimal digits, as `wattest retire` answers.")
    return text.lower()
