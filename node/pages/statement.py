"""A retirement statement for people: one structure (`Sheet`), rendered as a page and as plain text.

Whatever a statement says is put together once, in `sheet`, from the statement's JSON; so the page that the QR code
leads to, the text that a terminal shows and the file that is sent by mail cannot differ. The proof is not made from
it: it vouches for the facts on the ledger, in any language.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from unicodedata import east_asian_width

from node.pages.figures import day, days, energy, moment, power, tonnes
from node.pages.html import Frame, Safe, code, fill, grouped, joined, page, pairs, paragraph, path_of, qr
from node.pages.remarks import heading, told_remark
from node.pages.words import purpose, reason, source
from node.texts import Texts

DAY_S = 86_400


@dataclass(frozen=True)
class Line:
    """A label and what stands beside it; `path` leads to more, `exact` is for letters that one compares."""

    label: str
    value: str
    path: str = ""
    exact: bool = False


@dataclass(frozen=True)
class Section:
    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Sheet:
    id: str
    title: str
    headline: str
    sentence: str
    sections: tuple[Section, ...]


def sheet(t: Texts, shown: dict[str, Any], others: Sequence[str] = ()) -> Sheet:
    """The statement of `node.queries.statements.statement_dict` in words. Lines without a value are left out.

    `others` are public addresses of the network's nodes: a printed statement is still there when one of them is gone.
    """
    facts = shown["facts"]
    name = facts["beneficiary"]["name"]
    amount = energy(t, facts["total_wh"])
    return Sheet(
        id=shown["id"],
        title=t("Retirement statement"),
        headline=t("{energy} of renewable electricity for {beneficiary}", energy=amount, beneficiary=name),
        sentence=t(
            "Certificates: {count}, used up on {day}. Nobody can sell or claim them again.",
            count=grouped(t, int(shown["quantity"])),
            day=day(t, shown["retired_at"]),
        ),
        sections=(
            _section(t("The claim"), *_claim(t, shown, facts)),
            *((_section(t("Amended"), *_amendment(t, shown["amendment"])),) if shown.get("amendment") else ()),
            *(_section(bundle["facts"]["name"], *_bundle(t, bundle)) for bundle in facts["bundles"]),
            *((_section(heading(t), *_beside(t, shown["remarks"])),) if shown.get("remarks") else ()),
            _section(t("On the ledger"), *_record(t, shown, facts, others)),
        ),
    )


def _section(title: str, *lines: Line) -> Section:
    return Section(title, tuple(line for line in lines if line.value))


def _claim(t: Texts, shown: dict[str, Any], facts: dict[str, Any]) -> tuple[Line, ...]:
    who = facts["beneficiary"]
    beneficiary = ", ".join(part for part in (who["name"], who["id"], who["location"], who["country"]) if part)
    return (
        Line(t("Beneficiary"), beneficiary),
        Line(t("Status"), t("completed and final")),
        Line(t("Purpose"), purpose(t, facts["purpose"])),
        Line(t("Note"), facts["note"]),
        Line(t("Time of use"), days(t, facts["consumption_from"], facts["consumption_to"])),
        Line(t("Jurisdiction"), facts["jurisdiction"]),
        Line(t("Energy"), energy(t, facts["total_wh"])),
        Line(t("Retired by"), facts["holder_name"]),
        *_avoided(t, shown["emissions"]),
    )


def _avoided(t: Texts, emissions: dict[str, Any] | None) -> tuple[Line, ...]:
    """Where the network's genesis names the emissions of the electricity that this one replaces."""
    if emissions is None:
        return ()
    factors = {(factor["g_per_kwh"], factor["source"]) for factor in emissions["factors"]}
    named = "; ".join(
        t("{grams} g of CO2e per kWh ({source})", grams=g, source=source) for g, source in sorted(factors)
    )
    return (
        Line(t("Emissions avoided"), t("{amount} t of CO2e", amount=tonnes(t, emissions["avoided_g"]))),
        Line(t("Emission factor"), named),
    )


def _amendment(t: Texts, amended: dict[str, Any]) -> tuple[Line, ...]:
    """Words put right once, soon after the retirement; the claim above and its proof keep the first version."""
    return (
        Line(t("Beneficiary"), ", ".join(part for part in (amended["beneficiary_name"], amended["location"]) if part)),
        Line(t("Note"), amended["note"]),
        Line(t("Amended (ledger time)"), moment(t, amended["amended_at"])),
        Line(t("Transaction"), amended["txid"], f"/tx/{amended['txid']}", exact=True),
    )


