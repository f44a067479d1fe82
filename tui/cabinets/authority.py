"""The authority's cabinet: what waits for an answer, who voted how, and who keeps the ledger."""

from dataclasses import dataclass
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from node.client import NodeClient
from tui.account import Account
from tui.deeds.votes import answer_form, in_words, vote_form
from tui.directory import Cabinet
from tui.screens.cabinet import CabinetScreen, Keys
from tui.screens.detail import DetailScreen
from tui.texts import counted, t, word
from tui.widgets.columns import QUIET, STRONG, WARN, Part
from tui.widgets.sheet import Column, Line, Sheet
from tui.widgets.texts import TextPanel
from tui.words import moment

PROPOSALS = (
    Column("no", 5, right=True),
    Column("status", 8),
    Column("asks to", 58),
    Column("by", 22),
    Column("for", 4, right=True),
    Column("against", 7, right=True),
)
APPEALS = (Column("plant", 20), Column("day", 10), Column("status", 9), Column("objection", 30), Column("answer", 30))
SEATS = (Column("validator", 20), Column("signed", 8, right=True), Column("behind", 6, right=True))
ORDER = {"open": 0, "refused": 1, "enacted": 2}


@dataclass(frozen=True)
class Answer:
    proposals: tuple[dict[str, Any], ...]
    appeals: tuple[dict[str, Any], ...]
    seats: tuple[dict[str, Any], ...]
    keys: tuple[Account, ...]


class AuthorityScreen(CabinetScreen):
    HEADING = "Authority"
    KEYS: ClassVar[Keys] = (
        ("a", "approve"),
        ("x", "refuse"),
        ("u", "uphold"),
        ("d", "dismiss"),
        ("Enter", "open"),
        ("Tab", "next table"),
        ("e", "export"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "vote(True)", "Approve the proposal"),
        Binding("x", "vote(False)", "Refuse the proposal"),
        Binding("u", "answer(True)", "Uphold the objection"),
        Binding("d", "answer(False)", "Dismiss the objection"),
    ]

    def body(self) -> ComposeResult:
        yield TextPanel(t("Your action is required"), id="required")
        yield Sheet(t("Proposals"), PROPOSALS, id="proposals", empty=t("no proposal was made yet"))
        yield Sheet(t("Objections"), APPEALS, id="appeals", empty=t("no owner objected to a verdict"))
        with Horizontal(id="below"):
            yield Sheet(t("Validators"), SEATS, id="seats")
            yield TextPanel(t("Keys that vote here"), id="governance")

    def on_mount(self) -> None:
        self._answer: Answer | None = None
        super().on_mount()
        self.query_one("#proposals", Sheet).focus_rows()

    def read(self, client: NodeClient, asked: None) -> Answer:
        return Answer(
            tuple(client.pages("/v1/proposals", "proposals")),
            tuple(client.pages("/v1/appeals", "appeals")),
            tuple(client.get("/v1/validators")["validators"]),
            tuple(self.desk.governance()),
        )

    def show(self, found: Answer) -> None:
        self._answer = found
        names, chain = self.desk.model.names, self.desk.model.chain
        by_key = {item["governance_key"]: item for item in found.seats}
        for key in found.keys:
            seat = by_key.get(key.file.pubkey)
            key.name = str(seat["name"]) if seat else ""
        proposals = sorted(found.proposals, key=lambda item: (ORDER[item["status"]], -int(item["id"])))
        waiting = [item for item in proposals if item["status"] == "open"]
        self.query_one("#proposals", Sheet).show(
            [_proposal(item, names.participant(item["proposer"])) for item in proposals],
            t("{waiting} open of {proposals}", waiting=len(waiting), proposals=len(proposals)),
        )
        objections = sorted(found.appeals, key=lambda item: (item["status"] != "open", -int(item["day"])))
        self.query_one("#appeals", Sheet).show(
            [_appeal(item, names.device(item["device"]).name) for item in objections]
        )
        signed = {seat.index: seat.last_signed for seat in chain.picture().validators}
        self.query_one("#seats", Sheet).show([_seat(item, signed, chain.height) for item in found.seats])
        self.query_one("#governance", TextPanel).picture = _keys(found.keys)
        self.query_one("#required", TextPanel).picture = _required(waiting, found)

    # --- keys

    def on_sheet_opened(self, message: Sheet.Opened) -> None:
        if message.sheet.id == "proposals":
            self.app.push_screen(
                ProposalScreen(self.desk.source.answering(), f"/v1/proposals/{message.key}", self.desk.at)
            )

    def action_vote(self, approve: bool) -> None:
        found, key = self._answer, self.query_one("#proposals", Sheet).chosen
        proposal = next((item for item in found.proposals if str(item["id"]) == key), None) if found else None
        if found is None or proposal is None or proposal["status"] != "open":
            self.notify(t("Choose an open proposal in the table first."), timeout=4)
            return
        voted = {*proposal["approvals"], *proposal["refusals"]}
        seats = {item["governance_key"]: item["index"] for item in found.seats}
        signers = {key.name: key for key in found.keys if key.name and seats[key.file.pubkey] not in voted}
        if not signers:
            why = t("every key of this home has voted") if found.keys else t("this home has no governance key")
            self.notify(t("Nobody here can vote on it: {why}.", why=why), severity="warning", timeout=5)
            return
        self.open_form(vote_form(proposal, approve, signers), anybody=True)

    def action_answer(self, uphold: bool) -> None:
        found, key = self._answer, self.query_one("#appeals", Sheet).chosen
        appeal = next((item for item in found.appeals if _key(item) == key), None) if found else None
        if appeal is None or appeal["status"] != "open":
            self.notify(t("Choose an open objection in the table first."), timeout=4)
        elif self.desk.account is None or "authority" not in self.desk.account.roles:
            self.notify(t("An accredited authority answers objections: sign in as one with S."), timeout=5)
        else:
            self.open_form(answer_form(appeal, uphold, self.desk.model.names.device(appeal["device"]).name))


