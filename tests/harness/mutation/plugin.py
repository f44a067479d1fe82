"""pytest -p harness.mutation.plugin: the tests of a run meet the product with the mutant that WATTEST_MUTANT names."""

import os
from collections.abc import Iterator

import pytest
from harness.mutation import all_mutants


@pytest.fixture(autouse=True, scope="session")
def mutated() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        all_mutants()[os.environ["WATTEST_MUTANT"]].change(patch)
        yield
