"""What a table shows, as a file: CSV for spreadsheets, JSON for programs, Parquet where its library is installed."""

import csv
import json
from io import BytesIO, StringIO
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from state.errors import WattestError
from tui.desk import Desk
from tui.texts import said, t
from tui.widgets.columns import QUIET, row
from tui.widgets.sheet import Column, Line, Sheet

FORMATS = ("csv", "json", "parquet")
WHOLE = ("csv", "json")  # of a node's export
FORMULA = ("=", "+", "-", "@", "\t")  # what a spreadsheet would run


class ExportScreen(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Back")]

    def __init__(self, sheet: Sheet, desk: Desk) -> None:
        super().__init__()
        self.sheet, self.desk, self.height = sheet, desk, desk.model.chain.height

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = t("Write {lines} rows to a file", lines=len(self.sheet.lines))
            box.border_subtitle = t("Enter: write   Escape: back")
            yield OptionList(*(Option(str(self._path(form)), id=form) for form in FORMATS))
            if self.sheet.more and self.sheet.whole and not self.app.is_web:
                yield Static(
                    row((t("These are the rows that are loaded. Every row there is, as the node tells it:"), QUIET))
                )
                yield OptionList(*(Option(str(self._path(form, "-all")), id=f"all.{form}") for form in WHOLE), id="all")

    def on_mount(self) -> None:
        self.query(OptionList).first().focus()

    def _path(self, form: str, part: str = "") -> Path:
        return Path(f"wattest-{self.sheet.id}-{self.height}{part}.{form}")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        form = str(event.option_id)
        if form.startswith("all."):
            self._fetch(form.removeprefix("all."))
            self.dismiss()
            return
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

    def _fetch(self, form: str) -> None:
        app, path, whole, desk = self.app, self._path(form, "-all"), self.sheet.whole, self.desk
        app.run_worker(lambda: fetched(app, desk, f"{whole}&format={form}", path), thread=True, exit_on_error=False)


def fetched(app: "App[object]", desk: Desk, address: str, path: Path) -> None:
    """All rows as a stream to a file beside, which takes the name once it is whole."""
    beside = path.with_suffix(f"{path.suffix}.part")
    client = desk.client()
    try:
        _, pieces = client.stream(address if client.at is None else f"{address}&at={client.at}")
        with beside.open("wb") as file:
            file.writelines(pieces)
        beside.replace(path)
    except (OSError, WattestError) as error:
        beside.unlink(missing_ok=True)
        app.call_from_thread(app.notify, said(error), title=t("Nothing was written"), severity="error", timeout=6)
    else:
        app.call_from_thread(app.notify, str(path.absolute()), title=t("All rows are written"), timeout=6)
    finally:
        client.close()


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
