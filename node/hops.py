"""From the genesis to the validators of today: one hop for each epoch that has ended, each signed by the one before it.

A node that knows nothing but its genesis believes a header once it has followed these. What it holds of them it never
asks for again, whoever it was from: a hop proves itself.
"""

from collections.abc import Sequence

from consensus.light import Hop, follow, verify_finalization
from consensus.validators import ValidatorSet
from consensus.votes import Finalization, Verify
from state.block import Header
from state.epochs import epoch_of, last_height
from state.errors import ConsensusRefusal


class Trust:
    """Grows epoch by epoch. `vote_keys` are those of the genesis."""

    def __init__(self, chain: bytes, vote_keys: tuple[bytes, ...], epoch_length: int, verify: Verify) -> None:
        self._chain, self._epoch_length, self._verify = chain, epoch_length, verify
        self._sets = [ValidatorSet(vote_keys)]
        self.hops: list[Hop] = []

    @property
    def epoch(self) -> int:
        """The newest one whose validators are known."""
        return len(self.hops)

    def follow(self, hop: Hop) -> None:
        """ConsensusRefusal unless it leads from the newest known epoch to the next."""
        height = last_height(self.epoch, self._epoch_length)
        after = follow(hop, height, self._sets[-1], self._chain, self._verify)
        self._sets.append(after)
        self.hops.append(hop)

    def validators(self, epoch: int) -> ValidatorSet:
        """ConsensusRefusal for an epoch to which no hop led yet."""
        if epoch > self.epoch:
            raise ConsensusRefusal(why=f"epoch {epoch} is not reached by the hops")
        return self._sets[epoch]

    def require_final(self, header: Header, finalization: Finalization, descendants: Sequence[Header] = ()) -> None:
        """ConsensusRefusal unless the header is final, by itself or through the headers after it.

        The hops to its epoch must have been followed.
        """
        if epoch_of(header.height, self._epoch_length) != header.epoch:
            raise ConsensusRefusal(why=f"height {header.height} is of another epoch than {header.epoch}")
        validators = self.validators(header.epoch)
        verify_finalization(header, finalization, validators, self._chain, self._verify, descendants)
