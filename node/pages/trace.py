"""The trace page: the whole life of a certificate as a line of steps that a stranger with a phone understands.

Production time (when the wind blew) and ledger time (when a block said so) differ by design, so each step says which of
the two it shows. No script is needed to read it.
"""

from html import escape
from typing import Any

from node.pages.figures import DAY_S, date, day, days, energy, moment, money, power
from node.pages.html import (
    Frame,
    Number,
    Safe,
    code,
    fill,
    grouped,
    joined,
    page,
    pairs,
    paragraph,
    path_of,
    qr,
    rows,
)
from node.pages.remarks import heading, told_remark
from node.pages.statement import check, checking, proof_state
from node.pages.words import (
    MOODS,
    STATUS_SENTENCES,
    VERDICT_WORDS,
    purpose,
    reason,
    source,
    status,
    worded,
)
from node.texts import Texts

Step = dict[str, Any]

ICONS = {
    "bolt": '<path d="M13 2 5 14h6l-1 8 8-12h-6z"/>',
    "cloud": '<path d="M7 18a4 4 0 0 1 .6-7.96 5.5 5.5 0 0 1 10.6 1.5A3.3 3.3 0 0 1 17.7 18z"/>',
    "pen": '<path d="m4 20 1-4L16 5l3 3L8 19z"/><path d="M13 20h7"/>',
    "seal": '<circle cx="12" cy="9" r="5.5"/><path d="m9 14-1.5 7 4.5-2.5 4.5 2.5-1.5-7"/>',
    "tag": '<path d="M3 12V4h8l9.5 9.5-8 8z"/><circle cx="7.5" cy="8.5" r="1"/>',
    "hand": '<path d="M4 8h14l-4-4"/><path d="M20 16H6l4 4"/>',
    "split": '<path d="M4 12h7"/><path d="m11 12 8-6"/><path d="m11 12 8 6"/>',
    "grid": '<path d="m6 21 6-17 6 17"/><path d="M8 15h8"/><path d="M4 9h16"/>',
    "key": '<circle cx="8" cy="15" r="4"/><path d="m11 12 9-9"/><path d="m16 7 3 3"/>',
    "leaf": '<path d="M5 20c0-9 5-15 15-16 0 10-5 15-12 15"/><path d="M5 20c2-5 5-8 9-10"/>',
    "stop": '<circle cx="12" cy="12" r="8"/><path d="m7 7 10 10"/>',
}


def certificate(frame: Frame, shown: dict[str, Any], url: str, sha256: str) -> str:
    """The page of `node.queries.trace.trace_dict`; `url` is what its QR code says."""
    t = frame.t
    return page(
        frame,
        shown["number"],
        fill(
            "certificate.html",
            t,
            mood=MOODS.get(shown["status"], "warn") if len(_statuses(shown)) == 1 else "warn",
            status=", ".join(status(t, name) for name in _statuses(shown)),
            headline=_headline(t, shown),
            number=shown["number"],
            sentence=_sentence(t, shown),
            state=proof_state(t) if shown["statement"] else Safe(""),
            claim=_button(frame, shown),
            qr=qr(url),
            ranges=_ranges(frame, shown) if len(shown["ranges"]) > 1 else Safe(""),
            note=Safe("")
            if shown["start"] == shown["end"]
            else paragraph(t("It is told of the first certificate of the range."), "soft"),
            life=joined(_step(frame, shown, step) for step in shown["life"]),
            beside=_beside(frame, shown["remarks"]),
            facts=pairs(_facts(t, shown)),
            check=_check(frame, shown, sha256),
        ),
        checking(frame) if shown["statement"] else Safe(""),
    )


def _headline(t: Texts, shown: dict[str, Any]) -> str:
    count = int(shown["end"]) - int(shown["start"]) + 1
    amount = energy(t, count * int(shown["scheme"]["face_value"]))
    return f"{amount} · {source(t, shown['facts']['technology'])}"


