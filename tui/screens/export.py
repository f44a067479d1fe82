"""What a table shows, as a file: CSV for spreadsheets, JSON for programs, Parquet where its library is installed."""

import csv
import json
from io import BytesIO, StringIO
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.texts import t
from tui.widgets.sheet import Column, Line, Sheet

FORMATS = ("csv", "json", "parquet")
FORMULA = ("=", "+", "-", "@", "\t")  # what a spreadsheet would run


class ExportScreen(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Back")]

    def __init__(self, sheet: Sheet, height: int) -> None:
        super().__init__()
        self.sheet, self.height = sheet, height

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = t("Write {lines} rows to a file", lines=len(self.sheet.lines))
            box.border_subtitle = t("Enter: write   Escape: back")
            yield OptionList(*(Option(str(self._path(form)), id=form) for form in FORMATS))

    def _path(self, form: str) -> Path:
        return Path(f"wattest-{self.sheet.id}-{self.height}.{form}")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        form = str(event.option_id)
        path = self._path(form)
        try:
            data = content(form, self.sheet.columns, self.sheet.lines)
            if self.app.is_web:
                self.app.deliver_binary(BytesIO(data), save_filename=path.name)
            else:
                path.write_bytes(data)
        except (OSError, ImportError) as error:
            self.notify(str(error), title=t("Nothing was written"), severity="error", timeout=6)
        else:
            self.notify(
                str(path.absolute()), title=t("{lines} rows are written", lines=len(self.sheet.lines)), timeout=6
            )
        self.dismiss()


def content(form: str, columns: tuple[Column, ...], lines: tuple[Line, ...]) -> bytes:
    """The file of `form`; ImportError where Parquet's library is missing."""
    names = [column.name for column in columns]
    if form == "parquet":
        return _parquet(names, lines)
    if form == "json":
        rows = [dict(zip(names, line.cells, strict=True)) for line in lines]
        return (json.dumps(rows, ensure_ascii=False, indent=1) + "\n").encode()
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([_inert(cell) for cell in line.cells] for line in lines)
    return text.getvalue().encode()


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def _parquet(names: list[str], lines: tuple[Line, ...]) -> bytes:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise ImportError("Parquet needs `pip install wattest[export]`; CSV and JSON need nothing.") from None
    table = arrow.table({name: [line.cells[at] for line in lines] for at, name in enumerate(names)})
    file = BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()
