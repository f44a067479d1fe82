"""What a reader without state, and a node that is late, believe about finality."""

import pytest
from harness import toy_ledger
from harness.vote_keys import VoteKeys

from consensus.catchup import check_blocks
from consensus.light import verify_finalization
from consensus.messages import Blocks
from consensus.validators import ValidatorSet
from consensus.votes import FINALIZE, NOTARIZE, Position, Quorum, make_quorum, make_vote
from state.block import Block, Header, header_hash
from state.errors import ConsensusRefusal

CHAIN = bytes(32)
KEYS = VoteKeys(4, real=True)
GENESIS = toy_ledger.genesis_header(KEYS.validators)


def chain_of(length: int, salt: bytes = b"") -> list[Block]:
    blocks: list[Block] = []
    for height in range(1, length + 1):
        parent = blocks[-1].header if blocks else GENESIS
        transactions = (b"tx %d" % height + salt,)
        blocks.append(toy_ledger.build(parent, transactions, height, height % 4, KEYS.validators.hash))
    return blocks


BLOCKS = chain_of(5)
HEADERS = [block.header for block in BLOCKS]


def final(header: Header, kind: int = FINALIZE) -> Quorum:
    position = Position(0, header.height + 3, header.height + 2, header_hash(header))
    votes = [make_vote(CHAIN, kind, position, i, KEYS.signers[i].sign) for i in range(3)]
    return make_quorum(votes, KEYS.validators)


def verify(header: Header, quorum: Quorum, *descendants: Header, validators: ValidatorSet = KEYS.validators) -> None:
    verify_finalization(header, quorum, validators, CHAIN, KEYS.verify, descendants)


def test_header_with_its_own_finalization_is_final() -> None:
    verify(HEADERS[0], final(HEADERS[0]))


def test_header_is_final_by_a_descendant() -> None:
    verify(HEADERS[0], final(HEADERS[3]), *HEADERS[1:4])


def test_refuses_a_header_whose_descendant_it_is_not() -> None:
    with pytest.raises(ConsensusRefusal, match="does not follow"):
        verify(HEADERS[0], final(HEADERS[3]), HEADERS[2], HEADERS[3])


def test_refuses_the_finalization_of_another_block() -> None:
    with pytest.raises(ConsensusRefusal, match="another block"):
        verify(HEADERS[0], final(HEADERS[1]))


def test_refuses_a_notarization_as_proof() -> None:
    with pytest.raises(ConsensusRefusal, match="another block"):
        verify(HEADERS[0], final(HEADERS[0], NOTARIZE))


def test_refuses_other_validators() -> None:
    others = ValidatorSet(KEYS.validators.vote_keys[:3])
    with pytest.raises(ConsensusRefusal, match="other validators"):
        verify(HEADERS[0], final(HEADERS[0]), validators=others)


def check(batch: Blocks, committed: Header = GENESIS) -> tuple[bytes, ...]:
    return check_blocks(batch, committed, KEYS.validators, CHAIN, KEYS.verify)


def test_batch_up_to_a_finalization_is_believed() -> None:
    batch = Blocks(tuple(BLOCKS), (), final(HEADERS[4]))
    assert check(batch) == tuple(header_hash(header) for header in HEADERS)


def test_batch_is_believed_by_the_headers_that_lead_to_a_finalization() -> None:
    batch = Blocks(tuple(BLOCKS[1:3]), tuple(HEADERS[3:5]), final(HEADERS[4]))
    assert check(batch, HEADERS[0]) == (header_hash(HEADERS[1]), header_hash(HEADERS[2]))


@pytest.mark.parametrize(
    ("batch", "why"),
    [
        (Blocks((), (), final(HEADERS[4])), "without blocks"),
        (Blocks(tuple(BLOCKS[1:]), (), final(HEADERS[4])), "does not follow"),
        (Blocks((BLOCKS[0], BLOCKS[2]), (), final(HEADERS[2])), "does not follow"),
        (Blocks(tuple(BLOCKS[:3]), (), final(HEADERS[4])), "another block"),
        (Blocks((Block(HEADERS[0], (b"other",)),), (), final(HEADERS[0])), "body"),
        (Blocks((BLOCKS[0], *chain_of(2, b"x")[1:]), (), final(HEADERS[1])), "does not follow"),
    ],
    ids=["empty", "other start", "hole", "too short", "other body", "other branch"],
)
def test_refuses_a_batch_that_is_not_final(batch: Blocks, why: str) -> None:
    with pytest.raises(ConsensusRefusal, match=why):
        check(batch)


def test_refuses_a_batch_without_a_quorum() -> None:
    weak = final(HEADERS[0])
    weak = Quorum(weak.kind, *weak.position, b"\x03", weak.signatures[:2])
    with pytest.raises(ConsensusRefusal, match="2 signers"):
        check(Blocks((BLOCKS[0],), (), weak))
