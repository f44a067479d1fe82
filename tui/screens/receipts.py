"""What every order of a settled session is told: what it got, why at this price, who could read it, what comes next."""

from typing import Any

from textual.content import Content
from textual.widgets import Static

from tui.screens.detail import DetailScreen
from tui.texts import t, word
from tui.widgets.columns import GOOD, QUIET, STRONG, row

WORDS = ("result", "why_this_price", "who_could_see", "what_is_next")


class ReceiptsScreen(DetailScreen):
    """Own receipts first; they are marked."""

    HEADING = "Receipts"
    TOLD = True

    def __init__(self, url: str, path: str, me: int, at: int | None = None) -> None:
        super().__init__(url, path, at)
        self.me = me

    def show(self, answer: dict[str, Any]) -> None:
        lines = [
            row(
                (t("session {number}", number=answer["auction"]) + f"  {answer['title']}", STRONG),
                (f"  {word(answer['status'])}", QUIET),
            )
        ]
        receipts = sorted(
            answer["receipts"], key=lambda item: (int(item["participant"]) != self.me, int(item["order"]))
        )
        if not receipts:
            lines.append(row((t("Receipts come with the settlement."), QUIET)))
        for item in receipts:
            mine = int(item["participant"]) == self.me
            whose = t("you") if mine else t("participant {number}", number=item["participant"])
            head = t("order {number} of {whose}", number=item["order"], whose=whose)
            lines += [Content(""), row((head, GOOD if mine else STRONG))]
            lines += [row(("  ", ""), str(item[name])) for name in WORDS if item.get(name)]
        self.query_one("#fields", Static).update(Content("\n").join(lines))
