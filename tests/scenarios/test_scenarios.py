"""Every clause of the protocol as a story that can be read: `*.txt` beside this file, the language in harness.scenario.

`WATTEST_REWRITE=1` writes what happened into the files, to be read before it is believed.
"""

import os
from pathlib import Path

import pytest
from harness.scenario import Scenario

FILES = sorted(Path(__file__).parent.glob("*.txt"))
DASHES = "----"


def play(text: str) -> str:
    """The file as it would read if everything in it were true."""
    scenario = Scenario()
    written: list[str] = []
    output = ""
    skipping = False
    for line in text.splitlines():
        if skipping:
            if line:
                continue
            skipping = False
        if line == DASHES:
            written += [DASHES, output]
            skipping = True
            continue
        if line and not line.startswith("#"):
            output = scenario.run(line)
        written.append(line)
    return "\n".join(written) + "\n"


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_scenario(file: Path) -> None:
    told = file.read_text()
    happened = play(told)
    if os.environ.get("WATTEST_REWRITE"):
        file.write_text(happened)
    else:
        assert happened == told, f"{file.name} tells another story"


def test_every_clause_has_a_story() -> None:
    clauses = (
        "start vote enter propose on_propose try_notarize on_vote on_quorum timer peer_up work_waits commit catch_up"
    )
    assert set(clauses.split()) <= {file.stem for file in FILES}
