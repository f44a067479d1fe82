"""A form on the screen: fields, the first mistake in words, and a draft that outlives a closed window."""

from functools import partial
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import DescendantFocus, Resize
from textual.geometry import Offset, Region
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Label, Select, Static

from state.errors import WattestError
from tui.deeds.deed import Deed, Mistake
from tui.deeds.form import Field, Form, Values
from tui.desk import Desk
from tui.screens.signing import SigningScreen
from tui.texts import choice_word, said, t
from tui.widgets.columns import BAD, QUIET, row

SMALL_HEIGHT = 30  # below it no empty line stands between two fields
LONGEST = 512  # characters of a field: more is a paste that went wrong


class Fields(VerticalScroll):
    """Whatever brings a field into sight brings its label too, in the row above."""

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        self.scroll_to_widget(event.widget, animate=False)

    def scroll_to_region(self, region: Region, **how: Any) -> Offset:
        return super().scroll_to_region(region.grow((1, 0, 0, 0)), **how)


class FormScreen(ModalScreen[bool]):
    """True once what the form says is final. Escape keeps the draft for the next time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back"),
        Binding("ctrl+s", "go_on", "Go on", priority=True),
    ]

    def __init__(self, desk: Desk, form: Form) -> None:
        super().__init__()
        self.desk, self.form = desk, form
        self._busy = False

    @property
    def _draft(self) -> Values:
        """What was typed so far. A draft that another version kept may lack a field, and has no others."""
        kept = self.desk.drafts.setdefault(self._draft_name, {})
        for field in self.form.fields:
            kept.setdefault(field.name, field.value)
        return kept

    @property
    def _draft_name(self) -> str:
        """Of the draft: what a number means differs from chain to chain."""
        return f"{self.desk.now.chain.chain_id[:8]}:{self.form.name}:{self.form.title}"

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = self.form.title
            box.border_subtitle = t("Enter: next field   Ctrl-S: go on   Escape: back, the draft stays")
            with Fields(can_focus=False):
                for field in self.form.fields:
                    yield Label(field.label + ("" if field.required else "  " + t("(may stay empty)")))
                    yield self._input(field)
                if self.form.remark:
                    yield Static(row((self.form.remark, QUIET)))
            yield Static("", id="mistake")  # outside of what scrolls: seen from every field

    def _input(self, field: Field) -> Input | Select[str]:
        value = self._draft[field.name]
        if field.choices:
            chosen = value if value in field.choices else field.choices[0]
            return Select([(choice_word(choice), choice) for choice in field.choices], value=chosen, allow_blank=False,
                          id=f"field-{field.name}", compact=True)  # fmt: skip
        return Input(value, placeholder=field.hint, id=f"field-{field.name}", max_length=LONGEST, compact=True)

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.height < SMALL_HEIGHT, "-small")

    def on_mount(self) -> None:
        for select in self.query(Select):
            self.watch(select, "expanded", partial(self._chosen, select), init=False)
        empty = [each for each in self.query(Input) if not each.value]
        (empty[0] if empty else self.query(Input).first()).focus()

    def values(self) -> Values:
        found: dict[str, Any] = {}
        for field in self.form.fields:
            widget = self.query_one(f"#field-{field.name}")
            assert isinstance(widget, Input | Select)
            found[field.name] = str(widget.value)
        return found

    def on_input_changed(self, event: Input.Changed) -> None:
        self._draft.update(self.values())

    def on_select_changed(self, event: Select.Changed) -> None:
        self._draft.update(self.values())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter leads through the fields; in the last one it goes on."""
        self._next(event.input)

    def _chosen(self, select: Select[str], expanded: bool) -> None:
        """The list closed again: what was chosen is seen, and the next field is due."""
        if not expanded and self.is_current:
            self._next(select)

    def _next(self, given: Widget) -> None:
        fields = [self.query_one(f"#field-{field.name}") for field in self.form.fields]
        place = fields.index(given)
        if place + 1 < len(fields):
            fields[place + 1].focus()
        elif isinstance(given, Input):
            self.action_go_on()

    def action_leave(self) -> None:
        self.dismiss(False)

    def action_go_on(self) -> None:
        if self._busy:
            return
        values = self.values()
        try:
            self.form.check(values)
        except Mistake as mistake:
            self._mistaken(str(mistake))
            return
        self._busy = True
        self._say(t("asking the node …"), QUIET)
        self._make(values)

    def _say(self, text: str, style: str) -> None:
        self.query_one("#mistake", Static).update(row((text, style)))

    @work(thread=True, exit_on_error=False)
    def _make(self, values: Values) -> None:
        account = self.desk.account
        try:
            client = self.desk.client()
            try:
                deed = self.form.make(client, account, values)
            finally:
                client.close()
        except Mistake as mistake:
            self.app.call_from_thread(self._refuse, str(mistake))
        except WattestError as error:
            self.app.call_from_thread(self._refuse, said(error))
        except (ArithmeticError, KeyError, TypeError, ValueError) as error:
            self.app.call_from_thread(self._refuse, t("This cannot be built: {error}", error=error))
        else:
            self.app.call_from_thread(self._sign, deed)

    def _refuse(self, text: str) -> None:
        self._busy = False
        if self.is_mounted:
            self._mistaken(text)

    def _mistaken(self, text: str) -> None:
        """The sentence, and the cursor in the field that it begins with."""
        self._say(text, BAD)
        for field in self.form.fields:
            if text.startswith(f"{field.label}:"):
                self.query_one(f"#field-{field.name}").focus()

    def _sign(self, deed: Deed) -> None:
        self._busy = False
        if self.is_mounted:
            self._say("", "")
            self.app.push_screen(SigningScreen(self.desk, deed), self._signed)

    def _signed(self, final: bool | None) -> None:
        """Final: the draft has served. Otherwise the form stands as it was."""
        if final:
            self.desk.drafts.pop(self._draft_name, None)
            self.dismiss(True)
