"""Vote bytes, quorums and what is refused of them."""

import pytest
from harness import toy_ledger
from harness.vote_keys import VoteKeys

from consensus.messages import (
    MAX_JUST,
    Again,
    BlockBody,
    Blocks,
    Compact,
    ConsensusMessage,
    Evidence,
    Full,
    GetBlock,
    GetBlocks,
    GetQuorums,
    Propose,
    QuorumMessage,
    Quorums,
    Status,
    VoteMessage,
)
from consensus.records import HeldQuorum, JournalRecord, OwnVote, VotedBlock
from consensus.validators import ValidatorSet
from consensus.votes import (
    FINALIZE,
    NOTARIZE,
    NULLIFY,
    Position,
    Quorum,
    Vote,
    check_quorum,
    make_quorum,
    make_vote,
    nullified,
    vote_bytes,
    vote_holds,
)
from state.codec import decode, encode
from state.errors import ConsensusRefusal, DecodeError

CHAIN = b"\x07" * 32
KEYS = VoteKeys(4, real=True)
POSITION = Position(0, 5, 3, b"\x11" * 32)


def vote(signer: int, kind: int = NOTARIZE, position: Position = POSITION) -> Vote:
    return make_vote(CHAIN, kind, position, signer, KEYS.signers[signer].sign)


def quorum(kind: int = NOTARIZE, position: Position = POSITION, signers: tuple[int, ...] = (0, 1, 3)) -> Quorum:
    return make_quorum([vote(signer, kind, position) for signer in signers], KEYS.validators)


def check(checked: Quorum, validators: ValidatorSet = KEYS.validators, chain: bytes = CHAIN) -> None:
    check_quorum(checked, validators, chain, KEYS.verify)


def changed(good: Quorum, **fields: object) -> Quorum:
    values = {name: getattr(good, name) for name in good.__struct_fields__} | fields
    return Quorum(**values)  # type: ignore[arg-type]


def test_vote_bytes_are_as_the_protocol_says() -> None:
    said = vote_bytes(CHAIN, FINALIZE, Position(1, 2, 3, b"\xaa" * 32))
    numbers = "03" + "0000000000000001" + "0000000000000002" + "0000000000000003"
    assert said.hex() == b"wattest/vote/1\0".hex() + "07" * 32 + numbers + "aa" * 32
    assert len(said) == 104