def _bundle(t: Texts, bundle: dict[str, Any]) -> tuple[Line, ...]:
    facts = bundle["facts"]
    reasons = " ".join(reason(t, name) for name in bundle["reasons"])
    count, face = grouped(t, int(bundle["quantity"])), energy(t, bundle["face_value"])
    return (
        Line(t("Certificates"), bundle["number"], path_of(bundle["number"]), exact=True),
        Line(t("Quantity"), t("{count}, each of {energy}", count=count, energy=face)),
        Line(t("Plant"), ", ".join(part for part in (facts["name"], facts["location"], facts["country"]) if part)),
        Line(t("Source"), source(t, facts["technology"])),
        Line(t("EECS codes"), f"{facts['technology']} {facts['fuel']}", exact=True),
        Line("I-REC", " ".join(part for part in _irec(bundle) if part), exact=True),
        Line("M-RETS", bundle.get("codes", {}).get("mrets", ""), exact=True),
        Line(t("Market zone"), facts["zone"], exact=True),
        Line("GSRN", facts["gsrn"], exact=True),
        Line(t("Capacity"), power(t, facts["capacity_w"])),
        Line(t("In operation since"), day(t, facts["commissioned_day"] * DAY_S)),
        Line(t("Produced (production time)"), days(t, bundle["production_from"], bundle["production_to"])),
        Line(t("Issued (ledger time)"), moment(t, bundle["issued_at"])),
        Line(t("Public support"), facts["support"] or t("none declared")),
        Line(t("Weather check"), t("accepted by a quorum of the validators")),
        Line(t("Remarks of the check"), reasons),
        Line(t("Verifier version"), str(bundle["verifier_version"])),
    )


def _beside(t: Texts, remarks: Sequence[dict[str, Any]]) -> tuple[Line, ...]:
    lines = []
    for remark in remarks:
        told = told_remark(t, remark)
        lines.append(Line(told.title, " ".join(told.sentences)))
        lines.append(Line(t("Transaction"), remark["txid"], f"/tx/{remark['txid']}", exact=True))
    return tuple(lines)


def _irec(bundle: dict[str, Any]) -> tuple[str, str]:
    codes = bundle.get("codes", {})
    return codes.get("irec_fuel", ""), codes.get("irec_technology", "")


def _record(t: Texts, shown: dict[str, Any], facts: dict[str, Any], others: Sequence[str]) -> tuple[Line, ...]:
    return (
        Line(t("Identification code"), shown["code"], exact=True),
        Line(t("Statement"), shown["id"], exact=True),
        Line(t("Retired (ledger time)"), moment(t, shown["retired_at"])),
        Line(t("Block"), str(shown["height"]), f"/block/{shown['height']}", exact=True),
        Line(t("Transaction"), shown["txid"], f"/tx/{shown['txid']}", exact=True),
        Line(t("Statement hash"), shown["statement_hash"], exact=True),
        Line(t("Chain"), facts["chain"], exact=True),
        Line(t("Also shown by"), " ".join(f"{url}/statement/{shown['id']}" for url in others), exact=True),
    )


# --- the page


def statement(frame: Frame, shown: dict[str, Any], url: str, sha256: str, foreign: bool = False) -> str:
    """The page of a statement; `url` is what its QR code says, `sha256` the hash of the verifier that is served."""
    t = frame.t
    told = sheet(t, shown, frame.others)
    warning = t("This link was made for another network: its chain is not the one of this node.")
    return page(
        frame,
        f"{told.title} {told.id[:8]}",
        fill(
            "statement.html",
            t,
            warning=paragraph(warning, "badge bad") if foreign else Safe(""),
            headline=told.headline,
            sentence=told.sentence,
            state=proof_state(t),
            qr=qr(url),
            sections=joined(_html_section(frame, section) for section in told.sections),
            check=check(frame, told.id, sha256),
        ),
        checking(frame),
    )


def check(frame: Frame, identity: str, sha256: str) -> Safe:
    """In which state the proof of a statement is, and how to check it without trusting the node that shows it."""
    units = " ".join(frame.t(unit, "unit") for unit in ("Wh", "kWh", "MWh", "GWh"))
    return fill("check.html", frame.t, id=identity, sha256=sha256, chain=frame.chain, base=frame.base, units=units)


def proof_state(t: Texts) -> Safe:
    """The same state in one line at the head of the page: who looks at a phone sees the head alone."""
    return fill("proof_state.html", t)


def checking(frame: Frame) -> Safe:
    """The script that proves the statement of the page; none where the page is read outside of its node."""
    if not frame.nonce:
        return Safe("")
    return Safe(f'<script type="module" nonce="{frame.nonce}" src="/page_check.js"></script>')


def _html_section(frame: Frame, section: Section) -> Safe:
    table = pairs((line.label, _html_value(frame, line)) for line in section.lines)
    title = escape(section.title)
    return Safe(f'<section><h2>{title}</h2><table class="facts"><tbody>{table}</tbody></table></section>')


def _html_value(frame: Frame, line: Line) -> str:
    if line.path:
        return frame.link(line.path, line.value)
    return code(line.value) if line.exact else line.value


# --- plain text


def statement_text(t: Texts, shown: dict[str, Any], url: str = "", others: Sequence[str] = ()) -> str:
    """The statement for a terminal or a mail; labels are as wide as they look, CJK characters two columns."""
    told = sheet(t, shown, others)
    width = max(_columns(line.label) for section in told.sections for line in section.lines)
    lines = [told.title, told.headline, told.sentence]
    for section in told.sections:
        lines += ["", section.title]
        lines += [f"  {line.label}{' ' * (width - _columns(line.label))}  {line.value}" for line in section.lines]
    if url:
        lines += ["", url]
    return "\n".join(lines)


def _columns(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
