"""Every refusal that the rules can raise is met by a test that names it."""

import ast
from functools import cache
from pathlib import Path

import pytest

from contracts.transition import KINDS
from state import errors
from state.errors import WattestError

HERE = Path(__file__).resolve().parent
CONTRACTS = HERE.parents[1] / "contracts"
DOORS = {"DecodeError"}  # raised by state/codec.py, before the rules


@cache
def raised_in_contracts() -> set[str]:
    """Names of the classes of state/errors.py that stand in a `raise` of the rules."""
    found = set()
    for path in CONTRACTS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
                found.add(node.exc.func.id)
    return {name for name in found if isinstance(getattr(errors, name, None), type)}


@cache
def expected_in_tests() -> set[str]:
    """Names that a test hands to `refuses`, `refuses_transaction`, `refuses_content` or `pytest.raises`."""
    found = set()
    for path in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name.startswith("refuses") or name == "raises":
                    found |= {argument.id for argument in node.args if isinstance(argument, ast.Name)}
    return found


@pytest.mark.parametrize("name", sorted(raised_in_contracts() | DOORS))
def test_there_is_a_test_for(name: str) -> None:
    assert issubclass(getattr(errors, name), WattestError)
    assert name in expected_in_tests()


def test_every_action_has_a_file_of_tests() -> None:
    homes = {kind.check.__module__.removeprefix("contracts.") for kind in KINDS.values()}
    covered = {"offer": "auction", "bid": "auction", "evidence": "validators"}  # told together in one file
    missing = {home for home in homes if not (HERE / f"test_{covered.get(home, home)}.py").exists()}
    assert not missing


def test_the_search_finds_what_it_looks_for() -> None:
    assert {"Spent", "CarryDiffers", "GenesisInvalid", "LimitReached"} <= raised_in_contracts()
