"""retire: certificates end in a named use; the statement is what every validator recomputes, or it is refused."""

from dataclasses import dataclass

import pytest
from harness.town import Town
from harness.world import START_S
from msgspec.structs import replace

from contracts.context import Context
from contracts.events import Retired
from contracts.statement import recomputed_facts, statement_hash, statement_id
from state.errors import (
    AlreadyExists,
    BadField,
    BadRange,
    Locked,
    MissingSignature,
    NotYours,
    Spent,
    StatementDiffers,
    Unknown,
)
from state.keyspace import statement_key
from state.outputs import Bundle
from state.overlay import Overlay
from state.records import Statement
from state.transaction import Beneficiary, Retire


@pytest.fixture
def town() -> Town:
    return Town()


def rehashed(town: Town, action: Retire) -> Retire:
    """With the statement hash of what it says now."""
    context = Context(Overlay(town.state), town.environment(), bytes(32), ())
    return replace(action, statement_hash=statement_hash(recomputed_facts(context, action)))


def test_a_retired_range_ends_and_the_rest_stays(town: Town) -> None:
    action = town.retire_action("plant", town.lot, 4, 6)
    events = town.do(action, by=("plant",))
    identity = statement_id(action.statement_hash)
    assert events == [Retired(identity, town.id("plant"), "Bakery Dupont", town.device_id, 1, 4, 6)]
    left = [town.bundle(point) for point in town.outputs_of("plant", Bundle)]
    assert [(bundle.start, bundle.end) for bundle in left] == [(1, 3), (7, 10)]
    statement = town.state.get(statement_key(identity))
    assert isinstance(statement, Statement)
    assert (statement.quantity, statement.holder, statement.action_index) == (3, town.id("plant"), 0)


def test_several_bundles_end_in_one_statement(town: Town) -> None:
    first, second = town.move("plant", (town.lot,), town.piece("plant", 1, 4), town.piece("plant", 5, 10))
    one, other = town.retire_action("plant", first, 1, 4), town.retire_action("plant", second, 5, 5)
    action = rehashed(town, replace(one, ranges=(*one.ranges, *other.ranges)))
    town.do(action, by=("plant",))
    statement = town.state.get(statement_key(action.statement_hash[:16]))
    assert isinstance(statement, Statement)
    assert statement.quantity == 5


