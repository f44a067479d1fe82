"""Messages in a few words, for the one line that each event gets in a trace."""

from consensus.messages import (
    Again,
    BlockBody,
    Blocks,
    ConsensusMessage,
    Evidence,
    GetBlock,
    GetBlocks,
    GetQuorums,
    Propose,
    QuorumMessage,
    Quorums,
    Status,
    VoteMessage,
)
from consensus.votes import FINALIZE, KIND_WORDS, NOTARIZE, NULLIFY, Quorum, Vote

QUORUM_WORDS = {NOTARIZE: "Notarization", NULLIFY: "Nullification", FINALIZE: "Finalization"}


def words(message: ConsensusMessage) -> str:
    match message:
        case VoteMessage(vote=vote):
            return _vote(vote)
        case Propose(content=content, vote=vote, just=just):
            how = "again" if isinstance(content, Again) else ""
            return f"propose {how} {_vote(vote)} because [{', '.join(map(_quorum, just))}]"
        case QuorumMessage(quorum=quorum):
            return _quorum(quorum)
        case Quorums(epoch=epoch, quorums=quorums):
            return f"quorums of epoch {epoch}: {', '.join(map(_quorum, quorums))}"
        case GetQuorums(epoch=epoch, from_view=view):
            return f"get quorums of epoch {epoch} from {view}"
        case GetBlocks(from_height=height, count=count):
            return f"get {count} blocks from {height}"
        case GetBlock(block_hash=block_hash):
            return f"get block {block_hash.hex()[:8]}"
        case BlockBody(block=block):
            return f"block {block.header.height}"
        case Blocks(blocks=blocks):
            return f"{len(blocks)} blocks from {blocks[0].header.height if blocks else '-'}"
        case Status(epoch=epoch, view=view, height=height):
            return f"status: epoch {epoch}, view {view}, height {height}"
        case Evidence(first=first, second=second):
            return f"evidence {_vote(first)} + {_vote(second)}"


def _vote(vote: Vote) -> str:
    block = "" if vote.kind == NULLIFY else f" {vote.block_hash.hex()[:8]} on {vote.parent_view}"
    return f"{KIND_WORDS[vote.kind]} {vote.epoch}.{vote.view}{block} of {vote.signer}"


def _quorum(quorum: Quorum) -> str:
    block = "" if quorum.kind == NULLIFY else f" {quorum.block_hash.hex()[:8]} on {quorum.parent_view}"
    signers = ",".join(map(str, quorum.signers))
    return f"{QUORUM_WORDS[quorum.kind]} {quorum.epoch}.{quorum.view}{block} by {signers}"
