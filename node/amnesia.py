"""From which epoch on a validator may vote that does not know its own votes (consensus.md section 7.4).

Two above the highest that min(q, n-1) other validators report: votes are scoped by epoch, it cannot have voted there,
and two because the others may be one boundary behind what this node itself had seen.

Any so many others will do. If this node voted in epoch E, the end of E-1 was final, so q validators signed it, and at
least n - 3f honest ones of those are among any q: the highest report of any q is at least E-1. So of more reports the
lowest q count, whoever speaks first, and what a liar added is taken back once enough others were heard. There are
n - 1 - q = f - 1 others to spare: with n = 7 one liar is harmless. With n from 4 to 6 every other validator is needed,
and one that lies, or is down, can make this node wait: an amnesiac and a liar are two faults where one is tolerated.
Nobody can ever make it vote too early.
"""

EPOCHS_AHEAD = 2
LAST_EPOCH = 2**64 - 2  # a report may say any number, and one above is UNSETTLED


class Amnesia:
    """Asks nobody by itself: every peer says its epoch when it connects, and again and again."""

    def __init__(self, index: int, validators: int, quorum: int, known_epoch: int) -> None:
        """`known_epoch`: the highest that this node itself can tell, from its state or an imported file."""
        self._index = index
        self.needed = min(quorum, validators - 1)
        self._reported: dict[int, int] = {}
        self._known = known_epoch

    def heard(self, validator: int, epoch: int) -> int | None:
        """The first epoch to vote in, as far as enough others were heard; None before. It may fall with further ones.

        A lone validator never knows.
        """
        if validator != self._index:
            self._reported[validator] = max(epoch, self._reported.get(validator, 0))
        if not self.needed or len(self._reported) < self.needed:
            return None
        highest_that_counts = sorted(self._reported.values())[self.needed - 1]
        return min(EPOCHS_AHEAD + max(self._known, highest_that_counts), LAST_EPOCH)
