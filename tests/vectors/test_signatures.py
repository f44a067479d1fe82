"""Ed25519 as this ledger accepts it, against vectors of others. A change in any row here is a consensus change."""

import json

from harness.shared import checked_bytes, shared_folder

from state.crypto import require_valid_point, verify
from state.errors import CryptoError

SPECCHECK_ACCEPTED = "XXXVXXXXXXXX"
SPECCHECK_POINTS = "XXXXXXVVXXXX"  # whose key could be accredited


def test_wycheproof_ed25519_is_accepted_exactly_where_valid() -> None:
    suite = json.loads(checked_bytes(shared_folder("vectors"), "wycheproof/ed25519_test.json"))
    tested = 0
    for group in suite["testGroups"]:
        key = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            accepted = verify(key, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))
            assert accepted == (case["result"] == "valid"), f"case {case['tcId']}: {case['comment']}"
            tested += 1
    assert tested == 151


def test_speccheck_row_of_accepted_signatures_is_golden() -> None:
    row = "".join(
        "V" if verify(bytes.fromhex(c["pub_key"]), bytes.fromhex(c["message"]), bytes.fromhex(c["signature"])) else "X"
        for c in _speccheck()
    )
    assert row == SPECCHECK_ACCEPTED


def test_speccheck_row_of_keys_that_may_enter_the_state_is_golden() -> None:
    row = "".join("V" if _may_enter(bytes.fromhex(case["pub_key"])) else "X" for case in _speccheck())
    assert row == SPECCHECK_POINTS


def _speccheck() -> list[dict[str, str]]:
    cases: list[dict[str, str]] = json.loads(checked_bytes(shared_folder("vectors"), "ed25519-speccheck/cases.json"))
    assert len(cases) == 12
    return cases


def _may_enter(key: bytes) -> bool:
    try:
        require_valid_point(key)
    except CryptoError:
        return False
    return True
