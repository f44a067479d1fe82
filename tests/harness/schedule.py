"""Who is in office when: one member replaced at the end of every epoch, round and round the same people."""

from harness.vote_keys import VoteKeys

from consensus.validators import ValidatorSet
from state.epochs import ends_epoch, epoch_of, last_height


class Schedule:
    """`length` 0: everybody of `keys`, for ever. Else `seats` of them at a time: the longest in office leaves."""

    def __init__(self, keys: VoteKeys, length: int = 0, seats: int = 0) -> None:
        self.everybody = keys.validators.n
        self.length, self._keys = length, keys
        self._seats = seats or self.everybody
        self._sets: dict[int, ValidatorSet] = {}

    def members(self, epoch: int) -> tuple[int, ...]:
        """Nodes by validator index."""
        first = epoch if self._seats < self.everybody else 0
        return tuple((first + seat) % self.everybody for seat in range(self._seats))

    def validators(self, epoch: int) -> ValidatorSet:
        if epoch not in self._sets:
            self._sets[epoch] = ValidatorSet(tuple(self._keys.validators.vote_keys[i] for i in self.members(epoch)))
        return self._sets[epoch]

    def epoch_after(self, height: int) -> int:
        return epoch_of(height + 1, self.length)

    def last_height(self, epoch: int) -> int | None:
        return last_height(epoch, self.length)

    def handed_to(self, height: int) -> bytes:
        """`next_validators_hash` of a block."""
        epoch = epoch_of(height, self.length)
        return self.validators(epoch + 1 if ends_epoch(height, self.length) else epoch).hash