def _statuses(shown: dict[str, Any]) -> list[str]:
    """Of all parts of a range, each once, in the order of the serials."""
    return list(dict.fromkeys(part["status"] for part in shown["ranges"]))


def _sentence(t: Texts, shown: dict[str, Any]) -> str:
    if len(shown["ranges"]) > 1:
        return t("The certificates of this range went different ways, as the list below says.")
    sentence = STATUS_SENTENCES.get(shown["status"])
    return t(sentence, holder=shown["holder_name"], beneficiary=shown["beneficiary"]) if sentence else ""


def _button(frame: Frame, shown: dict[str, Any]) -> Safe:
    if not shown["statement"]:
        return Safe("")
    address = frame.href(f"/statement/{shown['statement']}")
    return Safe(f'<p><a class="button" href="{address}">{escape(frame.t("Statement and proof"))}</a></p>')


def _check(frame: Frame, shown: dict[str, Any], sha256: str) -> Safe:
    if shown["statement"]:
        return check(frame, shown["statement"], sha256)
    return fill("uncheckable.html", frame.t, chain=frame.chain)


def _ranges(frame: Frame, shown: dict[str, Any]) -> Safe:
    t = frame.t
    lines = rows(
        (
            [
                frame.link(path_of(part["number"]), part["number"]),
                Number(int(part["quantity"])),
                status(t, part["status"]),
            ]
            for part in shown["ranges"]
        ),
        t,
    )
    head = "".join(f"<th{mark}>{escape(t(name))}</th>" for name, mark in RANGE_HEAD)
    title = escape(t("Where its parts are now"))
    return Safe(
        f"<section><h2>{title}</h2><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></section>"
    )


RANGE_HEAD = (("Certificates", ""), ("Quantity", ' class="number"'), ("Status", ""))


def _facts(t: Texts, shown: dict[str, Any]) -> list[tuple[str, str]]:
    facts, issuance = shown["facts"], shown["issuance"]
    return [
        (t("Plant"), ", ".join(part for part in (facts["name"], facts["location"], facts["country"]) if part)),
        (t("EECS codes"), code(f"{facts['technology']} {facts['fuel']}")),
        (t("Market zone"), code(facts["zone"])),
        ("GSRN", code(facts["gsrn"]) if facts["gsrn"] else ""),
        (t("Capacity"), power(t, facts["capacity_w"])),
        (t("In operation since"), day(t, facts["commissioned_day"] * DAY_S)),
        (t("Public support"), facts["support"] or t("none declared")),
        (t("One certificate"), f"{energy(t, shown['scheme']['face_value'])} ({shown['scheme']['name']})"),
        (t("Can be traded until"), moment(t, issuance["trade_until"])),
        (t("Can be retired until"), moment(t, issuance["retire_until"])),
    ]


def _beside(frame: Frame, remarks: list[dict[str, Any]]) -> Safe:
    """What the ledger says beside this life: nothing, of most."""
    if not remarks:
        return Safe("")
    items = []
    for remark in remarks:
        told = told_remark(frame.t, remark)
        body = joined(paragraph(sentence) for sentence in told.sentences)
        at = {"act": remark["what"], "txid": remark["txid"]}
        at |= {name: remark[name] for name in ("height", "time_ms") if remark[name] is not None}
        items.append(
            _item("step", told.icon, told.mood, told.title, joined((_when(frame.t, {}, at), body, _links(frame, at))))
        )
    title = escape(heading(frame.t))
    return Safe(f'<section><h2>{title}</h2><ol class="life">{joined(items)}</ol></section>')


# --- the steps


def _step(frame: Frame, shown: dict[str, Any], step: Step) -> Safe:
    icon, mood, title, body = STEPS[step["act"]](frame, shown, step)
    kind = "kept" if step["act"] == "kept" else "origins" if step["act"] == "generated" else "step"
    return _item(kind, icon, mood, title, joined((_when(frame.t, shown, step), body, _links(frame, step))))


