"""The receipt for one order, in words: what was filled, why at this price, who could see it, what is next."""

from contracts.events import OrderSettled
from contracts.screening import CAP, FILLED, NO_CLASS, OUTSIDE, OWN, PRICE, SHARED, SPOILT, STAKE, UNOPENED
from state.records import Auction
from state.spoken import Counted, Said, format_moment, format_money


def result_words(auction: Auction, told: OrderSettled) -> Said:
    """What happened to the order."""
    buying = told.side == "bid"
    if told.why in (UNOPENED, SPOILT):
        return Said("not opened: it took no part")
    if not told.filled:
        none = Said("nothing bought of {quantity}", quantity=told.quantity)
        return none if buying else Said("nothing sold of {quantity}", quantity=told.quantity)
    named: dict[str, int | str] = {
        "filled": told.filled,
        "quantity": told.quantity,
        "each": format_money(told.price, auction.currency),
        "paid": format_money(told.amount, auction.currency),
    }
    if buying:
        result = Said("{filled} of {quantity} bought at {each} each, {paid} in all", **named)
    else:
        result = Said("{filled} of {quantity} sold at {each} each, {paid} in all", **named)
    if not told.fee:
        return result
    return Said("{result}, less a fee of {fee}", result=result, fee=format_money(told.fee, auction.currency))


def price_words(auction: Auction, told: OrderSettled) -> Said:
    """Why this price, and why not more."""
    price, limit = format_money(told.price, auction.currency), format_money(told.limit, auction.currency)
    buying = told.side == "bid"
    match told.why:
        case x if x == FILLED and buying:
            return Said(
                "The highest bids won; all who accept the same classes pay {price}, the limit of the last order that "
                "was needed; your limit was {limit}.",
                price=price,
                limit=limit,
            )
        case x if x == FILLED:
            return Said(
                "The lowest offers sold; everybody in your class gets {price}; your limit was {limit}.",
                price=price,
                limit=limit,
            )
        case x if x == SHARED:
            return Said(
                "Your limit {limit} is just the price at which bought equals sold: what was left was shared among all "
                "orders at it in proportion to their quantities, single certificates by a draw nobody could know.",
                limit=limit,
            )
        case x if x == PRICE and buying:
            return Said(
                "Your limit {limit} is below {price}, the price in the classes that you accept at which bought equals "
                "sold.",
                limit=limit,
                price=price,
            )
        case x if x == PRICE:
            return Said(
                "Your limit {limit} is above {price}, the price in your class at which bought equals sold.",
                limit=limit,
                price=price,
            )
        case x if x == NO_CLASS:
            return Said("Nobody offered certificates of the kind that you asked for.")
        case x if x == OWN:
            return Said("You offer certificates yourself in a class that this bid accepts; nobody trades with himself.")
        case x if x == CAP:
            cap = Counted(auction.terms.position_cap, "certificate")
            return Said("Together with your other bids it is above {cap}, the cap.", cap=cap)
        case x if x == OUTSIDE:
            return Said("Your limit {limit} lies outside the floor and ceiling of the auction.", limit=limit)
        case x if x == STAKE:
            return Said("The stake that you locked does not cover quantity times limit, or the margin of it.")
        case x if x == UNOPENED and auction.terms.escrow:
            return Said(
                "Too few validators opened orders in time, and nobody else opened it; all that it locked came back."
            )
        case x if x == UNOPENED:
            return Said(
                "Its opening did not come in time, so half of what stood behind it is lost: {lost}.",
                lost=format_money(told.forfeited, auction.currency),
            )
        case x if x == SPOILT:
            return Said(
                "It was not sealed as orders are, so no validator could open it; what stood behind it is lost: {lost}.",
                lost=format_money(told.forfeited, auction.currency),
            )
    raise AssertionError(f"no words for {told.why}")


def seen_words(auction: Auction, told: OrderSettled) -> Said:
    """Who could read the order, and from when on."""
    if told.standing:
        return Said(
            "Everybody could read standing bid {number} from the day it was placed; it joined as the auction "
            "closed, when nobody could bid around it any more.",
            number=told.standing,
        )
    if not auction.terms.sealed:
        return Said("Everybody could read your order from the moment it was placed.")
    if told.why in (UNOPENED, SPOILT):
        return Said("Nobody could ever read your order; its stake was public.")
    return Said(
        "Until the auction closed nobody could read your order, only its stake; since it was opened everybody can."
    )


def next_words(auction: Auction, told: OrderSettled, over: bool = False) -> Said:
    """What happens next; `over` where what was owed for the order is not owed any more."""
    if not told.filled:
        return Said("Nothing is left to do: what was locked and is not forfeited is free again.")
    if told.owed:
        return _owed_words(auction, told, over)
    if told.side == "bid":
        return Said(
            "Nothing is left to do: certificates came and money went in block {height}, in a large auction in the "
            "blocks after it; the rest is free again.",
            height=auction.settled_height,
        )
    return Said(
        "Nothing is left to do: certificates went and money came in block {height}, in a large auction in the "
        "blocks after it; the rest is free again.",
        height=auction.settled_height,
    )


def _owed_words(auction: Auction, told: OrderSettled, over: bool) -> Said:
    amount, until = format_money(told.owed, auction.currency), format_moment(told.due_at)
    if told.side == "offer" and over:
        return Said(
            "Nothing is left to do: what buyers owed for these certificates was paid to you, or its time ran out and "
            "the lots came back to you with your share of the margin."
        )
    if told.side == "offer":
        return Said(
            "Of these certificates some are reserved for buyers who have until {until} to pay {amount} for them: what "
            "is paid moves at once, what is not comes back to you with your share of the buyer's margin.",
            until=until,
            amount=amount,
        )
    if over:
        return Said(
            "Nothing is left to do: what you owed is paid and delivered, or its time ran out and the lots went back."
        )
    return Said(
        "Pay {amount} before {until}: the certificates are reserved for you, and each lot moves when it is paid. "
        "What is not paid by then goes back to its sellers together with your margin for it, and counts against you.",
        amount=amount,
        until=until,
    )
