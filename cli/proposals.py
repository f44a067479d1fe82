"""`wattest proposal`: what the consortium is asked to admit, and how its members answer."""

import time
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from cli import show
from cli.market import Closing, Duration
from cli.options import Group, sending
from cli.people import Acting, acting, find_participant
from cli.sending import perform
from cli.session import Session, with_session
from cli.values import HOURS_WH, KEY, MOMENT, SHARES

if TYPE_CHECKING:
    from state.records import Scheme, Sessions
    from state.transaction import ProposalContent

TERM_S = 5 * 365 * 86_400
GOVERNANCE_KEY = "governance"


@click.group(cls=Group)
def proposal() -> None:
    """Accreditation: anybody registered proposes, a quorum of validator organisations approves."""


@proposal.command("list")
@click.option("--status", type=click.Choice(["open", "enacted", "refused"]), help="Only these.")
@with_session
def list_(session: Session, status: str | None) -> None:
    """Proposals and how they stand."""
    found = list(session.client.pages("/v1/proposals", "proposals", status=status))
    rows = [
        (item["id"], _words(item["content"]), item["proposer"], item["status"], item["approvals"], item["refusals"])
        for item in found
    ]
    head = ("id", "proposal", "by", "status", "approved by", "refused by")
    session.answer("proposals/1", {"proposals": found}, show.table(head, rows, "no proposals"))


@proposal.command("show")
@click.argument("number", type=int)
@with_session
def show_(session: Session, number: int) -> None:
    """One proposal with everything that it says."""
    found = session.client.get(f"/v1/proposals/{number}")
    text = show.fields(
        [
            ("proposal", f"{found['id']}  {_words(found['content'])}"),
            ("by", found["proposer"]),
            ("status", found["status"]),
            ("lapses at height", found["lapses_height"]),
            ("approved by", found["approvals"]),
            ("refused by", found["refusals"]),
            *_flat(found["content"]),
        ]
    )
    session.answer("proposal/1", {k: v for k, v in found.items() if k != "schema"}, text)


@proposal.command()
@click.argument("numbers", nargs=-1, required=True, type=int, metavar="NUMBER…")
@click.option("--reason", default="", help="Goes on record with the vote.")
@sending
@with_session
def approve(
    session: Session, numbers: tuple[int, ...], reason: str, key_name: str | None, no_wait: bool, timeout_s: int
) -> None:
    """Approve with the organisation's governance key.

    A baseline profile is computed again by your own node from its own readings first; where its hash differs, nothing
    is signed and the exit code is 6.
    """
    vote(session, numbers, True, reason, key_name, no_wait, timeout_s)


@proposal.command()
@click.argument("numbers", nargs=-1, required=True, type=int, metavar="NUMBER…")
@click.option("--reason", required=True, help="Goes on record with the vote.")
@sending
@with_session
def refuse(
    session: Session, numbers: tuple[int, ...], reason: str, key_name: str | None, no_wait: bool, timeout_s: int
) -> None:
    """Refuse with the organisation's governance key."""
    vote(session, numbers, False, reason, key_name, no_wait, timeout_s)