@pytest.mark.parametrize(
    ("n", "q"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7), (13, 9), (21, 15)]
)
def test_quorum_is_n_less_f(n: int, q: int) -> None:
    validators = VoteKeys(n).validators
    assert (validators.quorum, validators.f) == (q, (n - 1) // 3)


def test_leaders_take_turns() -> None:
    assert [KEYS.validators.leader(view) for view in range(6)] == [0, 1, 2, 3, 0, 1]


def test_validators_are_known_by_their_keys() -> None:
    assert KEYS.validators.index_of(KEYS.signers[2].vote_key) == 2
    assert KEYS.validators.index_of(bytes(32)) is None


@pytest.mark.parametrize("keys", [(), (b"\1" * 32, b"\1" * 32), tuple(bytes([i, 1]) * 16 for i in range(256)) * 2])
def test_refuses_an_impossible_validator_set(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="validator set"):
        ValidatorSet(keys)


def test_true_vote_holds() -> None:
    assert vote_holds(vote(2), KEYS.validators, CHAIN, KEYS.verify)
    assert vote_holds(vote(2, NULLIFY, nullified(0, 5)), KEYS.validators, CHAIN, KEYS.verify)


@pytest.mark.parametrize(
    "wrong",
    [
        Vote(NOTARIZE, *POSITION, 2, vote(1).signature),
        Vote(NOTARIZE, *POSITION, 4, vote(1).signature),
        Vote(FINALIZE, *POSITION, 2, vote(2).signature),
        Vote(NOTARIZE, 1, *POSITION[1:], 2, vote(2).signature),
        vote(2, NOTARIZE, Position(0, 5, 5, b"\x11" * 32)),
        vote(2, NULLIFY, Position(0, 5, 3, bytes(32))),
        vote(2, NULLIFY, Position(0, 5, 0, b"\x11" * 32)),
        vote(2, NULLIFY, nullified(0, 0)),
    ],
    ids=["signer", "nobody", "kind", "epoch", "own parent", "nullify parent", "nullify block", "view 0"],
)
def test_refuses_a_vote_that_does_not_hold(wrong: Vote) -> None:
    assert not vote_holds(wrong, KEYS.validators, CHAIN, KEYS.verify)


def test_refuses_a_vote_of_another_chain() -> None:
    assert not vote_holds(vote(2), KEYS.validators, b"\x08" * 32, KEYS.verify)


@pytest.mark.parametrize("signers", [(0, 1, 2), (1, 2, 3), (0, 1, 2, 3)])
def test_quorum_of_three_or_four_holds(signers: tuple[int, ...]) -> None:
    good = quorum(signers=signers)
    check(good)
    assert good.signers == signers
    assert decode(Quorum, encode(good)) == good


def test_refuses_too_few_signers() -> None:
    with pytest.raises(ConsensusRefusal, match="2 signers"):
        check(quorum(signers=(0, 3)))


def test_refuses_a_signer_counted_twice() -> None:
    good = quorum()
    with pytest.raises(ConsensusRefusal, match="2 signers and 3 signatures"):
        check(changed(good, bitmap=b"\x03"))
    assert make_quorum([vote(0), vote(0), vote(1)], KEYS.validators).signers == (0, 1)


def test_refuses_a_spare_bit() -> None:
    with pytest.raises(ConsensusRefusal, match="spare bit"):
        check(changed(quorum(), bitmap=b"\x1b", signatures=(*quorum().signatures, bytes(64))))


@pytest.mark.parametrize("bitmap", [b"", b"\x0b\x00"])
def test_refuses_a_bitmap_of_another_width(bitmap: bytes) -> None:
    with pytest.raises(ConsensusRefusal, match="bitmap"):
        check(changed(quorum(), bitmap=bitmap))


def test_refuses_signatures_out_of_order() -> None:
    with pytest.raises(ConsensusRefusal, match="validator 0"):
        check(changed(quorum(), signatures=tuple(reversed(quorum().signatures))))


def test_refuses_a_quorum_of_another_chain() -> None:
    with pytest.raises(ConsensusRefusal, match="signature"):
        check(quorum(), chain=b"\x08" * 32)


def test_refuses_a_quorum_of_other_validators() -> None:
    with pytest.raises(ConsensusRefusal, match="signature"):
        check(quorum(), validators=ValidatorSet(KEYS.validators.vote_keys[::-1]))


def test_refuses_a_quorum_for_an_impossible_position() -> None:
    with pytest.raises(ConsensusRefusal, match="impossible"):
        check(quorum(NULLIFY, Position(0, 5, 1, bytes(32))))


BLOCK = toy_ledger.build(toy_ledger.genesis_header(KEYS.validators), (b"one", b"two"), 5, 1, KEYS.validators.hash)
MESSAGES: list[ConsensusMessage] = [
    Propose(Full(BLOCK), vote(1), (quorum(),)),
    Propose(Compact(BLOCK.header, (b"12345678",)), vote(1), ()),
    Propose(Again(bytes(32)), vote(1), ()),
    VoteMessage(vote(3)),
    QuorumMessage(quorum()),
    GetQuorums(0, 7),
    Quorums(0, None, (quorum(),)),
    Quorums(0, BLOCK.header, ()),
    GetBlocks(1, 64),
    Blocks((BLOCK,), (BLOCK.header,), quorum(FINALIZE)),
    GetBlock(bytes(32)),
    BlockBody(BLOCK),
    Status(0, 1, 2, bytes(32)),
    Evidence(vote(1), vote(2)),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_message_survives_the_wire(message: ConsensusMessage) -> None:
    data = encode(message)
    assert decode(ConsensusMessage, data) == message  # type: ignore[arg-type]
    with pytest.raises(DecodeError):
        decode(ConsensusMessage, data + b"\x00")  # type: ignore[arg-type]


@pytest.mark.parametrize("record", [OwnVote(vote(1)), VotedBlock(0, 5, BLOCK), HeldQuorum(quorum())])
def test_record_survives_the_journal(record: JournalRecord) -> None:
    assert decode(JournalRecord, encode(record)) == record  # type: ignore[arg-type]
    assert (record.epoch, record.view) == (0, 5)


@pytest.mark.parametrize(
    "oversize",
    [
        Propose(Again(bytes(32)), vote(1), (quorum(),) * (MAX_JUST + 1)),
        Quorums(0, None, (quorum(),) * (MAX_JUST + 1)),
        GetBlocks(1, 65),
        GetBlocks(1, 0),
        Blocks((BLOCK,) * 65, (), quorum()),
        QuorumMessage(changed(quorum(), bitmap=bytes(33))),
        VoteMessage(Vote(4, *POSITION, 1, bytes(64))),
        VoteMessage(Vote(1, *POSITION, 1, bytes(63))),
    ],
    ids=["just", "quorums", "blocks asked", "no block asked", "blocks", "bitmap", "kind", "signature"],
)
def test_refuses_what_is_over_a_limit(oversize: ConsensusMessage) -> None:
    with pytest.raises(DecodeError):
        decode(ConsensusMessage, encode(oversize))  # type: ignore[arg-type]
