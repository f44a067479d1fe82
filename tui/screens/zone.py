"""Which time zone the screens speak: UTC, the machine's own, or any of the IANA list, found by typing a part of it."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui.texts import choice_word, t
from tui.zone import chosen, known

SHOWN = 100  # of the names that fit


class ZoneScreen(ModalScreen[str | None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back"),
        Binding("down", "list", "To the list", show=False),
    ]

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = t("Time zone")
            box.border_subtitle = t("Enter: choose   Escape: back")
            yield Input(placeholder=t("part of a name, such as Moscow; now it is {zone}", zone=chosen()), compact=True)
            yield OptionList()

    def on_mount(self) -> None:
        self._known = known()
        self._show("")
        self.query_one(Input).focus()

    def _show(self, wanted: str) -> None:
        bare = wanted.casefold().strip().replace(" ", "_")
        found = [name for name in self._known if bare in name.casefold()][:SHOWN]
        box = self.query_one(OptionList)
        box.clear_options()
        box.add_options(Option(choice_word(name), id=name) for name in found)
        if found:
            box.highlighted = 0

    def on_input_changed(self, event: Input.Changed) -> None:
        self._show(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        box = self.query_one(OptionList)
        if box.highlighted is not None:
            self.dismiss(box.get_option_at_index(box.highlighted).id)

    def action_list(self) -> None:
        self.query_one(OptionList).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)
