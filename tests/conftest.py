"""What every test stands on: compiled sources, and the long tests first.

The suite starts four workers and about a hundred nodes; compiling the product and rewriting the assertions for each of
them is a quarter of its processor time.
"""

import contextlib
import gc
import os
import sys
from functools import cache
from itertools import islice
from pathlib import Path

import pytest
from _pytest.pathlib import ImportMode, import_path

ROOT = Path(__file__).resolve().parents[1]

# Of more than ten seconds, most of them waiting: begun last, one of them would keep three workers idle.
LONG = (
    "tests/network/test_crash_points.py",
    "tests/network/test_processes.py::test_killed",
    "tests/network/test_attacks.py",
    "tests/network/test_partitions.py",
    "tests/network/test_escrow.py",
    "tests/network/test_changing_validators.py",
    "tests/commands/test_demo.py",
    "tests/network/test_disk.py",
)


def keep_bytecode() -> None:
    """In pytest's cache where the environment wants none beside the sources; processes that tests start inherit it."""
    if not sys.dont_write_bytecode:
        return
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(ROOT / ".pytest_cache" / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix


keep_bytecode()


@cache
def be_patient() -> None:
    """Generated examples take as long as the machine lets them: no test of ours asks Hypothesis for the time."""
    from hypothesis import HealthCheck, settings

    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")


def pytest_pycollect_makemodule(module_path: Path) -> None:
    if b"hypothesis" in module_path.read_bytes():  # to import it costs a quarter of a second
        be_patient()


def pytest_collection(session: pytest.Session) -> None:
    """Each worker begins to import at another test file, so that on a clean clone they share the rewriting."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if not worker or session.config.args != session.config.getini("testpaths"):
        return
    be_patient()
    files = sorted((ROOT / "tests").glob("*/test_*.py"))
    first = len(files) * int(worker.removeprefix("gw")) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    for path in files[first:] + files[:first]:
        # What is wrong with a file is said by the collection, which imports it again.
        with contextlib.suppress(Exception, pytest.skip.Exception):
            import_path(
                path, mode=ImportMode.importlib, root=session.config.rootpath, consider_namespace_packages=False
            )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`--dist worksteal` begins with an equal run of tests for each worker: every other run begins with long tests.

    They mostly wait, so that beside them there is always somebody who computes.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers == 1:
        return
    long = [item for item in items if item.nodeid.startswith(LONG)]
    others = iter([item for item in items if not item.nodeid.startswith(LONG)])
    share, takers = len(items) // workers, (workers + 1) // 2
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        begin = long[worker // 2 :: takers] if worker % 2 == 0 else []
        ordered += [*begin, *islice(others, max(share - len(begin), 0))]
    items[:] = [*ordered, *others]


def pytest_collection_finish() -> None:
    """Tests, modules and their documents stay until the end: no later collection need walk them."""
    gc.collect()
    gc.freeze()
