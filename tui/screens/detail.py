"""A block or a transaction to its last field, asked of the node in a thread of its own."""

from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from state.errors import WattestError
from tui.texts import language, said, t
from tui.widgets.columns import BAD, QUIET, STRONG, row
from tui.words import ledger_time

TIMEOUT_S = 5.0
SHOWN = 200  # transactions that a block's list names
LABEL = 24


class DetailScreen(ModalScreen[None]):
    """`path` of the API's answer whose fields are listed; `at` an earlier height that it is about."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss", "Back")]
    HEADING = ""
    TOLD = False  # the answer has sentences, which are asked for in the language of the screens

    def __init__(self, url: str, path: str, at: int | None = None) -> None:
        super().__init__()
        self.url, self.path, self.at = url, path, at

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = t(self.HEADING)
            box.border_subtitle = t("Escape: back")
            yield Static(row((t("asking the node …"), QUIET)), id="fields")
            yield OptionList(id="parts")

    def on_mount(self) -> None:
        self.query_one(OptionList).display = False
        self.ask()

    @work(thread=True, exit_on_error=False)
    def ask(self) -> None:
        from node.client import NodeClient

        client = NodeClient(self.url, TIMEOUT_S)
        client.at = self.at
        try:
            answer = client.get(self.path, **({"lang": language()} if self.TOLD else {}))
        except WattestError as error:
            self.app.call_from_thread(self.refuse, said(error))
            return
        finally:
            client.close()
        self.app.call_from_thread(self.show, answer)

    def refuse(self, sentence: str) -> None:
        self.query_one("#fields", Static).update(row((sentence, BAD)))

    def show(self, answer: dict[str, Any]) -> None:
        lines = [line for name, value in answer.items() if name != "schema" for line in field_lines(name, value)]
        self.query_one("#fields", Static).update(Content("\n").join(lines))


class BlockScreen(DetailScreen):
    HEADING = "Block"

    def __init__(self, url: str, height: int) -> None:
        super().__init__(url, f"/v1/blocks/{height}")

    def show(self, answer: dict[str, Any]) -> None:
        transactions = answer.pop("transactions")
        super().show({"height": answer.pop("height"), "time": ledger_time(int(answer["timestamp_ms"])), **answer})
        parts = self.query_one(OptionList)
        parts.add_options(Option(t("transaction {txid}", txid=txid), id=txid) for txid in transactions[:SHOWN])
        parts.display = bool(transactions)
        if transactions:
            parts.highlighted = 0
            parts.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.app.push_screen(TransactionScreen(self.url, str(event.option_id)))


class TransactionScreen(DetailScreen):
    HEADING = "Transaction"
    TOLD = True

    def __init__(self, url: str, txid: str) -> None:
        super().__init__(url, f"/v1/transactions/{txid}")


def field_lines(name: str, value: Any, depth: int = 0) -> list[Content]:
    """One line a field; objects and lists below their name, indented. Nothing is left out."""
    indent = "  " * depth
    label = (f"{indent}{name}".ljust(LABEL) + " ", QUIET)
    match value:
        case dict() if value:
            inner = [line for key, item in value.items() for line in field_lines(key, item, depth + 1)]
            return [row(label), *inner]
        case list() if value and isinstance(value[0], dict | list):
            inner = [line for number, item in enumerate(value, 1) for line in field_lines(str(number), item, depth + 1)]
            return [row(label), *inner]
        case list() if value and isinstance(value[0], str):
            return [row(label), *(row(f"{indent}  ", (item, STRONG)) for item in value)]
        case list():
            return [row(label, (", ".join(map(str, value)) or "none"))]
    return [row(label, "–" if value is None or value == "" else str(value))]
