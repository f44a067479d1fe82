"""An honest node but for its proposals: each has one thing wrong that every voter must find."""

from typing import Any

from harness.sim.villains.puppet import Puppet, Puppeteer
from msgspec.structs import replace

from consensus.messages import ConsensusMessage, Full, Propose
from consensus.votes import NOTARIZE
from state.block import Block, Header, header_hash

HOUR_MS = 3_600_000


class InvalidProposer(Puppeteer):
    def says(self, puppet: Puppet, message: ConsensusMessage, to: int | None) -> None:
        if isinstance(message, Propose) and isinstance(message.content, Full) and self.random.random() < 0.8:
            message = self._spoil(message, message.content.block)
        super().says(puppet, message, to)

    def _spoil(self, message: Propose, block: Block) -> Propose:
        header = block.header
        if self.random.random() < 0.15:
            return replace(message, content=Full(Block(header, (*block.transactions, b"more"))))
        wrong: dict[str, Any] = self.random.choice(_wrong(header))
        spoiled = replace(header, **wrong)
        position = message.vote.position._replace(block_hash=header_hash(spoiled))
        if self.random.random() < 0.1:
            position, spoiled = message.vote.position._replace(parent_view=0), header
        vote = self.vote(NOTARIZE, position)
        return message if vote is None else Propose(Full(Block(spoiled, block.transactions)), vote, message.just)


def _wrong(header: Header) -> list[dict[str, Any]]:
    return [
        {"state_root": bytes(32)},
        {"height": header.height + 1},
        {"epoch": header.epoch + 1},
        {"version": header.version + 1},
        {"parent_hash": bytes(32)},
        {"proposer": header.proposer + 1},
        {"timestamp_ms": header.timestamp_ms + HOUR_MS},
        {"timestamp_ms": 1},
        {"validators_hash": bytes(32)},
        {"next_validators_hash": bytes(32)},
        {"tx_root": bytes(32)},
    ]
