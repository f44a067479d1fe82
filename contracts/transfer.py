"""transfer: certificates move, split or merge; with a payment, both legs move or neither.

Bundles of one issuance and one holder become the named pieces. The numbers covered by the pieces equal the numbers
covered by the inputs; a split is explicit, a merge joins adjacent ranges only (research/registry.md section 5).
"""

from contracts.context import Context
from contracts.deposit import require_currency
from contracts.events import Paid, Transferred
from state.errors import BadField, BadRange, CertificateExpired, NotTradable, RangesDiffer, Spent
from state.keyspace import issuance_key, scheme_key
from state.outputs import Bundle
from state.records import Issuance, Scheme
from state.spoken import Counted, Said, format_money
from state.transaction import Piece, Transfer
from state.units import Outpoint

MAX_TRANSFERS = 2**16 - 1


def check(context: Context, action: Transfer) -> None:
    context.require_signature(action.sender)
    bundles = _inputs(context, action)
    _check_ranges(bundles, action.pieces)
    receivers = {piece.to for piece in action.pieces}
    if receivers != {action.sender}:
        require_tradable(context, bundles[0], action.inputs[0])
    for receiver in receivers:
        context.participant(receiver)
    if action.payment is not None:
        payment = action.payment
        context.require_signature(payment.payer)
        if payment.payer == action.sender or not payment.amount:
            raise BadField(field="payment", why="a positive amount of somebody else")
        require_currency(payment.currency)
        context.money(payment.inputs, payment.payer, payment.currency, payment.amount)


def apply(context: Context, action: Transfer) -> None:
    spent = [context.spend(point) for point in action.inputs]
    first = spent[0]
    assert isinstance(first, Bundle)
    for piece in action.pieces:
        moved = moved_bundle(first, piece.to, piece.start, piece.end)
        context.create(moved)
        if piece.to != action.sender:
            context.announce(Transferred(action.sender, piece.to, first.device, first.issuance, piece.start, piece.end))
    payment = action.payment
    if payment is not None:
        total = context.money(payment.inputs, payment.payer, payment.currency, payment.amount)
        for point in payment.inputs:
            context.spend(point)
        context.pay(action.sender, payment.currency, payment.amount)
        context.pay(payment.payer, payment.currency, total - payment.amount)
        context.announce(Paid(payment.payer, action.sender, payment.currency, payment.amount))


def describe(action: Transfer) -> Said:
    pieces = tuple(
        Said(
            "{count} ({start}..{end}) to participant {to}",
            count=Counted(piece.end - piece.start + 1, "certificate"),
            start=piece.start,
            end=piece.end,
            to=piece.to,
        )
        for piece in action.pieces
        if piece.to != action.sender
    )
    if pieces:
        text = Said("transfer {pieces}", pieces=pieces)
    else:
        text = Said("regroup own certificates into {count}", count=Counted(len(action.pieces), "bundle"))
    if action.payment is None:
        return text
    paid = format_money(action.payment.amount, action.payment.currency)
    return Said("{what} against {paid} of participant {payer}", what=text, paid=paid, payer=action.payment.payer)


# --- what other rules share


def moved_bundle(source: Bundle, to: int, start: int, end: int) -> Bundle:
    """A piece of `source` in the hands of `to`; only a change of hands counts as a transfer.

    The count stays at its u16 limit, so that nobody can send a bundle to and fro until no node can read it.
    """
    transfers = min(source.transfers + (to != source.holder), MAX_TRANSFERS)
    return Bundle(to, source.issuance, source.device, start, end, source.trade_until, source.retire_until, transfers)


def require_tradable(context: Context, bundle: Bundle, point: Outpoint) -> None:
    """The certificates may change hands now: by their term, their scheme, and how often they moved already."""
    environment = context.environment
    if not environment.before(bundle.trade_until):
        raise CertificateExpired(outpoint=point, what="traded", until=bundle.trade_until, now=environment.time_s)
    issuance = context.record(issuance_key(bundle.issuance), Issuance, "issuance", bundle.issuance)
    scheme = context.record(scheme_key(issuance.scheme), Scheme, "scheme", issuance.scheme)
    if not scheme.tradable:
        raise NotTradable(scheme=scheme.id, why="")
    if scheme.max_transfers and bundle.transfers >= scheme.max_transfers:
        raise NotTradable(scheme=scheme.id, why=f" more than {scheme.max_transfers} times")


def require_inside(bundle: Bundle, start: int, end: int) -> None:
    if not bundle.start <= start <= end <= bundle.end:
        raise BadRange(start=start, end=end)


def _inputs(context: Context, action: Transfer) -> list[Bundle]:
    bundles = [context.bundle(point, action.sender) for point in action.inputs]
    if len(set(action.inputs)) != len(action.inputs):
        raise Spent(outpoint=action.inputs[0])
    return bundles


def _check_ranges(bundles: list[Bundle], pieces: tuple[Piece, ...]) -> None:
    first = bundles[0]
    if len(bundles) == 1 and len(pieces) == 1:
        if pieces[0].start != first.start or pieces[0].end != first.end:
            raise RangesDiffer(why=f"{pieces[0].start}..{pieces[0].end} is not {first.start}..{first.end}")
        return
    for bundle in bundles:
        if bundle.issuance != first.issuance or bundle.transfers != first.transfers:
            raise RangesDiffer(why="the inputs are not of one issuance and history")
    for piece in pieces:
        if piece.start > piece.end:
            raise BadRange(start=piece.start, end=piece.end)
    covered = _covered([(bundle.start, bundle.end) for bundle in bundles])
    named = _covered([(piece.start, piece.end) for piece in pieces])
    if covered != named:
        raise RangesDiffer(why=f"inputs cover {covered}, pieces {named}")


def _covered(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges in order with adjacent ones joined; RangesDiffer where two overlap."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            raise RangesDiffer(why=f"{start}..{end} overlaps {joined[-1][0]}..{joined[-1][1]}")
        if joined and start == joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
