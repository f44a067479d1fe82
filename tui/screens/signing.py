"""Before anything is signed it stands here in words; afterwards here is seen how it becomes final, or why not."""

import time
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from state.errors import WattestError
from tui.account import Account
from tui.deeds.deed import Deed, carry_out
from tui.desk import Desk
from tui.texts import said, t
from tui.widgets.columns import BAD, GOOD, QUIET, STRONG, row

TICK_S = 0.2


class SigningScreen(ModalScreen[bool]):
    """True when it is final."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back"),
        Binding("enter", "sign", "Sign", priority=False),
        Binding("c", "code", "The statement with its code"),
    ]

    def __init__(self, desk: Desk, deed: Deed) -> None:
        super().__init__()
        account = deed.signer or desk.account
        assert account is not None, "somebody has to sign"
        self.desk, self.deed = desk, deed
        self.signer: Account = account
        self._state = "asked"  # asked, signing, final, refused
        self._step = ""
        self._began = 0.0
        self._statement = ""  # what a retirement left, once it is final

    def compose(self) -> ComposeResult:
        whole = f"{self.signer.name} ({self.signer.id})" if self.signer.id else self.signer.name
        who = whole or t("its organisation")
        with VerticalScroll() as box:
            box.border_title = self.deed.title
            yield Static(
                row(
                    (t("This will be signed by") + " ", QUIET),
                    (self.signer.key_name, STRONG),
                    (" " + t("for {who}", who=who), QUIET),
                )
            )
            yield Static(Content("\n").join([Content(""), *(row(("  ", ""), line) for line in self.deed.words())]))
            yield Static("", id="progress")
            if self.signer.needs_passphrase():
                yield Input(
                    password=True,
                    placeholder=t("passphrase of {key_name}", key_name=self.signer.key_name),
                    id="passphrase",
                )

    def on_mount(self) -> None:
        self._subtitle(t("Enter: sign and send   Escape: back, nothing is signed"))
        self.set_interval(TICK_S, self._tick)
        for field in self.query(Input):
            field.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_sign()

    def action_sign(self) -> None:
        if self._state == "final":
            self.dismiss(True)
        elif self.desk.replay is not None:
            self._say(row((t("This is the past: nothing can be signed here. R, then Escape, leads back to now."), BAD)))
        elif self._state in ("asked", "refused"):
            given = [field.value for field in self.query(Input)]
            self._state, self._step, self._began = "signing", t("signing …"), time.monotonic()
            self._subtitle("")
            self._carry_out(given[0] if given else "")

    def action_code(self) -> None:
        """A camera may read it at once: where the window is small the table of statements is a walk away."""
        if self._statement:
            from tui.screens.statement import StatementScreen

            self.app.push_screen(StatementScreen(self.desk, self._statement))

    def action_leave(self) -> None:
        """While it is on its way the ledger decides: leaving the window changes nothing about that."""
        self.dismiss(self._state in ("final", "signing"))

    @work(thread=True, exit_on_error=False)
    def _carry_out(self, passphrase: str) -> None:
        try:
            key = self.signer.unlock(passphrase)
            client = self.desk.client()
            try:
                final = carry_out(client, key, self.deed, lambda step: self.app.call_from_thread(self._on_step, step))
            finally:
                client.close()
        except (WattestError, ArithmeticError, ValueError, TypeError, KeyError) as error:  # the others: not to be built
            self.app.call_from_thread(self._refused, error)
        else:
            self.app.call_from_thread(self._final, final)

    # --- what is said

    def _on_step(self, step: str) -> None:
        self._step = step

    def _tick(self) -> None:
        if self._state == "signing":
            self._say(row((self._step, ""), (f"  {time.monotonic() - self._began:.1f} s", QUIET)))

    def _final(self, final: dict[str, Any]) -> None:
        self._state = "final"
        if not self.is_mounted:
            return
        lines = [row(("✔ ", GOOD), (text, STRONG)) for text in final.get("lines", [])[:1]] or self._receipt(final)
        lines += [row(("  ", ""), (text, "")) for text in final.get("lines", [])[1:]]
        self._say(Content("\n").join(lines))
        left = [str(event["statement"]) for event in final.get("events", []) if event.get("kind") == "retired"]
        self._statement = left[0] if left else ""
        self._subtitle(t("c: the statement with its QR code   Enter: done") if left else t("Enter: done"))
        for field in self.query(Input):
            field.display = False
        self.set_focus(None)

    def _receipt(self, final: dict[str, Any]) -> list[Content]:
        """Of a transaction."""
        seconds = time.monotonic() - self._began
        said_so = t("final in block {height} after {seconds:.1f} s", height=final["height"], seconds=seconds)
        lines = [row(("✔ ", GOOD), (said_so, STRONG))]
        lines += [row(("  ", ""), line) for line in map(made, final.get("events", [])) if line]
        return [*lines, row(("  " + t("transaction") + " ", QUIET), (final["txid"], ""))]

    def _refused(self, error: Exception) -> None:
        self._state = "refused"
        if self.is_mounted:
            self._say(row(("✖ ", BAD), (said(error), BAD)))
            self._subtitle(t("Enter: try again   Escape: back to the form, nothing is lost"))

    def _say(self, content: Content) -> None:
        self.query_one("#progress", Static).update(Content("\n").join([Content(""), content]))

    def _subtitle(self, text: str) -> None:
        self.query_one(VerticalScroll).border_subtitle = text


def made(event: dict[str, Any]) -> str:
    """What the ledger gave: the numbers that a person wants to know."""
    match event.get("kind"):
        case "registered":
            return t("participant {participant} is {name}", participant=event["participant"], name=event["name"])
        case "proposed":
            return t("proposal {proposal} ({content}) is open", proposal=event["proposal"], content=event["content"])
        case "enacted":
            return t(
                "proposal {proposal} is enacted: {content} {created}",
                proposal=event["proposal"],
                content=event["content"],
                created=event["created"],
            )
        case "retired":
            return t("statement {statement}", statement=event["statement"])
        case "voted":
            return t("the vote on proposal {proposal} counts", proposal=event["proposal"])
        case "appealed":
            return t("the objection is on record; the authority has to answer in its term")
    return ""
