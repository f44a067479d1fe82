"""The simulator must notice every rule that is left out: here the six mutants that die first.

`make mutants` is the long form: all of them, in a range of seeds that nothing was written with.
"""

import pytest
from harness.mutation import all_mutants
from harness.mutation.gate import SEEDS, hunt

FASTEST = (
    "finalize_after_nullify",
    "sent_before_durable",
    "builds_again_after_restart",
    "nullify_not_durable",
    "signer_counted_twice",
    "quorum_of_2f_plus_1",
)
LIMIT = 40  # seeds that a mutant may live through


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FASTEST)
def test_the_simulator_notices(name: str) -> None:
    first = int(SEEDS.split(":")[0])
    seeds, noticed = hunt(all_mutants()[name], first, first + LIMIT, 60)
    print(f"{name}: {seeds} seeds, {noticed}")
    assert noticed, f"{name} survived {seeds} seeds from {first} on"


def test_the_list_of_the_protocol_is_there_and_fifteen_of_our_own() -> None:
    numbers = [mutant.number for mutant in all_mutants().values()]
    assert {int(number.rstrip("ab")) for number in numbers if number[0].isdigit()} == set(range(1, 29))
    assert sum(number[0].isalpha() for number in numbers) >= 15
    assert len(numbers) == len(set(numbers))


def test_every_mutant_says_what_it_leaves_out() -> None:
    assert all(mutant.about for mutant in all_mutants().values())
