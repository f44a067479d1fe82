"""`wattest device debts|withdraw|buy-back`: what was certified in error, and how the operator makes it good.

The order is that of docs/CORRECTIONS.md. The carry has paid when the debt arises, and the nodes withdraw by themselves
what the operator still owns of the plant. What is left is the operator's to settle: certificates of its other plants,
or bought back ones. At the term the pledge pays.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from cli import show
from cli.holdings import bundles_of, choosing, chosen_certificates, chosen_funds, numbers_of, require_single_use
from cli.options import sending
from cli.people import acting, find_participant, other_signer
from cli.pledges import device as device
from cli.sending import perform
from cli.session import Session, with_session
from cli.values import AMOUNT
from state.spoken import counted

if TYPE_CHECKING:
    from node.wallet import Chosen, Holding
    from state.numbering import CertificateNumber
    from state.outputs import Bundle

    Bundles = Sequence[tuple[Holding[Bundle], CertificateNumber]]

MICRO = 1_000_000
RANGES = 64  # of one withdrawal
HEAD = ("plant", "name", "owes", "certificates", "due", "pledged", "the pledge pays")


# --- who owes what


@device.command()
@click.argument("number", type=int, required=False)
@click.option("--owner", metavar="WHO", help="Of this operator: number, name or key name.")
@click.option("--from", "key_name", metavar="KEY", help="Of the participant of this key of the home.")
@click.option("--all", "every", is_flag=True, help="Debts that are paid as well.")
@with_session
def debts(session: Session, number: int | None, owner: str | None, key_name: str | None, every: bool) -> None:
    """Energy that was certified in error and is not made good: of one plant, of one operator, or of all."""
    if number is not None:
        plants = [session.client.get(f"/v1/devices/{number}")]
    else:
        whose = acting(session, key_name).id if key_name else find_participant(session, owner) if owner else None
        plants = list(session.client.pages("/v1/devices", "devices", owner=whose))
    owing = [item for item in plants if item["debt"] and (every or int(item["debt"]["debt_wh"]))]
    schemes = {item["id"]: item for item in session.client.get("/v1/schemes")["schemes"]}
    found = [_debt(item, schemes[item["scheme"]]) for item in owing]
    rows = [_row(item, schemes[item["scheme"]]) for item in found]
    lines = [line for item in found for line in _ways(item)]
    text = "\n".join([show.table(HEAD, rows, "nothing is owed"), *lines])
    session.answer("debts/1", {"debts": found}, text)


def _debt(plant: dict[str, Any], scheme: dict[str, Any]) -> dict[str, Any]:
    """What a plant owes, and what its pledges would pay of it at the price of the last auction."""
    owed = _owed(plant, scheme)
    pledged = sum(
        int(item["funds"]["amount"]) for item in plant["pledges"] if item["funds"]["currency"] == scheme["currency"]
    )
    price = int(scheme["last_price"] or 0)
    return {
        "device": plant["id"],
        "name": plant["facts"]["name"],
        "owner": plant["owner"],
        "scheme": scheme["id"],
        **{name: value for name, value in plant["debt"].items() if name not in ("device", "kind")},
        "certificates": str(owed),
        "pledged": str(pledged),
        "currency": scheme["currency"],
        "last_price": scheme["last_price"],
        "covered": str(min(owed, pledged // price) if price else 0),
    }


def _row(item: dict[str, Any], scheme: dict[str, Any]) -> tuple[object, ...]:
    owed = int(item["certificates"])
    if not owed:
        return item["device"], item["name"], "nothing any more", 0, "-", _money(item), "-"
    pays = f"{item['covered']} of {owed}" if item["last_price"] else "no auction has made a price"
    return (
        item["device"],
        item["name"],
        show.energy(item["debt_wh"]),
        owed,
        show.moment(item["due_at"]),
        _money(item),
        pays,
    )


def _money(item: dict[str, Any]) -> str:
    amount = int(item["pledged"])
    return f"{amount // MICRO:,}.{amount % MICRO // 10_000:02d} {item['currency']}" if amount else "-"


def _ways(item: dict[str, Any]) -> list[str]:
    """What the operator can do, as command lines."""
    if not int(item["certificates"]):
        return []
    number = item["device"]
    return [
        "",
        f"Plant {number}: its operator's certificates of it are withdrawn by the nodes, and new releases pay first.",
        f"  hand in others of the same scheme:  wattest device withdraw {number}",
        f"  buy some back from their holder:    wattest device buy-back {number} --quantity N --seller WHO --price SUM",
    ]


# --- handing in


@device.command()
@click.argument("number", type=int)
@choosing
@sending
@with_session
def withdraw(
    session: Session,
    number: int,
    numbers: "tuple[CertificateNumber, ...]",
    quantity: int | None,
    technology: str | None,
    device: int | None,
    month: int | None,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Hand in own certificates of other plants for what plant NUMBER owes. They are withdrawn for ever.

    Without NUMBERS and --quantity: as many as are owed, or all that there are. Of each bundle the highest serials go.
    """
    from state.transaction import Withdraw, WithdrawnRange

    me = acting(session, key_name)
    plant, scheme, owed = _owing(session, number)
    if numbers:
        chosen = chosen_certificates(session, me.id, numbers, quantity, technology, device, month)
        require_single_use(chosen)
    else:
        every = _of_scheme(session, me.id, plant, technology, device, month)
        usable = [item for item in every if item[1].device != number]  # its own ones the nodes withdraw
        chosen = _tails(usable, owed if quantity is None else quantity, quantity is not None, scheme)
    ranges = tuple(
        WithdrawnRange(holding.outpoint, start, end) for holding, start, end in sorted(chosen, key=_order(plant))
    )
    count = sum(end - start + 1 for _, start, end in chosen)
    notes = [*numbers_of(chosen), f"plant {number} owes {counted(owed, 'certificate')}, taken back here: {count}"]
    if count < owed:
        notes.append(f"{owed - count} more will be owed: wattest device buy-back {number} …, or an auction")
    perform(session, [Withdraw(number, ranges)], [me], no_wait=no_wait, timeout_s=timeout_s, notes=notes)


