"""A table to work with: filter as you type, sort by any column, copy a row, write the whole of it to a file.

Rows are known by a key and keep their place under the cursor while what is shown changes. Long lists come in pages:
near the end the sheet asks for more (`Sheet.Wanted`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import DataTable, Input

from tui.texts import t
from tui.widgets.columns import cut

NEAR_END = 40  # rows before the last one at which more are asked for
LOOKED_AT = 200  # rows whose longest text says how wide a column would like to be
PLAIN = {"quiet": "dim", "strong": "bold", "": ""}


@dataclass(frozen=True)
class Column:
    """`width` in cells, more where there is room for what is cut; 0 = as wide as its content."""

    name: str
    width: int = 0
    right: bool = False


@dataclass(frozen=True)
class Line:
    """`cells` as they are shown; `sorts` are what they are ordered by where that is not the text; `style` by column."""

    key: str
    cells: tuple[str, ...]
    sorts: tuple[int | str, ...] = ()
    styles: tuple[str, ...] = ()

    def order(self, column: int) -> tuple[int, int | str]:
        value = self.sorts[column] if self.sorts else self.cells[column].casefold()
        return (0, value) if isinstance(value, int) else (1, value)

    def fits(self, wanted: str) -> bool:
        return not wanted or any(wanted in cell.casefold() for cell in self.cells)


class Sheet(Vertical):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", show=False),
        Binding("escape", "unfilter", "All rows", show=False),
        Binding("o", "order", "Order by the next column", show=False),
        Binding("y", "copy", "Copy the row", show=False),
        Binding("e", "export", "Export", show=False),
        Binding("ctrl+d", "page(1)", "A page down", show=False),
        Binding("ctrl+u", "page(-1)", "A page up", show=False),
        Binding("j", "down", "Down", show=False),
        Binding("k", "up", "Up", show=False),
    ]

    class Chosen(Message):
        """The row under the cursor is another one; key "" = there is none."""

        def __init__(self, sheet: "Sheet", key: str) -> None:
            super().__init__()
            self.sheet, self.key = sheet, key

        @property
        def control(self) -> "Sheet":
            return self.sheet

    class Opened(Chosen):
        """Enter, or a click on the row that was chosen already."""

    class Wanted(Message):
        """The cursor comes near the end and there may be more rows."""

        def __init__(self, sheet: "Sheet") -> None:
            super().__init__()
            self.sheet = sheet

        @property
        def control(self) -> "Sheet":
            return self.sheet

    class Arranged(Message):
        """Filtered or ordered in another way."""

        def __init__(self, sheet: "Sheet") -> None:
            super().__init__()
            self.sheet = sheet

    class Export(Message):
        """The person wants what is shown in a file."""

        def __init__(self, sheet: "Sheet") -> None:
            super().__init__()
            self.sheet = sheet

    wanted = reactive("")

    def __init__(self, title: str, columns: Sequence[Column], *, id: str, empty: str = t("nothing here yet")) -> None:
        super().__init__(id=id)
        self.title = title
        self.columns = tuple(columns)
        self.empty = empty
        self.more = False  # whether rows beyond the last one exist
        self.whole = ""  # path of the node's export of all rows, where there is one
        self._lines: tuple[Line, ...] = ()
        self._shown: tuple[Line, ...] = ()
        self._order: int | None = None
        self._down = False
        self._summary = ""
        self._widths = [column.width for column in self.columns]

    def compose(self) -> ComposeResult:
        search = Input(placeholder=t("filter; Enter keeps it, Escape ends it"), compact=True)
        search.display = False
        yield search
        yield DataTable[Text](cursor_type="row", zebra_stripes=False, cell_padding=1)

    def on_mount(self) -> None:
        self._head()
        self._entitle()
        self.watch(self.app, "theme", self._recolour, init=False)

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one(DataTable)

    def _head(self) -> None:
        for index, column in enumerate(self.columns):
            name = Text(t(column.name), justify="right" if column.right else "left")
            self._table.add_column(name, width=self._widths[index] or None, key=str(index))

    def on_resize(self) -> None:
        self._widths = [column.width for column in self.columns]
        self._widen(self._lines, True)

    def _widen(self, lines: Sequence[Line], anew: bool = False) -> None:
        """What is cut gets the room that is left, the first column first; a column never shrinks under the reader."""
        widths, fixed = list(self._widths), all(column.width for column in self.columns)
        spare = self._table.size.width - sum(width + 2 for width in widths) - 1 if fixed else 0
        for index, width in enumerate(widths):
            head = cell_len(t(self.columns[index].name))
            longest = max((head, *(cell_len(line.cells[index]) for line in lines[:LOOKED_AT])))
            more = max(0, min(longest - width, spare))
            widths[index], spare = width + more, spare - more
        if widths == self._widths and not anew:
            return
        self._widths, kept = widths, self.chosen
        self._table.clear(columns=True)
        self._head()
        shown, self._shown = self._shown, ()
        for line in shown:
            self._table.add_row(*self._cells(line), key=line.key)
        self._shown = shown
        places = {line.key: place for place, line in enumerate(shown)}
        self._table.move_cursor(row=places.get(kept, 0), animate=False)

    # --- how it is arranged

    @property
    def arranged(self) -> tuple[str, int | None, bool]:
        """The filter, the column that orders, whether downward."""
        return self.wanted, self._order, self._down

    def put_back(self, wanted: str, order: int | None, down: bool) -> None:
        """As it was left the last time; a column that there is not orders nothing."""
        known = order is not None and 0 <= order < len(self.columns)
        self._order, self._down = (order, down) if known else (None, False)
        if wanted:
            search = self.query_one(Input)
            search.value, search.display = wanted, True
        self._paint()

    # --- what is shown

    def show(self, lines: Sequence[Line], summary: str = "", more: bool = False) -> None:
        """All rows, and a few words about them for the lower border."""
        self.more = more
        if tuple(lines) != self._lines or summary != self._summary:
            self._lines, self._summary = tuple(lines), summary
            self._widen(self._lines)
            self._paint()

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is shown now, filtered and ordered."""
        return self._shown

    @property
    def chosen(self) -> str:
        """Key of the row under the cursor, or empty."""
        row = self._table.cursor_row
        return self._shown[row].key if 0 <= row < len(self._shown) else ""

    def _paint(self) -> None:
        wanted = self.wanted.casefold()
        shown = [line for line in self._lines if line.fits(wanted)]
        if self._order is not None:
            column = self._order
            shown.sort(key=lambda line: line.order(column), reverse=self._down)
        self._fill(tuple(shown))
        self._entitle()

    def _fill(self, shown: tuple[Line, ...]) -> None:
        """Change what differs: rows that stay are not built again, so that nothing flickers and the cursor stays."""
        table, before, kept = self._table, self._shown, self.chosen
        at_top = table.cursor_row <= 0
        self._shown = shown
        if [line.key for line in before] == [line.key for line in shown[: len(before)]]:
            for old, new in zip(before, shown, strict=False):
                if old != new:
                    for index, cell in enumerate(self._cells(new)):
                        table.update_cell(new.key, str(index), cell)
            for line in shown[len(before) :]:
                table.add_row(*self._cells(line), key=line.key)
            if not before and shown:
                self.post_message(self.Chosen(self, self.chosen))
            return
        table.clear()
        for line in shown:
            table.add_row(*self._cells(line), key=line.key)
        places = {line.key: place for place, line in enumerate(shown)}
        if kept in places and not at_top:
            table.move_cursor(row=places[kept], animate=False)
        if self.chosen != kept:
            self.post_message(self.Chosen(self, self.chosen))

    def _recolour(self) -> None:
        """The cells hold their colours, so another theme builds them again."""
        self._table.clear()
        self._shown = ()
        self._paint()

    def _colours(self) -> dict[str, str]:
        theme = self.app.current_theme
        told = {"good": theme.success or "green", "warn": theme.warning or "yellow"}
        return {**PLAIN, **told, "bad": f"bold {theme.error or 'red'}"}

    def _cells(self, line: Line) -> list[Text]:
        found, colours = [], self._colours()
        for index, column in enumerate(self.columns):
            style = colours[line.styles[index]] if index < len(line.styles) else ""
            text = cut(line.cells[index], self._widths[index]) if column.width else line.cells[index]
            found.append(Text(text, style=style, justify="right" if column.right else "left", no_wrap=True))
        return found

    def _entitle(self) -> None:
        mark = ""
        if self._order is not None:
            mark = "  " + t(
                "by {name} {value}", name=t(self.columns[self._order].name), value="↓" if self._down else "↑"
            )
        kept = (
            "  "
            + t(
                "{shown} of {lines} with {wanted!r}", shown=len(self._shown), lines=len(self._lines), wanted=self.wanted
            )
            if self.wanted
            else ""
        )
        self.border_title = self.title + mark + kept
        self.border_subtitle = self._summary if self._lines else self.empty

    # --- keys

    def action_filter(self) -> None:
        search = self.query_one(Input)
        search.display = True
        search.focus()

    def action_unfilter(self) -> None:
        search = self.query_one(Input)
        search.value = ""
        search.display = False
        self._table.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.wanted = event.value.strip()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        event.input.display = bool(event.value)
        self._table.focus()

    def watch_wanted(self) -> None:
        if self.is_mounted:
            self._paint()
            self.post_message(self.Arranged(self))

    def action_order(self) -> None:
        """Each column upward, then downward, then as it came."""
        if self._order is None:
            self._order, self._down = 0, False
        elif not self._down:
            self._down = True
        else:
            self._order = self._order + 1 if self._order + 1 < len(self.columns) else None
            self._down = False
        self._paint()
        self.post_message(self.Arranged(self))

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        event.stop()
        again = self._order == event.column_index
        self._down = again and not self._down
        self._order = event.column_index
        self._paint()
        self.post_message(self.Arranged(self))

    def action_copy(self) -> None:
        row = self._table.cursor_row
        if 0 <= row < len(self._shown):
            self.app.copy_to_clipboard("\t".join(self._shown[row].cells))
            self.notify(t("The row is in the clipboard."), timeout=2)

    def action_export(self) -> None:
        self.post_message(self.Export(self))

    def action_down(self) -> None:
        self._table.action_cursor_down()

    def action_up(self) -> None:
        self._table.action_cursor_up()

    def action_page(self, step: int) -> None:
        if step > 0:
            self._table.action_page_down()
        else:
            self._table.action_page_up()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        if self.chosen:
            self.post_message(self.Chosen(self, self.chosen))
        if self.more and event.cursor_row >= len(self._shown) - NEAR_END:
            self.post_message(self.Wanted(self))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if self.chosen:
            self.post_message(self.Opened(self, self.chosen))

    def focus_rows(self) -> None:
        self._table.focus()
