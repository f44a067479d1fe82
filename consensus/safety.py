"""When a node must stop for good: what it saw cannot happen unless more than f validators lie or its key was copied."""

from consensus.held import HeldQuorums
from consensus.votes import KIND_WORDS, Quorum
from state.errors import WattestError

EXIT_CONFLICTING_QUORUMS = 73
EXIT_OWN_KEY_ELSEWHERE = 74


class SafetyBroken(WattestError):
    """Nothing after this can be trusted; a supervisor must not start the node again by itself."""

    code = "safety_broken"
    sentence = "{why}"

    def __init__(self, exit_code: int, why: str) -> None:
        super().__init__(why=why)
        self.exit_code = exit_code


def require_consistent(held: HeldQuorums, quorum: Quorum) -> None:
    """Stop on two Notarizations of one view, or a Nullification beside a Finalization."""
    other = held.contradiction(quorum)
    if other is not None:
        words = f"{KIND_WORDS[other.kind]} and {KIND_WORDS[quorum.kind]}"
        raise SafetyBroken(EXIT_CONFLICTING_QUORUMS, f"conflicting quorums of view {quorum.view}: {words}")