def _item(kind: str, icon: str, mood: str, title: str, body: Safe) -> Safe:
    picture = f'<span class="icon {mood}" aria-hidden="true"><svg viewBox="0 0 24 24">{ICONS[icon]}</svg></span>'
    return Safe(f'<li class="{kind}">{picture}<h3>{escape(title)}</h3>{body}</li>')


def _when(t: Texts, shown: dict[str, Any], step: Step) -> Safe:
    if step["act"] == "generated":
        issuance = shown["issuance"]
        clock, text = t("production time"), days(t, issuance["production_from"], issuance["production_to"])
    elif "time_ms" in step:
        clock, text = t("ledger time"), moment(t, step["time_ms"] // 1000)
    else:
        return Safe("")
    return Safe(f'<span class="when"><span class="clock">{escape(clock)}</span>{escape(text)}</span>')


def _links(frame: Frame, step: Step) -> Safe:
    """Where the ledger says so."""
    if "height" not in step:
        return Safe("")
    t = frame.t
    block = frame.words(f"/block/{step['height']}", t("Block {height}", height=step["height"]))
    if not step["txid"]:
        return Safe(f'<p class="links">{block}<span class="soft">{escape(t("by the clock of the ledger"))}</span></p>')
    transaction = frame.words(f"/tx/{step['txid']}", t("Transaction {id}", id=step["txid"][:12] + "…"))
    return Safe(f'<p class="links">{transaction}{block}</p>')


Told = tuple[str, str, str, Safe]  # icon, mood, title, body


def _generated(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    t, facts = frame.t, shown["facts"]
    place = ", ".join(part for part in (facts["location"], facts["country"]) if part)
    lines = [
        paragraph(f"{facts['name']}, {place}"),
        paragraph(
            t(
                "Rated power {power}. Its meter measured {energy} on the days behind this issue.",
                power=power(t, facts["capacity_w"]),
                energy=energy(t, step["energy_wh"]),
            )
        ),
    ]
    if step["release_wh"] != step["energy_wh"]:
        text = t("Of it {energy} are released; the rest waits for later checks.", energy=energy(t, step["release_wh"]))
        lines.append(paragraph(text, "soft"))
    head = f"<tr><th>{escape(t('Day'))}</th><th class='number'>{escape(t('Energy'))}</th></tr>"
    body = joined(_day_row(t, one) for one in step["days"])
    summary = escape(t("Fingerprints of the readings, day by day"))
    table = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
    lines.append(Safe(f"<details><summary>{summary}</summary>{table}</details>"))
    return "bolt", "origin", t("Electricity is generated"), joined(lines)


def _fed(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    t, meter = frame.t, step["meter"]
    table = pairs(
        (
            (t("Market zone"), code(step["zone"])),
            (t("Metering point (GSRN)"), code(step["point"]) if step["point"] else t("none given")),
            (t("Readings signed by"), _signer(t, meter)),
            (t("Its key"), code(meter["key"]) if meter else ""),
            (t("Accredited until"), moment(t, meter["until"]) if meter else ""),
        )
    )
    if meter:
        text = t("Plant, zone and meter were accredited by a quorum of the validators.")
    else:
        text = t("Plant and zone were accredited by a quorum of the validators.")
    body = joined((paragraph(text), Safe(f'<table class="facts"><tbody>{table}</tbody></table>')))
    return "grid", "origin", t("Fed into the grid"), body


def _signer(t: Texts, meter: dict[str, Any] | None) -> str:
    if meter is None:
        return t("no meter is accredited now")
    if not meter["gateway"]:
        return t("the meter itself")
    return t("gateway {number} of {operator}", number=meter["gateway"], operator=meter["operator"])


def _day_row(t: Texts, one: dict[str, Any]) -> Safe:
    day_text = f'{escape(date(t, one["date"]))}<br><code class="soft">{escape(one["readings_root"])}</code>'
    return Safe(f"<tr><td>{day_text}</td><td class='number'>{escape(energy(t, one['energy_wh']))}</td></tr>")


def _judged(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    t = frame.t
    title = t("Weather check: {verdict}", verdict=worded(t, VERDICT_WORDS, step["verdict"]))
    lines = [
        paragraph(
            t(
                "Each validator compared the power with the wind or sunlight measured at the plant, and with how the "
                "plant answered to its weather when it was commissioned. The energy fits."
            )
        )
    ]
    if step["reasons"]:
        lines.append(paragraph(t("The check remarks:"), "soft"))
        items = "".join(f"<li>{escape(reason(t, name))}</li>" for name in step["reasons"])
        lines.append(Safe(f'<ul class="plain">{items}</ul>'))
    table = pairs(
        (
            (t("Verifier version"), str(step["verifier_version"])),
            (t("Profile of the plant"), code(step["profile_hash"])),
        )
    )
    summary = escape(t("What it was compared with"))
    lines.append(
        Safe(f'<details><summary>{summary}</summary><table class="facts"><tbody>{table}</tbody></table></details>')
    )
    return "cloud", "origin", title, joined(lines)


def _attested(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    t = frame.t
    title = t("Signed by {count} of {all} validators", count=len(step["signers"]), all=shown["validators"])
    lines = [paragraph(t("Each computed the same verdict from the same readings and signed it."))]
    lines.append(paragraph(", ".join(step["signers"])))
    if step["final_by"]:
        text = t("The block was made final by the votes of: {names}", names=", ".join(step["final_by"]))
        lines.append(paragraph(text, "soft"))
    return "pen", "good", title, joined(lines)


def _issued(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    t = frame.t
    lines = [
        paragraph(
            t(
                "Certificates born together: {count}. They went to {holder}, the owner of the plant.",
                count=grouped(t, int(step["count"])),
                holder=step["to_name"],
            )
        ),
        paragraph(frame.link(path_of(step["number"]), step["number"])),
    ]
    if int(step["carry_in_wh"]):
        text = t("{energy} left over from days before were counted in.", energy=energy(t, step["carry_in_wh"]))
        lines.append(paragraph(text, "soft"))
    if int(step["carry_out_wh"]):
        text = t(
            "{energy} were too little for one more and wait for the next issue.", energy=energy(t, step["carry_out_wh"])
        )
        lines.append(paragraph(text, "soft"))
    return "seal", "good", t("The certificate is issued"), joined(lines)


def _offered(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    t = frame.t
    if "limit" in step:
        text = t("{holder} offered it at {price} or more.", holder=step["from_name"], price=_money(t, step, "limit"))
    else:
        text = t("{holder} offered it in a sealed order.", holder=step["from_name"])
    return "tag", "hand", t("Offered in an auction"), joined((paragraph(text), _auction_line(t, step)))


def _taken_back(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    text = frame.t("{holder} took the offer back before the auction closed.", holder=step["from_name"])
    return "tag", "quiet", frame.t("Offer taken back"), paragraph(text)


def _returned(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    text = frame.t("The auction found no buyer for it; it went back to {holder}.", holder=step["from_name"])
    return "tag", "quiet", frame.t("Not sold"), paragraph(text)


def _sold(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    text = frame.t("The auction settled; it is reserved for its buyer until it is paid and its turn has come.")
    return "tag", "hand", frame.t("Sold in an auction"), paragraph(text)


def _released(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    text = frame.t("Its buyer did not pay in time; it went back to {holder}.", holder=step["from_name"])
    return "tag", "quiet", frame.t("Not paid"), paragraph(text)


def _delivered(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    t = frame.t
    lines = [paragraph(f"{step['from_name']} → {step['to_name']}")]
    if "price" in step:
        lines.append(_paid(t, step))
    lines.append(_auction_line(t, step))
    return "hand", "hand", t("Sold in an auction and delivered"), joined(lines)


def _transferred(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    t = frame.t
    lines = [paragraph(f"{step['from_name']} → {step['to_name']}")]
    if "price" in step:
        lines.append(_paid(t, step))
    else:
        lines.append(paragraph(t("Handed over; no payment went through the ledger."), "soft"))
    return "hand", "hand", t("Transferred"), joined(lines)


def _handed_over(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    text = frame.t("{holder} handed it over to somebody, who must accept it first.", holder=step["from_name"])
    return "hand", "hand", frame.t("Handed over"), paragraph(text)


def _handed_back(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    text = frame.t("It was not accepted and stayed with {holder}.", holder=step["to_name"])
    return "hand", "quiet", frame.t("Not accepted"), paragraph(text)


def _retired(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    t, claim = frame.t, step["claim"]
    who = claim["beneficiary"]
    table = pairs(
        (
            (
                t("Beneficiary"),
                ", ".join(part for part in (who["name"], who["id"], who["location"], who["country"]) if part),
            ),
            (t("Purpose"), purpose(t, claim["purpose"])),
            (t("Note"), claim["note"]),
            (t("Time of use"), days(t, claim["consumption_from"], claim["consumption_to"])),
            (t("Jurisdiction"), claim["jurisdiction"]),
            *((t("Use measured by"), _metered(t, meter)) for meter in step["metered"]),
            (t("Retired by"), step["from_name"]),
            (t("Statement"), frame.link(f"/statement/{step['statement']}", step["statement"])),
        )
    )
    text = t("Retired for {beneficiary}", beneficiary=who["name"])
    return "leaf", "good", text, Safe(f'<table class="facts"><tbody>{table}</tbody></table>')


def _metered(t: Texts, meter: dict[str, Any]) -> str:
    where = ", ".join(part for part in (meter["name"], meter["zone"], meter["country"]) if part)
    return t("{meter} (reported on {days} of {all} days)", meter=where, days=meter["days"], all=meter["of_days"])


def _expired(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    text = frame.t("Its time ran out before anybody claimed it. {holder} held it last.", holder=step["from_name"])
    return "stop", "bad", frame.t("Expired"), paragraph(text)


def _withdrawn(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    text = frame.t("A quorum of the validators withdrew it after an error was proven.")
    return "stop", "bad", frame.t("Withdrawn"), paragraph(text)


def _kept(frame: Frame, shown: dict[str, Any], step: Step) -> Told:
    t = frame.t
    text = t("Neighbours of this certificate moved; it stayed with {holder}, now as part of:", holder=step["to_name"])
    return "split", "quiet", t("Divided or joined"), joined((paragraph(text, "soft"), paragraph(code(step["number"]))))


STEPS = {
    "generated": _generated,
    "fed": _fed,
    "judged": _judged,
    "attested": _attested,
    "issued": _issued,
    "offered": _offered,
    "taken_back": _taken_back,
    "returned": _returned,
    "sold": _sold,
    "delivered": _delivered,
    "released": _released,
    "transferred": _transferred,
    "handed_over": _handed_over,
    "handed_back": _handed_back,
    "retired": _retired,
    "expired": _expired,
    "withdrawn": _withdrawn,
    "kept": _kept,
}


def _paid(t: Texts, step: Step) -> Safe:
    text = t(
        "Price of one certificate: {price}. Paid in the same step: both legs moved, or neither.",
        price=_money(t, step, "price"),
    )
    amount = _money(t, step, "amount")
    whole = t("In all {amount} for certificates: {count}", amount=amount, count=grouped(t, int(step["count"])))
    return joined((paragraph(text), paragraph(whole, "soft")))


def _auction_line(t: Texts, step: Step) -> Safe:
    if "auction" not in step:
        return Safe("")
    return paragraph(t("Auction {number}: {title}", number=step["auction"], title=step.get("title", "")), "soft")


def _money(t: Texts, step: Step, name: str) -> str:
    return money(t, step[name], step.get("currency", ""))
