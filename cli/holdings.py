"""Choosing among what one holds: certificates by number or by attributes, money by currency."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cli.session import Session
from cli.values import MONTH, NUMBER, TECHNOLOGY

if TYPE_CHECKING:
    from node.wallet import Chosen, Holding
    from state.numbering import CertificateNumber
    from state.outputs import Bundle
    from state.units import Outpoint

F = TypeVar("F", bound=Callable[..., Any])


def choosing(command: F) -> F:
    """NUMBERS, or --quantity with attributes: which certificates are meant."""
    for option in (
        click.option("--month", type=MONTH, help="With --quantity: only of this production month."),
        click.option("--device", type=click.IntRange(1), metavar="N", help="With --quantity: only of this plant."),
        click.option("--technology", type=TECHNOLOGY, help="With --quantity: only of this EECS technology, e.g. T02."),
        click.option("--quantity", type=click.IntRange(1), metavar="N", help="So many, those that expire first."),
        click.argument("numbers", nargs=-1, type=NUMBER),
    ):
        command = option(command)
    return command


def chosen_certificates(
    session: Session,
    holder: int,
    numbers: "Sequence[CertificateNumber]",
    quantity: int | None,
    technology: str | None,
    device: int | None,
    month: int | None,
) -> "Chosen":
    """The parts of the holder's bundles that were asked for; refused with the ledger's code when they are not there."""
    from node.wallet import Wanted, choose_quantity, choose_ranges

    if bool(numbers) == (quantity is not None):
        raise click.UsageError("Say which certificates: their numbers, or --quantity N (with --technology, --device).")
    if numbers and (technology or device or month):
        raise click.UsageError("Numbers already say which certificates; --technology, --device, --month go without.")
    held = bundles_of(session, holder)
    if numbers:
        chosen = choose_ranges(
            [holding for holding, _ in held], [Wanted(number.device, number.start, number.end) for number in numbers]
        )
        _require_decoration(numbers, held)
        _require_one_issue(numbers, chosen)
        return chosen
    assert quantity is not None
    fitting = [
        holding
        for holding, number in held
        if device in (None, number.device)
        and month in (None, number.month)
        and (technology is None or _technology(session, number.device).startswith(technology))
    ]
    return choose_quantity(fitting, quantity)


def numbers_of(chosen: "Chosen") -> list[str]:
    """The certificates that a transaction moves or ends, a line a range: what a person must see before agreeing."""
    from state.numbering import format_number, parse_number

    return [
        format_number(replace(parse_number(holding.number), start=start, end=end)) for holding, start, end in chosen
    ]


def chosen_funds(session: Session, holder: int, currency: str, amount: int) -> "tuple[Outpoint, ...]":
    from node.answers import struct_of
    from node.wallet import Holding, choose_funds
    from state.outputs import Funds

    items = session.client.outputs(holder, "funds")
    held = [Holding(bytes.fromhex(item["outpoint"]), struct_of(Funds, item)) for item in items]
    return choose_funds(held, currency, amount)


def require_single_use(chosen: "Chosen") -> None:
    """An output is spent by one action only, so two ranges of one bundle need two transactions."""
    points = [holding.outpoint for holding, _, _ in chosen]
    if len(set(points)) != len(points):
        raise click.UsageError("Two of these ranges lie in one bundle; take them in two steps, or as one range.")


def bundles_of(session: Session, holder: int) -> "list[tuple[Holding[Bundle], CertificateNumber]]":
    from node.answers import struct_of
    from node.wallet import Holding
    from state.numbering import parse_number
    from state.outputs import Bundle

    return [
        (
            Holding(bytes.fromhex(item["outpoint"]), struct_of(Bundle, item), item["number"]),
            parse_number(item["number"]),
        )
        for item in session.client.outputs(holder, "bundle")
    ]


def _require_decoration(
    numbers: "Sequence[CertificateNumber]", held: "list[tuple[Holding[Bundle], CertificateNumber]]"
) -> None:
    """Registry code, country and month of a typed number must be those of the bundle that it points into."""
    from state.numbering import require_decoration

    for number in numbers:
        for holding, right in held:
            bundle = holding.output
            if bundle.device == number.device and bundle.start <= number.start <= bundle.end:
                require_decoration(number, right.registry, right.country, right.month, right.serial_digits)


def _require_one_issue(numbers: "Sequence[CertificateNumber]", chosen: "Chosen") -> None:
    """A typed range lies in one issue: beyond it the country, the month and the hour of the number may be untrue."""
    from state.errors import BadNumber
    from state.numbering import format_number

    for number in numbers:
        issues: dict[int, int] = {}  # issuance -> its last certificate among those that were typed
        for holding, start, end in chosen:
            if holding.output.device == number.device and number.start <= start and end <= number.end:
                issues[holding.output.issuance] = max(end, issues.get(holding.output.issuance, 0))
        if len(issues) > 1:
            raise BadNumber.of(format_number(number), "two_issues", last=min(issues.values()))


def _technology(session: Session, device: int) -> str:
    facts = session.client.get(f"/v1/devices/{device}")["facts"]
    return str(facts["technology"])
