"""amend: the words of a statement, once, soon, and never its substance; both versions stay."""

import pytest
from harness.town import Town

from contracts.amend import amendment_of
from contracts.events import Amended
from state.errors import AlreadyExists, AmendLate, BadField, MissingSignature, NotHolder, Unknown
from state.keyspace import statement_key
from state.records import Statement
from state.transaction import Amend

DAY_S = 86_400


@pytest.fixture
def town() -> Town:
    town = Town()
    claim = town.retire_action("plant", town.lot, 1, 4)
    town.do(claim, by=("plant",))
    town.statement = claim.statement_hash[:16]  # type: ignore[attr-defined]
    return town


def amended(town: Town, holder: str = "plant", **changes: object) -> Amend:
    fields: dict[str, object] = {"beneficiary_name": "Bakery Dupont SARL", "location": "Metz", "note": "put right"}
    return Amend(town.id(holder), town.statement, **{**fields, **changes})  # type: ignore[arg-type, attr-defined]


def test_the_amendment_stands_beside_the_statement(town: Town) -> None:
    before = town.state.get(statement_key(town.statement))  # type: ignore[attr-defined]
    assert town.do(amended(town), by=("plant",)) == [
        Amended(town.statement, town.id("plant"), "Bakery Dupont SARL")  # type: ignore[attr-defined]
    ]
    found = amendment_of(town.state, town.statement)  # type: ignore[attr-defined]
    assert found is not None
    assert (found.beneficiary_name, found.location, found.note) == ("Bakery Dupont SARL", "Metz", "put right")
    assert isinstance(before, Statement)
    assert town.state.get(statement_key(town.statement)) == before  # type: ignore[attr-defined]


def test_refuses_a_second_amendment(town: Town) -> None:
    town.do(amended(town), by=("plant",))
    town.refuses(AlreadyExists, amended(town, note="again"), by=("plant",))


def test_refuses_an_amendment_after_its_term(town: Town) -> None:
    town.refuses(AmendLate, amended(town), by=("plant",), seconds=DAY_S)


def test_refuses_an_amendment_of_somebody_else(town: Town) -> None:
    town.refuses(NotHolder, amended(town, holder="trader"), by=("trader",))
    town.refuses(MissingSignature, amended(town), by=("trader",))


def test_refuses_an_amendment_of_no_statement(town: Town) -> None:
    town.refuses(Unknown, Amend(town.id("plant"), bytes(16), "x", "", ""), by=("plant",))


@pytest.mark.parametrize("changes", [{"beneficiary_name": ""}, {"location": "a\nb"}, {"note": "\u202e"}])
def test_refuses_words_that_are_none(town: Town, changes: dict[str, object]) -> None:
    town.refuses(BadField, amended(town, **changes), by=("plant",))
