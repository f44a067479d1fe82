"""Objections, corrections, changed keys and amended words in sentences: what stands beside a certificate's life."""

from dataclasses import dataclass
from typing import Any

from node.pages.figures import date, energy, moment
from node.pages.words import APPEAL_WORDS, KEY_REASONS, worded
from node.texts import Texts


@dataclass(frozen=True)
class Told:
    """`icon` and `mood` as the steps of a life have them."""

    icon: str
    mood: str
    title: str
    sentences: tuple[str, ...]


def heading(t: Texts) -> str:
    return t("Objections, corrections and changed keys")


def told_remark(t: Texts, remark: dict[str, Any]) -> Told:
    """A remark of `node.queries.remarks` in words."""
    return REMARKS[remark["what"]](t, remark)


def _objection(t: Texts, remark: dict[str, Any]) -> Told:
    sentences = [
        t(
            "{owner} objected to the record of {date}: {reason}",
            owner=remark["by"],
            date=date(t, remark["date"]),
            reason=_quoted(remark["reason"]),
        ),
        t("Status: {status}.", status=worded(t, APPEAL_WORDS, remark["status"])),
    ]
    if remark["answered_at"]:
        when = moment(t, remark["answered_at"])
        sentences.append(
            t(
                "{authority} answered on {moment}: {answer}",
                authority=remark["authority"],
                moment=when,
                answer=_quoted(remark["answer"]),
            )
        )
    if remark["late"]:
        sentences.append(t("The answer came after its term."))
    return Told("pen", "hand", t("Objection"), tuple(sentences))


def _correction(t: Texts, remark: dict[str, Any]) -> Told:
    shown = date(t, remark["date"])
    if remark["before_wh"] is None:
        sentences = [t("A quorum of the validators put the energy of {date} right.", date=shown)]
    else:
        sentences = [
            t(
                "A quorum of the validators put the energy of {date} right: from {before} to {after}.",
                date=shown,
                before=energy(t, remark["before_wh"]),
                after=energy(t, remark["after_wh"]),
            )
        ]
    if remark["reason"]:
        sentences.append(_quoted(remark["reason"]))
    if remark["before_wh"] is not None and int(remark["after_wh"]) < int(remark["before_wh"]):
        sentences.append(t("Who bought in good faith keeps the certificates; the plant owes what was too much."))
    return Told("split", "warn", t("Correction"), tuple(sentences))


def _key(t: Texts, remark: dict[str, Any]) -> Told:
    match remark["subject"]:
        case "participant":
            whose = remark["name"]
        case "meter":
            whose = t("the meter of plant {number}", number=remark["number"])
        case _:
            whose = t("gateway {number} of {operator}", number=remark["number"], operator=remark["name"])
    sentences = (
        f"{whose}: {worded(t, KEY_REASONS, remark['reason'])}.",
        t("Until then: {key}", key=_short(t, remark["former"])),
        t("Since then: {key}", key=_short(t, remark["key"])),
    )
    return Told("key", "quiet", t("Key changed"), sentences)


def _amendment(t: Texts, remark: dict[str, Any]) -> Told:
    """The words of a statement, put right once; the first version stays, and is what the proof vouches for."""
    words = ", ".join(part for part in (remark["beneficiary"], remark["location"], remark["note"]) if part)
    return Told("pen", "quiet", t("Amended"), (t("The statement now reads: {words}", words=words),))


REMARKS = {"objection": _objection, "correction": _correction, "key": _key, "amendment": _amendment}


def _quoted(text: str) -> str:
    return f"«{text}»" if text else ""


def _short(t: Texts, key: str) -> str:
    return f"{key[:16]}…" if key else t("a gateway")
