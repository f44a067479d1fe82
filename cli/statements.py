"""`wattest statement`: the proof that somebody used green power, with and without a network."""

import json
import re
from pathlib import Path
from typing import Any

import click

from cli import show
from cli.options import Group, sending
from cli.people import acting, find_participant
from cli.sending import perform
from cli.session import Session, with_session

FORMATS = ("proof", "text", "html", "pdf", "json")
SUFFIXES = {"proof": "proof", "text": "txt", "html": "html", "pdf": "pdf", "json": "json"}
LANGUAGES = ("en", "ru", "zh")
FONT = click.Path(exists=True, dir_okay=False, path_type=Path)
STATEMENT_ID = re.compile(r"[0-9a-f]{32}")

language = click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Of the words.")


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
@language
@with_session
def show_(session: Session, identity: str, lang: str) -> None:
    """One statement in words."""
    found = _statement(session, identity)
    session.answer("statement/1", found, _text(session, found, lang))


@statement.command()
@click.argument("identity", metavar="ID")
@click.option("--format", "form", type=click.Choice(FORMATS), default="proof", show_default=True)
@click.option("--out", metavar="FILE", help="statement.proof, .txt, .html or .json, if not given.")
@click.option(
    "--font",
    "fonts",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="For a PDF: a font file to look into first.",
)
@language
@with_session
def export(session: Session, identity: str, form: str, out: str | None, fonts: tuple[Path, ...], lang: str) -> None:
    """Write a statement to a file: the proof that verifies offline, for ever; or its words as text, page, PDF or JSON.

    A PDF needs the extra `pdf`, and fonts of this machine that have its characters.
    """
    file = Path(out or f"statement.{SUFFIXES[form]}")
    data = _exported(session, identity, form, lang, fonts)
    file.write_bytes(data)
    hint = f"; check it with: wattest statement verify {file}" if form == "proof" else ""
    written = {"file": str(file), "format": form, "bytes": len(data)}
    session.answer("proof/1", written, f"{len(data)} bytes written to {file}{hint}")


def _exported(session: Session, identity: str, form: str, lang: str, fonts: tuple[Path, ...]) -> bytes:
    if form == "proof":
        return session.client.get_bytes(f"/v1/statements/{_identity(identity)}/proof")
    found = _statement(session, identity)
    match form:
        case "json":
            return (json.dumps({"schema": "statement/1", **found}, ensure_ascii=False, indent=1) + "\n").encode()
        case "pdf":
            return _printed(session, found, lang, fonts)
        case "html":
            return _page(session, found, lang).encode()
    return (_text(session, found, lang) + "\n").encode()


def _statement(session: Session, identity: str) -> dict[str, Any]:
    found = session.client.get(f"/v1/statements/{_identity(identity)}")
    _reveal(session, found)
    return {name: value for name, value in found.items() if name != "schema"}


def _reveal(session: Session, found: dict[str, Any]) -> None:
    """An individual's name that this home keeps stands in the holder's own statement, not on the ledger."""
    from node.personal import revealed

    facts = found["facts"]
    facts["beneficiary"]["name"] = revealed(session.home, facts["beneficiary"]["name"])
    facts["holder_name"] = revealed(session.home, facts["holder_name"])
    if found["amendment"]:
        found["amendment"]["beneficiary_name"] = revealed(session.home, found["amendment"]["beneficiary_name"])


def _text(session: Session, found: dict[str, Any], lang: str) -> str:
    from node.pages.statement import statement_text
    from node.texts import texts

    return statement_text(texts(lang), found, _address(session, found), _others(session))


def _others(session: Session) -> tuple[str, ...]:
    """Where the network's nodes show the public pages, by its genesis."""
    genesis = json.loads(session.client.get("/v1/genesis")["genesis"])
    return tuple(url for url in genesis.get("public_urls", ()) if url != _public_url(session))


def _public_url(session: Session) -> str:
    """Where the public reaches the node: what is printed leads there, not to the address that this command talks to."""
    return str(session.client.status().get("public_url") or session.client.url).rstrip("/")


def _page(session: Session, found: dict[str, Any], lang: str) -> str:
    """The page as the node shows it, with its links leading to the node from wherever the file lies."""
    from node.pages.html import Frame
    from node.pages.statement import statement as statement_page
    from node.pages.verifier import verifier_sha256
    from node.texts import texts

    frame = Frame(
        network=session.client.status()["name"],
        chain=found["facts"]["chain"],
        t=texts(lang),
        path=f"/statement/{found['id']}",
        chosen=True,
        base=_public_url(session),
        others=_others(session),
    )
    return statement_page(frame, found, _address(session, found), verifier_sha256())


