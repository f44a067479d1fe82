"""The receipt for one order, in words: what was filled, why at this price, who could see it, what is next."""

from contracts.events import OrderSettled
from contracts.screening import CAP, FILLED, NO_CLASS, OUTSIDE, OWN, PRICE, SHARED, SPOILT, STAKE, UNOPENED
from state.records import Auction
from state.spoken import counted, format_moment, format_money


def result_words(auction: Auction, told: OrderSettled) -> str:
    """What happened to the order."""
    sold = "bought" if told.side == "bid" else "sold"
    if told.why in (UNOPENED, SPOILT):
        return "not opened: it took no part"
    if not told.filled:
        return f"nothing {sold} of {told.quantity}"
    paid = format_money(told.amount, auction.currency)
    each = format_money(told.price, auction.currency)
    fee = f", less a fee of {format_money(told.fee, auction.currency)}" if told.fee else ""
    return f"{told.filled} of {told.quantity} {sold} at {each} each, {paid} in all{fee}"


def price_words(auction: Auction, told: OrderSettled) -> str:
    """Why this price, and why not more."""
    price, limit = format_money(told.price, auction.currency), format_money(told.limit, auction.currency)
    buying = told.side == "bid"
    where = "the classes that you accept" if buying else "your class"
    match told.why:
        case x if x == FILLED and told.price == auction.floor:
            if buying:
                return (
                    f"Enough was offered: all who accept the same classes pay {price}, the lowest price that the "
                    f"auction allows; your limit was {limit}."
                )
            return (
                f"Everybody in your class gets {price}, the lowest price that the auction allows; your limit was "
                f"{limit}."
            )
        case x if x == FILLED and buying:
            return (
                f"The highest bids won; all who accept the same classes pay {price}, the limit of the last order that "
                f"was needed; your limit was {limit}."
            )
        case x if x == FILLED:
            return f"The lowest offers sold; everybody in your class gets {price}; your limit was {limit}."
        case x if x == SHARED:
            return (
                f"Your limit {limit} is just the price at which bought equals sold: what was left was shared among all "
                "orders at it in proportion to their quantities, single certificates by a draw nobody could know."
            )
        case x if x == PRICE:
            side = "below" if buying else "above"
            return f"Your limit {limit} is {side} {price}, the price in {where} at which bought equals sold."
        case x if x == NO_CLASS:
            return "Nobody offered certificates of the kind that you asked for."
        case x if x == OWN:
            return "You offer certificates yourself in a class that this bid accepts; nobody trades with himself."
        case x if x == CAP:
            cap = counted(auction.terms.position_cap, "certificate")
            return f"Together with your other bids it is above {cap}, the cap."
        case x if x == OUTSIDE:
            return f"Your limit {limit} lies outside the floor and ceiling of the auction."
        case x if x == STAKE:
            return "The stake that you locked does not cover quantity times limit, or the margin of it."
        case x if x == UNOPENED:
            lost = format_money(told.forfeited, auction.currency)
            if auction.terms.escrow:
                return (
                    "Too few validators opened orders in time, and nobody else opened it; all that it locked came back."
                )
            return f"Its opening did not come in time, so half of what stood behind it is lost: {lost}."
        case x if x == SPOILT:
            lost = format_money(told.forfeited, auction.currency)
            return (
                f"It was not sealed as orders are, so no validator could open it; what stood behind it is lost: {lost}."
            )
    raise AssertionError(f"no words for {told.why}")


def seen_words(auction: Auction, told: OrderSettled) -> str:
    """Who could read the order, and from when on."""
    if told.standing:
        return (
            f"Everybody could read standing bid {told.standing} from the day it was placed; it joined as the auction "
            "closed, when nobody could bid around it any more."
        )
    if not auction.terms.sealed:
        return "Everybody could read your order from the moment it was placed."
    if told.why in (UNOPENED, SPOILT):
        return "Nobody could ever read your order; its stake was public."
    return "Until the auction closed nobody could read your order, only its stake; since it was opened everybody can."


def next_words(auction: Auction, told: OrderSettled, over: bool = False) -> str:
    """What happens next; `over` where what was owed for the order is not owed any more."""
    if not told.filled:
        return "Nothing is left to do: what was locked and is not forfeited is free again."
    if told.owed:
        return _owed_words(auction, told, over)
    moved = "certificates came and money went" if told.side == "bid" else "certificates went and money came"
    return (
        f"Nothing is left to do: {moved} in block {auction.settled_height}, in a large auction in the blocks after it; "
        "the rest is free again."
    )


def _owed_words(auction: Auction, told: OrderSettled, over: bool) -> str:
    amount, until = format_money(told.owed, auction.currency), format_moment(told.due_at)
    if told.side == "offer" and over:
        return (
            "Nothing is left to do: what buyers owed for these certificates was paid to you, or its time ran out and "
            "the lots came back to you with your share of the margin."
        )
    if told.side == "offer":
        return (
            f"Of these certificates some are reserved for buyers who have until {until} to pay {amount} for them: what "
            "is paid moves at once, what is not comes back to you with your share of the buyer's margin."
        )
    if over:
        return "Nothing is left to do: what you owed is paid and delivered, or its time ran out and the lots went back."
    return (
        f"Pay {amount} before {until}: the certificates are reserved for you, and each lot moves when it is paid. "
        "What is not paid by then goes back to its sellers together with your margin for it, and counts against you."
    )
