"""Who signs in: the wallet keys of the home with the participants behind them, and the passphrase of one."""

from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from state.errors import WattestError
from tui.account import Account, introduce
from tui.desk import Desk
from tui.texts import kind_word, said, t
from tui.widgets.columns import BAD, QUIET, row

NOBODY = "nobody"


class AccountScreen(ModalScreen[Account | None]):
    """The account that was chosen and opened; None = left as it was. Choosing nobody signs out."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back")]

    def __init__(self, desk: Desk, home: Path) -> None:
        super().__init__()
        self.desk, self.home = desk, home
        self._accounts: dict[str, Account] = {}
        self._chosen: Account | None = None

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = t("Who are you?")
            box.border_subtitle = t("Enter: choose   Escape: back")
            yield Static(row((t("wallet keys in {home}", home=self.home), QUIET)))
            yield OptionList()
            yield Static("", id="mistake")
            secret = Input(password=True, id="passphrase")
            secret.display = False
            yield secret

    def on_mount(self) -> None:
        self._look()

    @work(thread=True, exit_on_error=False)
    def _look(self) -> None:
        found = self.desk.accounts()
        try:
            client = self.desk.client()
            try:
                for account in found:
                    introduce(client, account)
            finally:
                client.close()
        except (WattestError, KeyError, TypeError, ValueError) as error:
            self.app.call_from_thread(self._say, said(error))
        self.app.call_from_thread(self._show, found)

    def _show(self, found: list[Account]) -> None:
        if not self.is_mounted:
            return
        self._accounts = {account.key_name: account for account in found}
        options = [Option(_title(account), id=account.key_name) for account in found]
        if self.desk.account is not None:
            options.append(Option(t("nobody: look on without a key"), id=NOBODY))
        box = self.query_one(OptionList)
        box.add_options(options)
        if options:
            box.highlighted = 0
        else:
            sealed = " " + t("sealed under a passphrase") if self.desk.sealed_only else ""
            self._say(
                t(
                    "There is no wallet key{sealed} in {home}; make one with `wattest keys add NAME`.",
                    sealed=sealed,
                    home=self.home,
                )
            )
        box.focus()

    def _say(self, text: str) -> None:
        if self.is_mounted:
            self.query_one("#mistake", Static).update(row((text, BAD)))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        name = str(event.option_id)
        if name == NOBODY:
            self.desk.account = None
            self.dismiss(None)
            return
        self._chosen = self._accounts[name]
        if not self._chosen.needs_passphrase():
            self._open("")
            return
        secret = self.query_one(Input)
        secret.placeholder = t("passphrase of {name}; empty: only look on", name=name)
        secret.display = True
        secret.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.value:
            self._say("")
            self._open(event.value)
        else:
            self.dismiss(self._chosen)

    @work(thread=True, exit_on_error=False, exclusive=True)
    def _open(self, passphrase: str) -> None:
        account = self._chosen
        assert account is not None, "one was chosen"
        try:
            account.unlock(passphrase)
        except WattestError as error:
            self.app.call_from_thread(self._say, said(error))
        else:
            self.app.call_from_thread(self.dismiss, account)

    def action_leave(self) -> None:
        self.dismiss(None)


def _title(account: Account) -> str:
    who = f"{account.name} ({account.id})" if account.id else t("not registered yet")
    roles = ", ".join(kind_word(role) for role in account.roles)
    return f"{account.key_name}   {who}" + (f"   {roles}" if roles else "")
