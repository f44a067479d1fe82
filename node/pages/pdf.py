"""A statement as a PDF: the same `Sheet` as the page and the text, on paper, with its QR code. Needs the extra `pdf`.

The file is the same for the same statement, language and fonts: its date is that of the retirement, not of the print.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import segno
from fpdf import FPDF
from fpdf.enums import WrapMode, XPos, YPos

from node.pages.fonts import fonts_for
from node.pages.statement import Section, Sheet, sheet
from node.texts import Texts

MARGIN_MM = 18
CODE_MM = 34
LABEL_MM = 46
INK, SOFT, GREEN, LINE = (21, 33, 26), (90, 106, 96), (20, 113, 63), (224, 230, 222)


def statement_pdf(
    t: Texts, shown: dict[str, Any], url: str, others: Sequence[str] = (), fonts: Sequence[Path] = ()
) -> bytes:
    """NoFont where this machine has no glyphs for what it says."""
    told = sheet(t, shown, others)
    wrap = WrapMode.CHAR if t.language == "zh" else WrapMode.WORD  # Chinese is written without spaces
    paper = _Paper(told, url, wrap, fonts_for(_text_of(told) + t("Page {number}", number="0123456789") + url, fonts))
    paper.print(t)
    at = datetime.fromtimestamp(int(shown["retired_at"]), UTC)
    return paper.finished(told.title, t.tag, at)


def _text_of(told: Sheet) -> str:
    lines = [line for section in told.sections for line in section.lines]
    parts = [told.title, told.headline, told.sentence, *(section.title for section in told.sections)]
    return "".join([*parts, *(line.label + line.value for line in lines)])


class _Paper:
    """A4, one column; labels on the left, values beside them."""

    def __init__(self, told: Sheet, url: str, wrap: WrapMode, fonts: Sequence[Path]) -> None:
        self._told = told
        self._url = url
        self._wrap = wrap
        self._pdf = FPDF(format="A4")
        self._pdf.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
        self._pdf.set_auto_page_break(True, MARGIN_MM)
        for number, path in enumerate(fonts):
            self._pdf.add_font(f"font{number}", fname=path)
        self._pdf.set_fallback_fonts([f"font{number}" for number in range(1, len(fonts))])
        self._pdf.add_page()

    def print(self, t: Texts) -> None:
        pdf, told = self._pdf, self._told
        top = pdf.get_y()
        width = pdf.epw - CODE_MM - 6
        self._write(told.title, 9, SOFT, width)
        self._write(told.headline, 17, INK, width)
        self._write(told.sentence, 10, INK, width)
        below = pdf.get_y()
        self._code(pdf.w - MARGIN_MM - CODE_MM, top)
        pdf.set_y(max(below, top + CODE_MM) + 4)
        for section in told.sections:
            self._section(section)
        for page in range(1, pdf.pages_count + 1):
            pdf.page = page
            pdf.set_auto_page_break(False)
            pdf.set_y(-12)
            self._font(8, SOFT)
            pdf.cell(text=f"{told.id}   {t('Page {number}', number=page)}")

    def finished(self, title: str, language: str, at: datetime) -> bytes:
        pdf = self._pdf
        pdf.set_title(f"{title} {self._told.id}")
        pdf.set_lang(language)
        pdf.set_producer("wattest")
        pdf.set_creation_date(at)
        return bytes(pdf.output())

    def _font(self, size: int, colour: tuple[int, int, int]) -> None:
        self._pdf.set_font("font0", size=size)
        self._pdf.set_text_color(*colour)

    def _write(self, text: str, size: int, colour: tuple[int, int, int], width: float) -> None:
        self._font(size, colour)
        self._pdf.multi_cell(width, size * 0.5, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self._pdf.ln(1)

    def _section(self, section: Section) -> None:
        pdf = self._pdf
        if pdf.get_y() > pdf.h - 45:
            pdf.add_page()
        self._write(section.title, 12, GREEN, pdf.epw)
        for line in section.lines:
            top, page = pdf.get_y(), pdf.page
            self._font(8, SOFT)
            pdf.multi_cell(LABEL_MM, 5, line.label, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            below = pdf.get_y()
            self._font(9, INK)
            pdf.set_xy(MARGIN_MM + LABEL_MM + 2, top if pdf.page == page else below - 5)
            pdf.multi_cell(0, 5, line.value, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT, wrapmode=self._wrap)
            if pdf.page == page:
                pdf.set_y(max(below, pdf.get_y()))
            pdf.set_draw_color(*LINE)
            pdf.line(MARGIN_MM, pdf.get_y() + 0.4, pdf.w - MARGIN_MM, pdf.get_y() + 0.4)
            pdf.ln(1)
        pdf.ln(3)

    def _code(self, left: float, top: float) -> None:
        """The QR code as squares, so that no picture is needed and no printer blurs it."""
        matrix = list(segno.make(self._url, error="m", micro=False).matrix_iter(border=2))
        side = CODE_MM / len(matrix)
        self._pdf.set_fill_color(0, 0, 0)
        for row, cells in enumerate(matrix):
            for column, dark in enumerate(cells):
                if dark:
                    self._pdf.rect(left + column * side, top + row * side, side, side, style="F")
