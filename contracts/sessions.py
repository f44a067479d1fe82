"""Sessions: auctions that a scheme holds by itself, on a schedule that the quorum decided with the scheme.

A first time that has passed when the quorum is there means at once. Each opens on the terms of the schedule, in the
name of a market operator, who has the fee and the forfeits as of any auction of his. While he is not accredited,
sessions are left out; the schedule goes on. After a standstill of the network one opens, not all that were missed.
"""

from msgspec.structs import replace

from contracts.auction import MAX_OPEN_S, check_terms, open_auction
from contracts.context import Context
from state.errors import BadField
from state.keyspace import role_key, scheme_key, sessions_key, space_end
from state.overlay import Snapshot
from state.records import Role, RoleGrant, Scheme, Sessions
from state.spoken import Said, format_moment
from state.transaction import OpenAuction

MIN_EVERY_S = 60  # sessions of the shortest delivery interval, five minutes, still fit


def check(context: Context, scheme: Scheme, sessions: Sessions) -> None:
    """BadField, RoleNeeded or Unknown for a schedule that could open no auction."""
    if sessions.scheme != scheme.id or sessions.lot_class.scheme != scheme.id:
        raise BadField(field="sessions", why=f"they trade certificates of scheme {scheme.id}")
    if not sessions.every_s:
        return
    if not MIN_EVERY_S <= sessions.every_s <= MAX_OPEN_S or not 0 < sessions.open_s <= sessions.every_s:
        raise BadField(field="sessions", why=f"one every {MIN_EVERY_S} to {MAX_OPEN_S} s, open for no longer than that")
    if sessions.terms.opens_at or sessions.terms.repeat_s:
        raise BadField(field="sessions", why="the schedule says when they open and how they repeat")
    context.require_role(sessions.operator, Role.MARKET_OPERATOR)
    check_terms(_opening(sessions, scheme.currency, sessions.next_at + sessions.open_s))


def schedule(context: Context, sessions: Sessions) -> None:
    """From now on these, or none where they say so."""
    if sessions.every_s:
        context.overlay.put(sessions_key(sessions.scheme), sessions)
    else:
        context.overlay.delete(sessions_key(sessions.scheme))


def describe(scheme: Said, sessions: Sessions | None) -> Said:
    """What a proposal says of them behind what it says of the scheme."""
    if sessions is None:
        return scheme
    if not sessions.every_s:
        return Said("{scheme}; no more auctions by a schedule", scheme=scheme)
    return Said(
        "{scheme}; an auction '{title}' every {every} s from {moment} on, open for {open} s, by participant {operator}",
        scheme=scheme,
        title=sessions.title,
        every=sessions.every_s,
        moment=format_moment(sessions.next_at),
        open=sessions.open_s,
        operator=sessions.operator,
    )


def open_sessions(context: Context) -> None:
    """Called by the sweep: the auction of every schedule whose time has come."""
    environment = context.environment
    for sessions in all_sessions(context.overlay):
        if environment.before(sessions.next_at):
            continue
        late_s = environment.time_s - sessions.next_at
        next_at = sessions.next_at + (late_s // sessions.every_s + 1) * sessions.every_s
        context.overlay.put(sessions_key(sessions.scheme), replace(sessions, next_at=next_at))
        grant = context.overlay.get(role_key(sessions.operator, Role.MARKET_OPERATOR))
        if environment.parameters.auctions and isinstance(grant, RoleGrant) and environment.before(grant.until):
            scheme = context.record(scheme_key(sessions.scheme), Scheme, "scheme", sessions.scheme)
            open_auction(context, _opening(sessions, scheme.currency, environment.time_s + sessions.open_s))


def all_sessions(state: Snapshot) -> list[Sessions]:
    low = sessions_key(0)
    return [entry for _, entry in state.scan(low, space_end(low[:1])) if isinstance(entry, Sessions)]


def next_session_ms(state: Snapshot) -> int | None:
    """When the next one opens; None where no scheme has a schedule."""
    return min((sessions.next_at * 1000 for sessions in all_sessions(state)), default=None)


def _opening(sessions: Sessions, currency: str, closes_at: int) -> OpenAuction:
    return OpenAuction(
        sessions.operator,
        sessions.title,
        sessions.lot_class,
        currency,
        sessions.floor,
        sessions.ceiling,
        closes_at,
        sessions.terms,
    )
