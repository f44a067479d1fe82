"""The layouts of everything that is sent, signed or hashed, as docs/PROTOCOL.md shows them.

    python tools/layouts.py        writes them between the two marks of the page

Read off the types themselves, bounds included; a test compares the page with what this would write.
"""

from pathlib import Path
from typing import Any, get_args

from msgspec import inspect

from consensus.messages import Again, Compact, ConsensusMessage, Full
from consensus.votes import Quorum, Vote
from contracts.statement import StatementBundle, StatementFacts
from node.proof import Hop, ProvenTransaction, StatementProof
from node.wire import Close, Frame
from state.attestation import Attestation, SignedBy
from state.block import Block, Header
from state.escrow import Envelope
from state.records import AuctionClass, DeviceFacts
from state.transaction import (
    Action,
    AttestedDay,
    Beneficiary,
    Body,
    Payment,
    Piece,
    ProposalContent,
    RetiredRange,
    Transaction,
)

PAGE = Path(__file__).resolve().parent.parent / "docs" / "PROTOCOL.md"
BEGIN, END = "<!-- layouts: written by tools/layouts.py -->\n", "<!-- end of layouts -->\n"
WIDTH = 118
INTEGERS = {2**8 - 1: "u8", 2**16 - 1: "u16", 2**32 - 1: "u32"}

INSIDE = (
    AttestedDay,
    Attestation,
    SignedBy,
    DeviceFacts,
    Piece,
    Payment,
    RetiredRange,
    Beneficiary,
    AuctionClass,
    Envelope,
)
UNIONS = {"an action": set(get_args(Action)), "a content": set(get_args(ProposalContent))}
GROUPS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("Consensus", (Vote, Quorum, Header, Block, *get_args(ConsensusMessage), Full, Compact, Again)),
    ("Transactions", (Transaction, Body)),
    ("Actions", get_args(Action)),
    ("Contents of a proposal", get_args(ProposalContent)),
    ("Inside actions", INSIDE),
    ("Frames between nodes", (*get_args(Frame), Close)),
    ("Statements and proofs", (StatementFacts, StatementBundle, StatementProof, ProvenTransaction, Hop)),
)


def main() -> None:
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    written = before + BEGIN + layouts() + END + after
    if written != text:
        PAGE.write_text(written)


def layouts() -> str:
    """A block of lines for each group."""
    return "".join(f"**{title}**\n```\n{''.join(map(layout, kinds))}```\n" for title, kinds in GROUPS)


def layout(kind: Any) -> str:
    """`Name = [fields with their types]`, folded."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    items = [f'"{info.tag}"'] if info.tag is not None else []
    items += [f"{field.encode_name} {notation(field.type)}" for field in info.fields]
    lines, line = [], f"{kind.__name__} = ["
    for number, item in enumerate(items):
        piece = item + (", " if number + 1 < len(items) else "]")
        if len(line) + len(piece.rstrip()) > WIDTH:
            lines.append(line.rstrip())
            line = " " * 8
        line += piece
    return "\n".join([*lines, line]) + "\n"


def notation(found: inspect.Type) -> str:
    match found:
        case inspect.IntType(ge=0, le=None):
            return "u64"
        case inspect.IntType(ge=0, le=highest) if highest in INTEGERS:
            return INTEGERS[highest]
        case inspect.IntType(ge=lowest, le=highest):
            return "i64" if lowest == -(2**63) else f"{lowest}..{highest}"
        case inspect.BytesType(min_length=shortest, max_length=longest):
            return f"bytes{_bounds(shortest, longest)}"
        case inspect.StrType(min_length=shortest, max_length=longest):
            return f"text{_bounds(shortest, longest)}"
        case inspect.BoolType():
            return "bool"
        case inspect.NoneType():
            return "nil"
        case inspect.VarTupleType(item_type=item, min_length=fewest, max_length=most):
            return f"[{notation(item)}]{_bounds(fewest, most)}"
        case inspect.StructType(cls=kind):
            return str(kind.__name__)
        case inspect.UnionType(types=kinds):
            classes = {kind.cls for kind in kinds if isinstance(kind, inspect.StructType)}
            return next((name for name, its in UNIONS.items() if its == classes), " | ".join(map(notation, kinds)))
    raise TypeError(f"{found} stands in no layout")


def _bounds(low: int | None, high: int | None) -> str:
    if high is None:
        return ""
    if low == high:
        return f" {high}"
    return f" {low}..{high}" if low else f" ≤{high}"


if __name__ == "__main__":
    main()
