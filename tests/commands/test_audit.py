"""The audit agrees with honest books and names what is wrong in forged ones."""

import copy
from collections.abc import Callable

import pytest
from harness.answering_node import AnsweringNode

from cli.audit import Books, _read, findings
from cli.session import Session
from cli.settings import resolve


@pytest.fixture
def books(act, node: AnsweringNode) -> Books:  # type: ignore[no-untyped-def]
    """Of a town where certificates were issued in two months, handed on and retired."""
    node.chain.issue(1, 2_900_000, day=16_163)
    node.chain.issue(1, 1_900_000, day=16_195, month=201_405)
    assert act("transfer", "--quantity", 2, "--to", "trader", "--from", "owner").code == 0
    assert act("retire", "--quantity", 1, "--from", "trader").code == 0
    return _read(Session(resolve({"node": node.url})))


def test_honest_books_add_up(act, books: Books) -> None:  # type: ignore[no-untyped-def]
    assert list(findings(books)) == []
    ran = act("audit")
    assert ran.code == 0
    assert "everything adds up" in ran.out
    assert act("audit", "--json").json["findings"] == []


Forgery = Callable[[Books], None]

FORGERIES: dict[str, tuple[Forgery, str]] = {
    "energy from nowhere": (
        lambda books: books.devices[0]["months"][0].update(released_wh="99000000"),
        "its days released another amount",
    ),
    "a certificate too many": (
        lambda books: books.devices[0]["months"][0].update(issued="7"),
        "accounts for",
    ),
    "a number given twice": (
        lambda books: books.devices[0].update(next_serial="3"),
        "numbers were given to 2",
    ),
    "a day released twice": (
        lambda books: books.days[1].append(dict(books.days[1][0])),
        "was released 2 times",
    ),
    "a rejected day that released": (
        lambda books: books.days[1][0].update(verdict="reject"),
        "reject of 2014-04-02 released",
    ),
    "a month without an account": (
        lambda books: books.devices[0]["months"].pop(),
        "has no account",
    ),
    "certificates held twice": (
        lambda books: books.live[1].append(dict(books.live[1][0])),
        "overlaps another",
    ),
    "a range beyond what was issued": (
        lambda books: books.live[1][-1].update(end="1000"),
        "was never issued",
    ),
    "supply that vanished": (
        lambda books: books.supply[0].update(retired="0"),
        "do not add up",
    ),
    "a claim without certificates": (
        lambda books: books.statements.append({"quantity": "5"}),
        "statements claim 6 certificates, 1 were retired",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_finds_forged_books(books: Books, name: str) -> None:
    forge, words = FORGERIES[name]
    forged = copy.deepcopy(books)
    forge(forged)
    found = list(findings(forged))
    assert any(words in sentence for sentence in found), found


def test_finding_is_exit_6(act, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("cli.audit._month", lambda day: 201_401)
    ran = act("audit")
    assert ran.code == 6
    assert "findings" in ran.err