def _of_scheme(
    session: Session,
    holder: int,
    plant: dict[str, Any],
    technology: str | None,
    device: int | None,
    month: int | None,
) -> "Bundles":
    """Bundles of somebody that may pay for a plant: of its scheme, and not of an own plant whose debt comes first."""
    plants: dict[int, dict[str, Any]] = {plant["id"]: plant}
    found = []
    for holding, number in bundles_of(session, holder):
        if device not in (None, number.device) or month not in (None, number.month):
            continue
        if number.device not in plants:
            plants[number.device] = session.client.get(f"/v1/devices/{number.device}")
        other = plants[number.device]
        busy = (
            other is not plant and other["owner"] == plant["owner"] and other["debt"] and int(other["debt"]["debt_wh"])
        )
        fits = technology is None or other["facts"]["technology"].startswith(technology.upper())
        if other["scheme"] == plant["scheme"] and fits and not busy:
            found.append((holding, number))
    return found


def _tails(usable: "Bundles", wanted: int, exact: bool, scheme: dict[str, Any]) -> "Chosen":
    """The last serials of bundles, device by device."""
    from state.errors import WrongCertificates
    from state.outputs import quantity

    chosen: Chosen = []
    left = wanted
    for holding, _ in sorted(usable, key=lambda item: (item[0].output.device, -item[0].output.start))[:RANGES]:
        taken = min(left, quantity(holding.output))
        if taken:
            chosen.append((holding, holding.output.end - taken + 1, holding.output.end))
        left -= taken
    held = wanted - left
    if not held or (exact and left):
        raise WrongCertificates(
            why=f"you hold {held} of scheme {scheme['name']} of other plants without a debt, {wanted} are wanted; "
            "others can be bought, from a holder (wattest device buy-back) or at an auction"
        )
    return chosen


def _of_one_issuance(usable: "Bundles", wanted: int, plant: dict[str, Any], scheme: dict[str, Any]) -> "Chosen":
    """One payment buys certificates of one issue and history: of the plant in debt, if there are as many."""
    from node.wallet import choose_quantity
    from state.errors import WrongCertificates
    from state.outputs import quantity

    groups: dict[tuple[bool, int, int], list[Holding[Bundle]]] = {}
    for holding, number in usable:
        bundle = holding.output
        groups.setdefault((number.device != plant["id"], bundle.issuance, bundle.transfers), []).append(holding)
    counts = {group: sum(quantity(holding.output) for holding in held) for group, held in groups.items()}
    enough = [group for group in sorted(groups) if counts[group] >= wanted]
    if not enough:
        most = max(counts.values(), default=0)
        raise WrongCertificates(
            why=f"the seller has at most {most} of one issue of scheme {scheme['name']}, {wanted} are wanted"
        )
    return choose_quantity(groups[enough[0]], wanted)