def _printed(session: Session, found: dict[str, Any], lang: str, fonts: tuple[Path, ...]) -> bytes:
    from node.texts import texts

    try:
        from node.pages.pdf import statement_pdf
    except ImportError:
        raise click.UsageError(
            "A PDF needs fpdf2: install the extra `pdf` (pip install 'wattest[pdf]'), or export --format html."
        ) from None
    return statement_pdf(texts(lang), found, _address(session, found), _others(session), fonts)


def _address(session: Session, found: dict[str, Any]) -> str:
    """The public page, as its QR code has it."""
    return f"{_public_url(session)}/statement/{found['id']}?c={found['facts']['chain'][:8]}"


@statement.command()
@click.argument("identity", metavar="ID")
@click.option("--beneficiary", metavar="NAME", help="Another name; the present one, if not given.")
@click.option("--location", help="Another place of use; the present one, if not given.")
@click.option("--note", help="Another note; the present one, if not given.")
@sending
@with_session
def amend(
    session: Session,
    identity: str,
    beneficiary: str | None,
    location: str | None,
    note: str | None,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Put the words of an own statement right: once, soon after the retirement; both versions stay."""
    from state.transaction import Amend

    me = acting(session, key_name)
    facts = _statement(session, identity)["facts"]
    who = facts["beneficiary"]
    if beneficiary is None and location is None and note is None:
        raise click.UsageError("Say what changes: --beneficiary, --location or --note.")
    action = Amend(
        me.id,
        bytes.fromhex(_identity(identity)),
        who["name"] if beneficiary is None else beneficiary,
        who["location"] if location is None else location,
        facts["note"] if note is None else note,
    )
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s)


@statement.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--genesis", metavar="FILE", help="The genesis that you trust; else that of the home.")
@with_session
def verify(session: Session, file: Path, genesis: str | None) -> None:
    """Check a proof file without any node: hashes, validators' votes, inclusion, every fact. Exit code 6 if wrong."""
    from cli.verify_statement import NotProven, in_words, inert, verify_proof
    from node.failures import VerificationFailed
    from node.proven import read_proof

    trusted = _trusted_genesis(session, genesis)
    data = file.read_bytes()
    try:
        proven = verify_proof(data, trusted)
    except NotProven as error:
        raise VerificationFailed(why=inert(str(error))) from None  # it may quote the file
    read_proof(data, trusted)  # with the network's own code: two readers that share none must agree
    session.answer("statement_verified/1", _told(proven), in_words(proven))


def _told(proven: dict[str, Any]) -> dict[str, Any]:
    """What a proof file proves, for programs: numbers that may pass 2^53 as strings."""
    statement_hash = proven["statement_hash"].hex()
    return {
        "verified": True,
        "statement_id": statement_hash[:32],
        "statement_hash": statement_hash,
        "chain_id": proven["chain"].hex(),
        "txid": proven["txid"].hex(),
        **{name: proven[name] for name in ("network", "height", "time_ms", "holder", "holder_name", "purpose")},
        **{name: proven[name] for name in ("note", "jurisdiction", "signatures", "steps")},
        **{name: str(proven[name]) for name in ("consumption_from", "consumption_to", "total_wh")},
        "beneficiary": dict(zip(("name", "id", "location", "country"), proven["beneficiary"], strict=True)),
        "certificates": [_certificate(bundle) for bundle in proven["bundles"]],
    }


def _certificate(bundle: dict[str, Any]) -> dict[str, Any]:
    name, _, _, _, location, _, technology, *_ = bundle["facts"]
    return {
        **{key: str(bundle[key]) for key in ("production_from", "production_to", "issued_at")},
        "quantity": str(bundle["end"] - bundle["start"] + 1),
        "face_value_wh": str(bundle["face_value"]),
        "number": bundle["number"],
        "device": bundle["device"],
        "device_name": name,
        "location": location,
        "technology": technology,
        "unit": bundle["unit"],
    }


def _trusted_genesis(session: Session, name: str | None) -> bytes:
    """--genesis, or the genesis of the home."""
    path = Path(name) if name else session.home / "genesis.json"
    if name is None and not path.is_file():
        raise click.UsageError("The genesis of the network that you trust is needed: give it with --genesis.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None


def _identity(text: str) -> str:
    """A statement's id, or the one in its identification code."""
    if "-" in text:
        from state.statement_code import parse_code

        return parse_code(text.strip().upper()).identity.hex()
    if not STATEMENT_ID.fullmatch(text.lower()):
        raise click.UsageError(f"{text!r} is no statement: 32 hexadecimal digits, as `wattest retire` answers.")
    return text.lower()