@proposal.command()
@click.option("--participant", "who", metavar="WHO", help="Who gets the role; you, if not given.")
@click.option(
    "--role", type=click.Choice(["payment_operator", "market_operator", "authority", "auditor"]), required=True
)
@click.option("--until", type=MOMENT, help="End of the term; five years, if not given.")
@sending
@with_session
def role(
    session: Session,
    who: str | None,
    role: str,
    until: int | None,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Propose a participant for a role."""
    from state.transaction import RoleContent

    me = acting(session, key_name)
    subject = find_participant(session, who) if who else me.id
    propose_content(session, me, RoleContent(subject, role, until or _term()), no_wait, timeout_s)


@proposal.command()
@click.argument("number", type=click.IntRange(1))
@click.option("--name", help="Word that commands use; of a new scheme.")
@click.option(
    "--unit", type=click.Choice(["MWh", "kWh", "Wh"]), help="What one certificate is called; of a new scheme."
)
@click.option("--face-value-wh", type=click.IntRange(1), help="Energy of one certificate; 1 = by the hour.")
@click.option("--currency", help="In which it is traded; EUR, if not given.")
@click.option("--basis", type=click.Choice(["issue", "production_end", "production_month_end"]), help="Of the terms.")
@click.option("--trade-months", type=click.IntRange(1, 1_200), help="How long certificates can be traded.")
@click.option("--retire-months", type=click.IntRange(1, 1_200), help="How long they can be retired.")
@click.option("--tradable/--not-tradable", default=None, help="Whether certificates may change hands.")
@click.option("--max-transfers", type=click.IntRange(0), help="How often; 0 = no limit.")
@click.option(
    "--late-days", type=click.IntRange(0), help="How long after production a day may be closed; 0 = no limit."
)
@click.option("--sessions-like", type=int, metavar="AUCTION", help="Hold auctions by itself, on the terms of this one…")
@click.option("--every", type=Duration(), metavar="TIME", help="… one every so long: 1d, 7d; 0s = no more of them…")
@click.option("--open-for", type=Duration(), metavar="TIME", help="… open for so long; default: half of that…")
@click.option("--first", type=Closing(), metavar="WHEN", help="… the first at this UTC moment, or 10m, 1d from now.")
@click.option("--release-shares", type=SHARES, metavar="A,B,C", help="Basis points at once, by month, by season.")
@sending
@with_session
def scheme(session: Session, /, number: int, key_name: str | None, no_wait: bool, timeout_s: int, **given: Any) -> None:
    """Propose scheme NUMBER: a new kind of certificates, or other terms for what will be issued of a known one."""
    from state.transaction import SchemeContent

    me = acting(session, key_name)
    known = next((item for item in session.client.get("/v1/schemes")["schemes"] if item["id"] == number), None)
    content = SchemeContent(_scheme(number, known, given), _sessions(session, number, given))
    propose_content(session, me, content, no_wait, timeout_s)


@proposal.command()
@click.argument("device", type=int)
@click.option("--day", metavar="YYYY-MM-DD", required=True, help="The UTC day that was judged in error.")
@click.option("--release-wh", type=click.IntRange(0), required=True, help="What the day should have released, in all.")
@click.option("--energy-wh", type=click.IntRange(0), help="What was produced; the same, if not given.")
@click.option("--added-hours", type=HOURS_WH, metavar="WH,…", help="Upwards by the hour: 24 numbers, or @FILE.")
@click.option("--reason", required=True, help="What was proven; goes on record.")
@click.option("--evidence", metavar="FILE", help="Its SHA-256 goes on the ledger, the file stays with you.")
@sending
@with_session
def correct(
    session: Session,
    device: int,
    day: str,
    release_wh: int,
    energy_wh: int | None,
    added_hours: tuple[int, ...] | None,
    reason: str,
    evidence: str | None,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Propose to put the energy of a judged day right, after an error was proven.

    Approved downwards: the carry pays, then certificates that the operator still owns, then its next releases and its
    pledge; nobody who bought loses anything. Upwards: the validators issue the difference; where certificates name
    their hour, --added-hours says what each hour gains.
    """
    from cli.appeals import day_of, digest_of
    from state.transaction import CorrectContent

    number = day_of(day)
    me = acting(session, key_name)
    page = session.client.get(f"/v1/devices/{device}/days", **{"from": day, "to": day})["days"]
    revision = 1 + sum(item["step"] == 3 for item in page)
    energy = release_wh if energy_wh is None else energy_wh
    content = CorrectContent(
        device, number, revision, energy, release_wh, reason, digest_of(evidence), added_hours or ()
    )
    propose_content(session, me, content, no_wait, timeout_s)


@proposal.command()
@click.argument("who")
@click.option(
    "--new", "new_name", required=True, metavar="NAME", help="Name of the new key in this home; it signs too."
)
@click.option("--reason", required=True, help="How the owner showed who it is; goes on record.")
@sending
@with_session
def recover(
    session: Session, who: str, new_name: str, reason: str, key_name: str | None, no_wait: bool, timeout_s: int
) -> None:
    """Propose another key for WHO, who lost its own and named no recovery key.

    Approved by a quorum it waits for some days; the owner can stop it with `wattest keys veto`.
    """
    from cli.keys import new_key
    from state.transaction import Propose, RecoverContent

    me = acting(session, key_name)
    number = find_participant(session, who)
    public = bytes.fromhex(session.key_file(new_key(session, new_name, "wallet")).pubkey)
    new = Acting(new_name, public, number, new_name, "")
    action = Propose(me.id, RecoverContent(number, public, reason))
    perform(session, [action], [me, new], no_wait=no_wait, timeout_s=timeout_s, ask=False)


@proposal.command()
@click.option("--key", type=KEY, metavar="HEX", help="Public key of the gateway; that of key `gateway`, if not given.")
@click.option("--until", type=MOMENT, help="End of the term; five years, if not given.")
@sending
@with_session
def gateway(
    session: Session, key: bytes | None, until: int | None, key_name: str | None, no_wait: bool, timeout_s: int
) -> None:
    """Propose an own gateway, which signs readings for meters without keys."""
    from state.transaction import GatewayContent

    me = acting(session, key_name)
    public = key or bytes.fromhex(session.key_file("gateway").pubkey)
    propose_content(session, me, GatewayContent(me.id, public, until or _term()), no_wait, timeout_s)


@proposal.command()
@click.option("--device", type=int, required=True, metavar="N", help="The plant.")
@click.option("--window-from", type=MOMENT, required=True, help="Start of the commissioning window.")
@click.option("--window-to", type=MOMENT, required=True, help="End of the commissioning window, exclusive.")
@sending
@with_session
def profile(
    session: Session,
    device: int,
    window_from: int,
    window_to: int,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Propose the baseline profile of an own plant, as the node computes it from the readings of the window."""
    from state.transaction import ProfileContent

    me = acting(session, key_name)
    computed = _computed_profile(session, device, window_from, window_to)
    content = ProfileContent(device, bytes.fromhex(computed), window_from, window_to)
    propose_content(session, me, content, no_wait, timeout_s)


@proposal.command()
@click.argument("kind", metavar="KIND")
@click.argument("subject", type=int)
@click.option("--until", type=MOMENT, required=True, help="End of the new term; 0 revokes.")
@sending
@with_session
def renew(
    session: Session,
    kind: str,
    subject: int,
    until: int,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Propose a new term for what is accredited: KIND is role:NAME, device, meter or gateway, SUBJECT its number."""
    from state.transaction import RenewContent

    me = acting(session, key_name)
    propose_content(session, me, RenewContent(kind, subject, until), no_wait, timeout_s)


def _scheme(number: int, known: dict[str, Any] | None, given: dict[str, Any]) -> "Scheme":
    """The whole scheme: what was said, over what is known of it."""
    from state.records import Expiry, Scheme

    if known is None and not (given["name"] and given["unit"] and given["face_value_wh"]):
        raise click.UsageError(f"There is no scheme {number} yet: a new one needs --name, --unit and --face-value-wh.")
    base = known or {"expiry": {"basis": "issue", "trade_months": 12, "retire_months": 18}}
    terms = base["expiry"]

    def said(name: str, otherwise: Any) -> Any:
        return otherwise if given[name] is None else given[name]

    return Scheme(
        id=number,
        name=said("name", base.get("name")),
        unit=said("unit", base.get("unit")),
        face_value=int(said("face_value_wh", base.get("face_value"))),
        serial_digits=base.get("serial_digits") or {"MWh": 9, "kWh": 12, "Wh": 15}[given["unit"]],
        currency=said("currency", base.get("currency", "EUR")).upper(),
        expiry=Expiry(
            said("basis", terms["basis"]),
            said("trade_months", terms["trade_months"]),
            said("retire_months", terms["retire_months"]),
        ),
        tradable=said("tradable", base.get("tradable", True)),
        max_transfers=said("max_transfers", base.get("max_transfers", 0)),
        issue_rule="verified",
        release_shares=tuple(said("release_shares", base.get("release_shares", (10_000, 0, 0)))),
        late_days=said("late_days", base.get("late_days", 0)),
        close_days=base.get("close_days", 0),
        hold_days=0,
    )


def _sessions(session: Session, number: int, given: dict[str, Any]) -> "Sessions | None":
    """The schedule that was asked for; None where nothing was said of it."""
    from node.answers import struct_of
    from state.records import AuctionClass, AuctionTerms, Sessions

    like, every = given["sessions_like"], given["every"]
    if like is None:
        if every is not None or given["first"] is not None:
            raise click.UsageError("A schedule takes its terms from an auction: --sessions-like AUCTION.")
        return None
    if every is None:
        raise click.UsageError("How often: --every 1d; 0s ends the schedule.")
    model = session.client.get(f"/v1/auctions/{like}")
    return Sessions(
        scheme=number,
        operator=int(model["operator"]),
        title=model["title"],
        lot_class=struct_of(AuctionClass, model["lot_class"]),
        floor=int(model["floor"]),
        ceiling=int(model["ceiling"]),
        terms=replace(struct_of(AuctionTerms, model["terms"]), opens_at=0, repeat_s=0, repeat_until=0),
        next_at=given["first"] or int(time.time()) + every,
        every_s=every,
        open_s=given["open_for"] or every // 2,
    )


def vote(
    session: Session,
    numbers: tuple[int, ...],
    approve: bool,
    reason: str,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    from state.transaction import Vote

    index, signer = _organisation(session, key_name or GOVERNANCE_KEY)
    notes = []
    for number in numbers:
        found = session.client.get(f"/v1/proposals/{number}")
        if approve:
            _check_profile(session, found)
        notes.append(f"proposal {number}: {_words(found['content'])}")
    actions = [Vote(number, index, approve, reason) for number in numbers]
    perform(session, actions, [signer], no_wait=no_wait, timeout_s=timeout_s, notes=notes)


def _organisation(session: Session, name: str) -> tuple[int, Acting]:
    """The validator whose governance key this is."""
    from state.errors import NotGovernance

    public = session.key_file(name).pubkey
    for item in session.client.get("/v1/validators")["validators"]:
        if item["governance_key"] == public:
            return item["index"], Acting(name, bytes.fromhex(public), item["participant"], item["name"], "")
    raise NotGovernance(validator=f"of key {name}")


def _check_profile(session: Session, found: dict[str, Any]) -> None:
    """VerificationFailed unless the own node computes the same profile from its own readings."""
    from node.failures import VerificationFailed

    content = found["content"]
    if content["kind"] != "profile":
        return
    window = int(content["window_from"]), int(content["window_to"])
    computed = _computed_profile(session, content["device"], *window)
    if computed != content["profile_hash"]:
        raise VerificationFailed(
            why=f"proposal {found['id']} claims profile {content['profile_hash'][:16]}…, "
            f"this node computes {computed[:16]}… from its readings of plant {content['device']}"
        )
    session.say(f"proposal {found['id']}: this node computes the same profile {computed[:16]}…")


def _computed_profile(session: Session, device: int, start: int, end: int) -> str:
    session.say(f"The node computes the profile of plant {device} from its own readings…")
    answer = session.client.get(f"/v1/devices/{device}/profile", from_=start, to=end)
    return str(answer["profile_hash"])


def propose_content(session: Session, me: Acting, content: "ProposalContent", no_wait: bool, timeout_s: int) -> None:
    from state.transaction import Propose

    perform(session, [Propose(me.id, content)], [me], no_wait=no_wait, timeout_s=timeout_s, ask=False)


def _term() -> int:
    return int(time.time()) + TERM_S


def _words(content: dict[str, Any]) -> str:
    """The proposal in the ledger's own sentence."""
    from typing import get_args

    from contracts.proposals import describe_content
    from node.answers import struct_of
    from state.transaction import ProposalContent, RenewContent

    if "subject" in content:  # a renewal's own field `kind` stands where others have their tag
        return describe_content(struct_of(RenewContent, content))
    kind = next(kind for kind in get_args(ProposalContent) if kind.__struct_config__.tag == content["kind"])
    return describe_content(struct_of(kind, content))


def _flat(content: dict[str, Any]) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in content.items():
        if isinstance(value, dict):
            pairs += _flat(value)
        elif name in ("until", "window_from", "window_to"):
            pairs.append((name.replace("_", " "), show.moment(value)))
        else:
            pairs.append((name.replace("_", " "), value))
    return pairs
