"""From which epoch on a validator may vote that does not know its own votes (consensus.md section 7.4).

Two above the highest that min(q, n-1) other validators report: votes are scoped by epoch, it cannot have voted there,
and two because the others may be one boundary behind what this node itself had seen. A liar can make it wait for ever,
never make it vote too early.
"""

EPOCHS_AHEAD = 2


class Amnesia:
    """Asks nobody by itself: every peer says its epoch when it connects, and again and again."""

    def __init__(self, index: int, validators: int, quorum: int, known_epoch: int) -> None:
        """`known_epoch`: the highest that this node itself can tell, from its state or an imported file."""
        self._index = index
        self.needed = min(quorum, validators - 1)
        self._reported: dict[int, int] = {}
        self._known = known_epoch

    def heard(self, validator: int, epoch: int) -> int | None:
        """The first epoch to vote in, once enough others were heard; None before. A lone validator never knows."""
        if validator != self._index:
            self._reported[validator] = max(epoch, self._reported.get(validator, 0))
        if not self.needed or len(self._reported) < self.needed:
            return None
        return EPOCHS_AHEAD + max(self._known, *self._reported.values())
