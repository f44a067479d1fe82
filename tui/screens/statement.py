"""A retirement statement with its QR code: what anybody with a phone can check, and every field below it."""

from typing import Any

from textual.content import Content
from textual.events import Resize
from textual.widgets import Static

from tui.desk import Desk
from tui.parts.statements import statement_url
from tui.screens.detail import DetailScreen, field_lines
from tui.widgets.columns import QUIET, row
from tui.widgets.statement import INK, qr_lines

QUIET_ZONE = 2  # modules around the code
SMALL_HEIGHT = 32


class StatementScreen(DetailScreen):
    HEADING = "Statement"

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.height < SMALL_HEIGHT, "-small")  # a camera reads the whole code or nothing

    def __init__(self, desk: Desk, statement: str) -> None:
        super().__init__(desk.source.answering(), f"/v1/statements/{statement}", desk.at)
        model = desk.model
        self._address = statement_url(model.public_url, statement, model.chain.chain_id)

    def show(self, answer: dict[str, Any]) -> None:
        code = [row(("  ", ""), (line, INK)) for line in qr_lines(self._address, QUIET_ZONE)]
        head = [*code, row((self._address, QUIET)), Content("")]
        rows = [line for name, value in answer.items() if name != "schema" for line in field_lines(name, value)]
        self.query_one("#fields", Static).update(Content("\n").join([*head, *rows]))
