"""The validators and the newest blocks: who leads, who signed, whether all state roots are equal."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.reactive import reactive

from tui.messages import OpenBlock
from tui.pictures import DIFFER, EQUAL, BlockPicture, NetworkPicture, ValidatorPicture
from tui.texts import t
from tui.widgets.columns import BAD, GOOD, QUIET, STRONG, WARN, Part, beside, cell, fitted, row
from tui.widgets.panel import Panel
from tui.words import clock, short

NAME, HEIGHT, ROOT, MARKS, GAP = 14, 7, 10, 12, 3
BLOCK = 36  # cells of a block's height, proposer, transactions and time
TABLE = 4 + NAME + HEIGHT + 2 + ROOT + 2 + MARKS
SIDE_BY_SIDE = 100  # cells; narrower, the blocks stand under the validators
MARK = {"proposed": ("◆", "$text-accent"), "signed": ("■", GOOD), "absent": ("·", QUIET)}


class NetworkPanel(Panel):
    BORDER_TITLE = "1 Network"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Newer block", show=False),
        Binding("down", "move(1)", "Older block", show=False),
        Binding("enter", "open", "Open block", show=False),
    ]

    picture = reactive(NetworkPicture())
    chosen: reactive[int | None] = reactive(None)  # height of the block that Enter opens

    _blocks_at = 1  # line of the newest block, for clicks
    _blocks_from = 0  # column where the list of blocks begins

    def lines(self, width: int, height: int) -> list[Content]:
        side_by_side = width >= SIDE_BY_SIDE and height < 14
        room = height - 1 if side_by_side else min(len(self.picture.validators) + 1, height - 1)
        table = [_head(width), *(_validator(found, width) for found in self.picture.validators)]
        if len(table) > room:
            table = [*table[: room - 1], row(("  … " + t("{table} more: press 1", table=len(table) - room + 1), QUIET))]
        closing = self._sum_up(width)
        if side_by_side:
            left = TABLE + GAP
            self._blocks_at, self._blocks_from = 1, left
            blocks = self._block_lines(width - left, height - 1)
            joined = beside(table, blocks, TABLE, GAP)
            return [*joined, *[Content("")] * (height - 1 - len(joined)), closing]
        self._blocks_at, self._blocks_from = len(table) + 3, 0
        return [*table, closing, Content(""), *self._block_lines(width, height - len(table) - 2)]

    # --- the state of the whole

    def _sum_up(self, width: int) -> Content:
        picture = self.picture
        if not picture.validators:
            return row((t("waiting for the first answer of a node"), QUIET))
        roots: dict[str, Part] = {
            EQUAL: ("✔ " + t("state roots equal at height {height}", height=picture.height), f"bold {GOOD}"),
            DIFFER: ("✖ " + t("STATE ROOTS DIFFER"), BAD),
        }
        known = [found for found in picture.validators if found.waiting is not None]
        parts = [
            roots.get(picture.roots, (t("state roots unknown"), WARN)),
            ("   " + t("epoch {epoch}, view {view}:", epoch=picture.epoch, view=picture.view) + " ", QUIET),
            (t("{leader} leads", leader=picture.leader), "$text-accent"),
        ]
        if known:
            waiting = max(found.waiting or 0 for found in known)
            peers = min(found.peers or 0 for found in known)
            if not _roomy(width):
                parts.append(
                    (
                        "   "
                        + t("{waiting} waiting in the mempool   {peers} peers each", waiting=waiting, peers=peers),
                        QUIET,
                    )
                )
        return fitted(parts, width)

    def watch_picture(self, picture: NetworkPicture) -> None:
        if picture.chain:
            self.border_title = t("1 Network: {name}, chain {chain}", name=picture.name, chain=picture.chain)

    # --- blocks

    def _block_lines(self, width: int, height: int) -> list[Content]:
        head = fitted(
            [_block_cells(t("block"), t("proposer"), t("txs"), t("time")), ("   " + t("what it did"), "")], width
        )
        lines = [head.stylize(QUIET)]
        for block in self.picture.blocks[: max(0, height - 1)]:
            lines.append(self._block(block, width))
        return lines

    def _block(self, block: BlockPicture, width: int) -> Content:
        what = _told(block.what or t("heartbeat"), width - BLOCK - 3)
        text, _ = _block_cells(str(block.height), block.proposer, str(block.transactions), clock(block.time_ms))
        if block.height == self.chosen:
            return fitted([(text, "reverse"), (f"   {what}", "reverse")], width)
        return fitted([(text, ""), (f"   {what}", STRONG if block.transactions else QUIET)], width)

    def action_move(self, step: int) -> None:
        heights = [block.height for block in self.picture.blocks]
        if not heights:
            return
        at = heights.index(self.chosen) + step if self.chosen in heights else 0
        self.chosen = heights[min(max(at, 0), len(heights) - 1)]

    def action_open(self) -> None:
        if self.chosen is not None:
            self.post_message(OpenBlock(self.chosen))
        else:
            self.action_move(0)

    def on_click(self, event: Click) -> None:
        place = event.get_content_offset(self)
        if place is None or place.x < self._blocks_from:
            return
        index = place.y - self._blocks_at
        if 0 <= index < len(self.picture.blocks):
            self.chosen = self.picture.blocks[index].height
            self.action_open()

    def on_blur(self) -> None:
        self.chosen = None


def _told(what: str, width: int) -> str:
    """The weightiest of what a block did, whole words only."""
    parts = what.split(", ")
    while len(parts) > 1 and len(", ".join(parts)) > width:
        parts = [*parts[:-2], "…"] if parts[-1] == "…" else [*parts[:-1], "…"]
    return ", ".join(parts)


def _block_cells(height: str, proposer: str, transactions: str, time: str) -> Part:
    parts = (cell(height, 6, right=True), cell(proposer, 12), cell(transactions, 4, right=True), cell(time, 8))
    return "  ".join(text for text, _ in parts), ""


# --- validators


def _head(width: int) -> Content:
    parts: list[Part] = [
        cell("    " + t("validator"), 4 + NAME, QUIET),
        cell(t("height"), HEIGHT, QUIET, right=True),
        cell("  " + t("state root"), ROOT + 2, QUIET),
        cell("  " + t("last blocks"), MARKS + 2, QUIET),
    ]
    if _roomy(width):
        parts += [cell(t("peers"), 8, QUIET, right=True), cell(t("waiting"), 10, QUIET, right=True)]
    return row(*parts)


def _validator(found: ValidatorPicture, width: int) -> Content:
    lamp = {True: ("● ", GOOD), False: ("● ", BAD), None: ("○ ", QUIET)}[found.alive]
    leader: Part = ("▶ ", "bold $text-accent") if found.leads else ("  ", "")
    name = cell(found.name, NAME, BAD if found.alive is False else STRONG)
    marks = [(" ", ""), (" ", "")] + [("·", QUIET)] * (MARKS - len(found.marks)) + [MARK[mark] for mark in found.marks]
    parts = [leader, lamp, name, *_standing(found), *marks]
    if _roomy(width):
        parts += [cell(_known(found.peers), 8, right=True), cell(_known(found.waiting), 10, right=True)]
    return row(*parts)


def _standing(found: ValidatorPicture) -> list[Part]:
    if found.alive is False:
        return [
            cell(t("down"), HEIGHT, BAD, right=True),
            cell("  " + t("since {last_signed}", last_signed=found.last_signed), ROOT + 2, QUIET),
        ]
    if found.other_chain:
        return [cell(t("another"), HEIGHT, BAD, right=True), cell("  " + t("chain"), ROOT + 2, BAD)]
    style = WARN if found.syncing else ""
    return [
        cell(_known(found.height), HEIGHT, style, right=True),
        cell("  " + short(found.state_root), ROOT + 2, QUIET),
    ]


def _known(number: int | None) -> str:
    return "–" if number is None else str(number)


def _roomy(width: int) -> bool:
    """Beside the list of blocks there is no room for these; the closing line sums them up."""
    return TABLE + 18 <= width < SIDE_BY_SIDE