def _order(plant: dict[str, Any]) -> "Callable[[tuple[Holding[Bundle], int, int]], tuple[bool, bool, int, int]]":
    """How they are to be named: those of the plant in debt first, there the month in error, the highest serial."""
    from state.numbering import parse_number

    def place(part: "tuple[Holding[Bundle], int, int]") -> tuple[bool, bool, int, int]:
        bundle = part[0].output
        own = bundle.device == plant["id"]
        month = parse_number(part[0].number).month
        return not own, not (own and month == plant["debt"]["month"]), bundle.device, -bundle.start

    return place


# --- buying back


@device.command("buy-back")
@click.argument("number", type=int)
@choosing
@click.option("--seller", required=True, metavar="WHO", help="Who holds them: number, name or key name.")
@click.option("--price", type=AMOUNT, required=True, metavar="SUM", help="For all of them together.")
@sending
@with_session
def buy_back(
    session: Session,
    number: int,
    numbers: "tuple[CertificateNumber, ...]",
    quantity: int | None,
    technology: str | None,
    device: int | None,
    month: int | None,
    seller: str,
    price: int,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Buy certificates for what plant NUMBER owes. The seller signs too; money and certificates move at once or not.

    Without NUMBERS as many of one issue as --quantity says, or as are owed, of the plant itself if the seller has them.
    Those of the plant itself are withdrawn by the nodes in the next blocks; hand others in with `device withdraw`.
    Where the seller's key is elsewhere, `wattest tx build buy-back …` writes the transaction for both to sign.
    """
    from node.wallet import transfer as transfers
    from state.errors import WrongCertificates
    from state.transaction import Payment

    me = acting(session, key_name)
    plant, scheme, owed = _owing(session, number)
    other = other_signer(session, seller)
    if other.id == me.id:
        raise click.UsageError("The seller is yourself; hand in what you hold with `wattest device withdraw`.")
    if numbers:
        chosen = chosen_certificates(session, other.id, numbers, quantity, technology, device, month)
    else:
        usable = _of_scheme(session, other.id, plant, technology, device, month)
        chosen = _of_one_issuance(usable, owed if quantity is None else quantity, plant, scheme)
    count = sum(end - start + 1 for _, start, end in chosen)
    if count > owed:
        raise WrongCertificates(why=f"{owed} are owed for plant {number}, {count} would be bought")
    devices = sorted({holding.output.device for holding, _, _ in chosen})
    for each in devices:
        if session.client.get(f"/v1/devices/{each}")["scheme"] != plant["scheme"]:
            raise WrongCertificates(why=f"those of plant {each} are not of scheme {scheme['name']}")
    currency = scheme["currency"]
    payment = Payment(me.id, currency, price, chosen_funds(session, me.id, currency, price))
    notes = [*numbers_of(chosen), f"participant {me.id} is {me.name}"]
    for each in devices:
        after = "the nodes withdraw them" if each == number else f"then: wattest device withdraw {number}"
        notes.append(f"certificates of plant {each}: {after}")
    actions = transfers(other.id, me.id, chosen, payment)
    perform(session, actions, [other, me], no_wait=no_wait, timeout_s=timeout_s, notes=notes)


def _owing(session: Session, number: int) -> tuple[dict[str, Any], dict[str, Any], int]:
    """The plant, its scheme, and how many certificates it owes; NoDebt where it owes nothing."""
    from state.errors import NoDebt

    plant = session.client.get(f"/v1/devices/{number}")
    if not plant["debt"] or not int(plant["debt"]["debt_wh"]):
        raise NoDebt(device=number)
    schemes: list[dict[str, Any]] = session.client.get("/v1/schemes")["schemes"]
    scheme = next(item for item in schemes if item["id"] == plant["scheme"])
    return plant, scheme, _owed(plant, scheme)


def _owed(plant: dict[str, Any], scheme: dict[str, Any]) -> int:
    return -(-int(plant["debt"]["debt_wh"]) // int(scheme["face_value"]))
