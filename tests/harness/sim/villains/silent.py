"""Says nothing, ever: a validator that is in office and not there."""

from harness.sim.villains.speaker import Villain

from consensus.messages import ConsensusMessage


class Silent(Villain):
    def receive(self, source: int, message: ConsensusMessage) -> None:
        """Heard, and that is all."""