def test_certificates_can_be_retired_after_their_trading_term(town: Town) -> None:
    town.block(seconds=town.bundle(town.lot).trade_until - town.time_ms // 1000 + 1)
    town.do(town.retire_action("plant", town.lot, 1, 10), by=("plant",))
    assert town.certificates("plant") == 0


def test_a_statement_repeats_every_fact_of_the_state(town: Town) -> None:
    context = Context(Overlay(town.state), town.environment(), bytes(32), ())
    facts = recomputed_facts(context, town.retire_action("plant", town.lot, 1, 10))
    (bundle,) = facts.bundles
    assert (facts.holder_name, facts.chain, facts.registry_code) == ("plant", town.chain, "WAT")
    assert (facts.total_wh, bundle.facts.name, bundle.month) == (10_000_000, "R80711", 201_404)
    assert (bundle.production_from, bundle.production_to) == (16_162 * 86_400, 16_163 * 86_400)


@dataclass(frozen=True)
class Lie:
    """One word changed after the statement was hashed."""

    field: str
    value: object


@pytest.mark.parametrize(
    "lie",
    [
        Lie("beneficiary", Beneficiary("Bakery Durand", "FR-123", "Nancy", "FR")),
        Lie("beneficiary", Beneficiary("Bakery Dupont", "FR-123", "Metz", "FR")),
        Lie("purpose", "compliance"),
        Lie("note", "for 2024"),
        Lie("consumption_from", START_S + 1),
        Lie("consumption_to", START_S + 86_401),
        Lie("jurisdiction", "DE"),
        Lie("statement_hash", bytes(32)),
    ],
    ids=lambda lie: lie.field,
)
def test_refuses_a_statement_with_one_other_word(town: Town, lie: Lie) -> None:
    action = replace(town.retire_action("plant", town.lot, 1, 10), **{lie.field: lie.value})
    town.refuses(StatementDiffers, action, by=("plant",))


def test_refuses_a_statement_over_another_range(town: Town) -> None:
    action = town.retire_action("plant", town.lot, 1, 9)
    other = replace(action, ranges=(replace(action.ranges[0], end=10),))
    town.refuses(StatementDiffers, other, by=("plant",))


def test_refuses_a_statement_id_that_exists(town: Town) -> None:
    action = town.retire_action("plant", town.lot, 1, 10)
    identity = statement_id(action.statement_hash)
    town.state.put(statement_key(identity), Statement(identity, 1, bytes(32), 0, bytes(32), 1, 0))
    town.refuses(AlreadyExists, action, by=("plant",))


def test_refuses_a_holder_who_did_not_sign(town: Town) -> None:
    town.refuses(MissingSignature, town.retire_action("plant", town.lot, 1, 10), by=("trader",))


def test_refuses_certificates_of_somebody_else(town: Town) -> None:
    town.refuses(NotYours, rehashed(town, town.retire_action("trader", town.lot, 1, 10)), by=("trader",))


def test_refuses_to_retire_twice(town: Town) -> None:
    action = town.retire_action("plant", town.lot, 1, 10)
    town.do(action, by=("plant",))
    town.refuses(Spent, action, by=("plant",))


def test_refuses_a_bundle_that_is_named_twice(town: Town) -> None:
    one, other = town.retire_action("plant", town.lot, 1, 2), town.retire_action("plant", town.lot, 3, 4)
    town.refuses(Spent, rehashed(town, replace(one, ranges=(*one.ranges, *other.ranges))), by=("plant",))


def test_refuses_certificates_that_are_offered_for_sale(town: Town) -> None:
    action = town.retire_action("plant", town.lot, 1, 10)
    _, offer, _ = town.trade()
    town.refuses(Locked, replace(action, ranges=(replace(action.ranges[0], outpoint=offer),)), by=("plant",))


def test_refuses_money_as_certificates(town: Town) -> None:
    action = town.retire_action("plant", town.lot, 1, 10)
    money = town.fund("plant", 1)
    town.refuses(Locked, replace(action, ranges=(replace(action.ranges[0], outpoint=money),)), by=("plant",))


def test_refuses_expired_certificates(town: Town) -> None:
    action = town.retire_action("plant", town.lot, 1, 10)
    until = town.bundle(town.lot).retire_until
    town.refuses(Spent, action, by=("plant",), seconds=until - town.time_ms // 1000)
    town.do(action, by=("plant",), seconds=until - town.time_ms // 1000 - 1)


@pytest.mark.parametrize(("start", "end"), [(0, 3), (5, 4), (8, 11), (11, 12), (1, 2**64 - 1)])
def test_refuses_a_range_outside_the_bundle(town: Town, start: int, end: int) -> None:
    town.refuses(BadRange, town.retire_action("plant", town.lot, start, end, statement_hash=bytes(32)), by=("plant",))


@pytest.mark.parametrize("field", ["issuance", "device", "production_from", "production_to"])
def test_refuses_an_origin_that_is_not_the_bundles(town: Town, field: str) -> None:
    action = town.retire_action("plant", town.lot, 1, 10)
    wrong = replace(action.ranges[0], **{field: getattr(action.ranges[0], field) + 1})
    town.refuses(BadField, replace(action, ranges=(wrong,)), by=("plant",))


def test_refuses_an_unknown_holder(town: Town) -> None:
    town.refuses(Unknown, replace(town.retire_action("plant", town.lot, 1, 10), holder=99), by=("plant",))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("purpose", "greenwashing"),
        ("purpose", ""),
        ("note", "two\nlines"),
        ("note", "\u202eevil"),
        ("jurisdiction", "F\tR"),
        ("jurisdiction", "ZZ"),
        ("jurisdiction", "France"),
        ("jurisdiction", "FR-"),
        ("jurisdiction", "FR-GRAND"),
        ("jurisdiction", "fr-ges"),
        ("jurisdiction", "FR 54000"),
        ("consumption_from", START_S + 86_401),
        ("consumption_to", 2**63),
        ("beneficiary", Beneficiary("", "", "", "FR")),
        ("beneficiary", Beneficiary("Bakery\x07", "", "", "FR")),
        ("beneficiary", Beneficiary("Bakery", "\x00", "", "FR")),
        ("beneficiary", Beneficiary("Bakery", "", " Nancy", "FR")),
        ("beneficiary", Beneficiary("Bakery", "", "", "France")),
    ],
)
def test_refuses_a_claim_that_a_reader_could_not_read(town: Town, field: str, value: object) -> None:
    action = replace(town.retire_action("plant", town.lot, 1, 10), **{field: value})
    town.refuses(BadField, rehashed(town, action), by=("plant",))


@pytest.mark.parametrize("text", ["", "FR", "FR-GES", "FR-54", "FR-GES 54000", "GB-ENG SW1A 1AA", "XK"])
def test_a_claim_names_a_jurisdiction_as_far_as_it_is_known(town: Town, text: str) -> None:
    assert town.do(town.retire_action("plant", town.lot, 1, 10, jurisdiction=text), by=("plant",))


def test_a_beneficiary_needs_only_a_name(town: Town) -> None:
    action = town.retire_action("plant", town.lot, 1, 10, beneficiary=Beneficiary("Bakery", "", "", ""))
    assert town.do(action, by=("plant",))
