"""The short form of `make attack`: all attacks of the book on four real processes, and proof that harm is seen."""

from pathlib import Path

import pytest
from attacks.book import Attack, Attempt
from attacks.field import Field
from attacks.report import in_order, summary, table, try_out
from attacks.spending import to


@pytest.mark.timeout(170)
def test_no_attack_does_harm_and_harm_would_be_seen(tmp_path: Path) -> None:
    with Field(tmp_path) as field:
        verdicts = [try_out(field, each, short=True) for each in in_order()]
        print(table(verdicts))
        print(summary(verdicts, 0.0))
        assert len(verdicts) >= 20
        assert [verdict.attack.name for verdict in verdicts if not verdict.held] == []
        careless = try_out(field, Attack("careless", "a lawful move that nobody was told of", move), short=True)
        assert not careless.held
        assert careless.harm == [
            f"the outputs of participant {field.id(name)} changed" for name in ("plant", "mallory")
        ]
        assert careless.attempt.succeeded == ["node 0 answered accepted, not spent"]


def move(field: Field, attempt: Attempt) -> None:
    transaction = field.transaction(to(field, "plant", field.kept, "mallory", 5, 8), by=("plant",))
    attempt.expect("node 0", field.post(0, transaction), "spent")
    field.settled(transaction.txid)