class ProposalScreen(DetailScreen):
    HEADING = "Proposal"


def _proposal(item: dict[str, Any], by: str) -> Line:
    status, number = item["status"], int(item["id"])
    counts = len(item["approvals"]), len(item["refusals"])
    words = in_words(item["content"])
    return Line(
        str(number),
        (str(number), word(status), words, by, str(counts[0]), str(counts[1])),
        (number, status, words.casefold(), by.casefold(), *counts),
        ("", {"open": "warn", "enacted": "good"}.get(status, "bad"), "strong" if status == "open" else ""),
    )


def _key(item: dict[str, Any]) -> str:
    return f"{item['device']}-{item['day']}-{item['step']}-{item['revision']}"


def _appeal(item: dict[str, Any], plant: str) -> Line:
    status = "overdue" if item["overdue"] else item["status"]
    answer = item["answer"] or t("until {moment}", moment=moment(int(item["answer_until"])))
    style = {"open": "warn", "overdue": "bad", "upheld": "good"}.get(status, "quiet")
    return Line(_key(item), (plant, item["date"], word(status), item["reason"], answer), (), ("strong", "", style))


def _seat(item: dict[str, Any], signed: dict[int, int], height: int) -> Line:
    last = signed.get(item["index"], 0)
    behind = max(0, height - last)
    return Line(
        str(item["index"]),
        (item["name"], str(last), str(behind)),
        (item["name"].casefold(), last, behind),
        ("strong", "", "warn" if behind > 3 else ""),
    )


def _keys(keys: tuple[Account, ...]) -> tuple[tuple[Part, ...], ...]:
    if not keys:
        return (((t("No governance key in this home: votes are cast where the organisation keeps it."), QUIET),),)
    return tuple(
        ((f"{key.name or t('of no validator now')}  ", STRONG), (f"{key.file.pubkey[:16]}…", QUIET)) for key in keys
    )


def _quorum(found: Answer) -> int:
    return len(found.seats) - (len(found.seats) - 1) // 3


def _required(waiting: list[dict[str, Any]], found: Answer) -> tuple[tuple[Part, ...], ...]:
    objections = [item for item in found.appeals if item["status"] == "open"]
    if not waiting and not objections:
        return (((t("Nothing waits for you."), QUIET),),)
    rows: list[tuple[Part, ...]] = []
    if waiting:
        rows.append(
            (
                ("▲ " + t("{counted} to decide on", counted=counted(len(waiting), "proposal")), WARN),
                (
                    ": "
                    + t(
                        "a approves, x refuses; {quorum} of {seats} decide",
                        quorum=_quorum(found),
                        seats=len(found.seats),
                    ),
                    QUIET,
                ),
            )
        )
    if objections:
        rows.append(
            (
                ("▲ " + t("{counted} to answer", counted=counted(len(objections), "objection")), WARN),
                (": " + t("u upholds, d dismisses"), QUIET),
            )
        )
    return tuple(rows)


CABINET = Cabinet("G", "Authority", 60, AuthorityScreen, frozenset({"authority"}))
