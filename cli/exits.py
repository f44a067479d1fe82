"""Exit codes: one table for `--help`, the documentation and `run` in `cli/main.py`."""

from state.errors import GenesisInvalid, Refusal, StoreError, WattestError

DONE = 0
REFUSED = 1
USAGE = 2
UNREACHABLE = 3
KEY = 4
TIMED_OUT = 5
FAILED_VERIFICATION = 6
INTERRUPTED = 130

EXITS = {
    DONE: "done",
    REFUSED: "refused by the ledger",
    USAGE: "wrong usage",
    UNREACHABLE: "node unreachable",
    KEY: "key or passphrase",
    TIMED_OUT: "timed out waiting for finality",
    FAILED_VERIFICATION: "verification failed",
    70: "node: disk failed",
    71: "node: data of another network, or damaged",
    72: "node: execution differs from a final block",
    73: "node: conflicting quorums",
    74: "node: own key seen elsewhere",
    INTERRUPTED: "interrupted",
}


def exit_code(error: WattestError) -> int:
    """The code that a command ends with when this was raised."""
    from node.failures import KeystoreError, NodeUnreachable, TimedOut, VerificationFailed

    match error:
        case GenesisInvalid():  # a file of the user's own, whatever the ledger would say of it
            return USAGE
        case Refusal():
            return REFUSED
        case NodeUnreachable():
            return UNREACHABLE
        case KeystoreError():
            return KEY
        case TimedOut():
            return TIMED_OUT
        case VerificationFailed():
            return FAILED_VERIFICATION
        case StoreError():
            return error.exit_code
        case _:
            return USAGE


def table() -> str:
    return "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXITS.items())
