"""Transactions and blocks: form, signatures, replay, all or nothing, order, limits."""

from collections.abc import Callable

import msgspec
import pytest
from harness.town import Town, one_of_each
from harness.world import FAR, World, key_of
from msgspec.structs import replace

from contracts.settle import build_settle
from contracts.transition import (
    KINDS,
    DecodedTx,
    apply_block,
    build_block,
    check_transaction,
    conflict_keys,
    decode_signed,
    describe,
    kind_name,
    verify_signatures,
)
from state.codec import encode
from state.crypto import sign
from state.errors import (
    AuthorityRefusal,
    BadField,
    BadSignature,
    BlockInvalid,
    DecodeError,
    Expired,
    ExpiryTooFar,
    NotRegistered,
    Refusal,
    SignerMismatch,
    WrongChain,
)
from state.overlay import Overlay
from state.transaction import (
    Body,
    Deposit,
    Propose,
    Register,
    RoleContent,
    Transaction,
    Transfer,
    signing_bytes,
    transaction_id,
)
from state.units import MAX_ACTIONS, MAX_BLOCK_ACTIONS, MAX_EXPIRY_AHEAD, MICRO, REGISTER_PER_BLOCK, SIGNER_PER_BLOCK


@pytest.fixture
def town() -> Town:
    return Town()


def register(name: str) -> Register:
    return Register(key_of(name), name, "FR", b"")


def deposit(town: Town, reference: str) -> Deposit:
    return Deposit(town.id("bank"), town.id("trader"), "EUR", MICRO, reference)


# --- form


def test_a_transaction_holds_until_its_expiry_height(town: Town) -> None:
    late = town.transaction(deposit(town, "a"), by=("bank",), lives=3)
    town.pass_blocks(2, 1)
    town.block(late)
    assert town.money("trader") == MICRO


def test_refuses_a_transaction_of_another_chain(town: Town) -> None:
    other = town.transaction(deposit(town, "a"), by=("bank",), chain=bytes(32))
    town.refuses_transaction(WrongChain, other)


def test_refuses_an_expired_transaction(town: Town) -> None:
    late = town.transaction(deposit(town, "a"), by=("bank",), lives=2)
    town.pass_blocks(2, 1)
    town.refuses_transaction(Expired, late)


def test_refuses_an_expiry_too_far_ahead(town: Town) -> None:
    town.refuses_transaction(
        ExpiryTooFar, town.transaction(deposit(town, "a"), by=("bank",), lives=MAX_EXPIRY_AHEAD + 2)
    )
    town.block(town.transaction(deposit(town, "a"), by=("bank",), lives=MAX_EXPIRY_AHEAD + 1))


def test_refuses_a_signer_who_is_not_registered(town: Town) -> None:
    town.refuses(NotRegistered, deposit(town, "a"), by=("bank", "nobody"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw + b"\x00",
        lambda raw: raw[:-1],
        lambda raw: b"\xdc\x00\x02" + raw[1:],  # a longer spelling of the outer array
        lambda raw: b"",
        lambda raw: b"\xc0",
        lambda raw: raw.replace(b"deposit", b"depozit"),
    ],
)
def test_refuses_bytes_that_are_not_canonical(town: Town, spoil: Callable[[bytes], bytes]) -> None:
    raw = town.transaction(deposit(town, "a"), by=("bank",)).raw
    with pytest.raises(DecodeError):
        decode_signed(spoil(raw))


@pytest.mark.parametrize("count", [0, MAX_ACTIONS + 1])
def test_refuses_no_actions_and_too_many(town: Town, count: int) -> None:
    body = Body(town.chain, (), tuple(deposit(town, str(n)) for n in range(count)), 10, bytes(8))
    with pytest.raises(DecodeError):
        decode_signed(encode(Transaction(body, ())))


def test_refuses_a_transaction_beyond_its_bytes(town: Town) -> None:
    pieces = tuple(town.piece("trader", 2**40 + n, 2**40 + n) for n in range(256))
    actions = tuple(Transfer(1, (bytes(34),) * 256, pieces, None) for _ in range(20))
    with pytest.raises(DecodeError):
        decode_signed(encode(Transaction(Body(town.chain, (), actions, 10, bytes(8)), ())))


# --- signatures


def test_refuses_a_wrong_signature(town: Town) -> None:
    good = town.transaction(deposit(town, "a"), by=("bank",))
    for signature in (bytes(64), sign(town.seed("trader"), signing_bytes(good.transaction.body))):
        bad = decode_signed(encode(Transaction(good.transaction.body, (signature,))))
        assert bad.txid == good.txid
        assert bad.key != good.key, "a bad signature must not ride on the cache entry of a good one"
        with pytest.raises(BadSignature):
            verify_signatures(bad)


def test_refuses_a_body_changed_after_signing(town: Town) -> None:
    good = town.transaction(deposit(town, "a"), by=("bank",))
    body = replace(good.transaction.body, actions=(deposit(town, "b"),))
    with pytest.raises(BadSignature):
        verify_signatures(decode_signed(encode(Transaction(body, good.transaction.signatures))))


def test_refuses_the_same_signer_twice(town: Town) -> None:
    town.refuses(SignerMismatch, deposit(town, "a"), by=("bank", "bank"))


def test_refuses_a_signature_too_few_or_too_many(town: Town) -> None:
    good = town.transaction(deposit(town, "a"), by=("bank",))
    for signatures in ((), good.transaction.signatures * 2):
        with pytest.raises(SignerMismatch):
            verify_signatures(decode_signed(encode(Transaction(good.transaction.body, signatures))))


# --- replay: the same signed bytes, twice


# evidence is replayed in test_validators.py
@pytest.mark.parametrize("kind", sorted({kind.name for kind in KINDS.values()} - {"settle", "evidence"}))
def test_refuses_a_replay_of(town: Town, kind: str) -> None:
    by, actions = one_of_each(town)[kind]
    assert [kind_name(action) for action in actions] == [kind]
    signed = town.transaction(*actions, by=by)
    with pytest.raises(BlockInvalid):
        town.block(signed, signed)
    town.block(signed)
    for seconds in (1, 86_400):
        refused = next_refusal(town, signed, seconds)
        assert refused is not None
        assert refused.action_index == 0


def next_refusal(world: World, decoded: DecodedTx, seconds: int) -> Refusal | None:
    try:
        check_transaction(world.state, world.environment(seconds), decoded)
    except Refusal as refusal:
        return refusal
    return None


def test_refuses_a_replay_of_settle(town: Town) -> None:
    auction, _, _ = town.trade()
    signed = town.transaction(build_settle(town.state, town.close(auction)))
    town.block(signed)
    assert next_refusal(town, signed, 1) is not None


def test_every_kind_of_action_can_be_said_in_words(town: Town) -> None:
    sentences = [describe(action) for _, actions in one_of_each(town).values() for action in actions]
    assert all(len(sentence) > 8 for sentence in sentences)
    assert len(set(sentences)) == len(sentences)


def test_two_transactions_conflict_exactly_where_they_use_the_same_thing(town: Town) -> None:
    made = {kind: town.transaction(*actions, by=by) for kind, (by, actions) in one_of_each(town).items()}
    keys = {kind: conflict_keys(decoded.transaction) for kind, decoded in made.items()}
    assert all(keys.values())
    for kind, found in keys.items():
        assert [other for other in keys if keys[other] & found] == [kind]
        again = replace(made[kind].transaction.body, salt=bytes(8))
        same = conflict_keys(Transaction(again, ())) & found
        assert bool(same) == (kind not in {"propose", "open_auction", "set_standing"}), kind


# --- all or nothing, order


def test_a_transaction_holds_as_a_whole_or_not_at_all(town: Town) -> None:
    good = town.transfer("plant", (town.lot,), town.piece("trader", 1, 10))
    bad = deposit(town, "")
    refused = town.refuses(BadField, deposit(town, "a"), good, bad, by=("plant", "bank"), index=2)
    assert refused.action_index == 2
    assert town.in_hand("plant") == (10, 0)


def test_actions_of_one_transaction_see_what_the_earlier_ones_did(town: Town) -> None:
    new, before = town.count("participant") + 1, town.count("proposal")
    town.do(register("new"), Propose(new, RoleContent(new, "market_operator", FAR)), by=("new",))
    assert town.count("proposal") == before + 1


def test_transactions_of_a_block_chain_in_order(town: Town) -> None:
    first = town.transaction(town.transfer("plant", (town.lot,), town.piece("trader", 1, 10)), by=("plant",))
    moved = first.txid + bytes(2)
    second = town.transaction(town.transfer("trader", (moved,), town.piece("consumer", 1, 10)), by=("trader",))
    with pytest.raises(BlockInvalid):
        town.block(second, first)
    assert town.certificates("plant") == 10
    town.block(first, second)
    assert town.certificates("consumer") == 10


def test_an_outpoint_index_runs_on_over_the_actions(town: Town) -> None:
    split = town.transfer("plant", (town.lot,), town.piece("plant", 1, 5), town.piece("plant", 6, 10))
    signed = town.transaction(split, deposit(town, "a"), by=("plant", "bank"))
    town.block(signed)
    assert sorted(town.live()) == [signed.txid + index.to_bytes(2, "big") for index in range(3)]


def test_a_refused_transaction_leaves_no_trace_in_a_block_that_goes_on(town: Town) -> None:
    bad = town.transaction(
        town.transfer("plant", (town.lot,), town.piece("trader", 1, 10)), deposit(town, "b\n"), by=("plant", "bank")
    )
    good = town.transaction(deposit(town, "a"), by=("bank",))
    alone, both = Overlay(town.state), Overlay(town.state)
    build_block(alone, town.environment(), [good])
    chosen, output, refused = build_block(both, town.environment(), [bad, good])
    assert chosen == [good]
    assert [(decoded, refusal.action_index) for decoded, refusal in refused] == [(bad, 1)]
    assert alone.difference() == both.difference()
    assert {record.txid for record in output.events} == {good.txid}


def test_check_leaves_the_state_alone(town: Town) -> None:
    before = dict(town.state.changes)
    check_transaction(town.state, town.environment(), town.transaction(deposit(town, "a"), by=("bank",)))
    assert town.state.changes == before


# --- limits of a block


def fill(town: Town, candidates: list[DecodedTx]) -> int:
    """How many of them a block takes; the whole block is invalid with one more."""
    environment = town.environment()
    chosen, _, refused = build_block(Overlay(town.state), environment, candidates)
    assert not refused
    apply_block(Overlay(town.state), environment, chosen)
    if len(chosen) < len(candidates):
        with pytest.raises(BlockInvalid, match="limits"):
            apply_block(Overlay(town.state), environment, candidates[: len(chosen) + 1])
    return len(chosen)


def test_refuses_the_ninth_registration_of_a_block(town: Town) -> None:
    names = [f"n{number}" for number in range(REGISTER_PER_BLOCK + 1)]
    assert fill(town, [town.transaction(register(name), by=(name,)) for name in names]) == REGISTER_PER_BLOCK


def test_refuses_nine_registrations_in_one_transaction(town: Town) -> None:
    names = tuple(f"n{number}" for number in range(REGISTER_PER_BLOCK + 1))
    assert fill(town, [town.transaction(*(register(name) for name in names), by=names)]) == 0


def test_refuses_the_33rd_transaction_of_a_signer(town: Town) -> None:
    candidates = [town.transaction(deposit(town, f"r{n}"), by=("bank",)) for n in range(SIGNER_PER_BLOCK + 1)]
    assert fill(town, candidates) == SIGNER_PER_BLOCK


def test_refuses_more_actions_than_a_block_holds(town: Town) -> None:
    batches = MAX_BLOCK_ACTIONS // MAX_ACTIONS + 1
    candidates = [
        town.transaction(*(deposit(town, f"{batch}.{n}") for n in range(MAX_ACTIONS)), by=("bank",))
        for batch in range(batches)
    ]
    assert fill(town, candidates) == batches - 1


def test_refuses_more_bytes_than_a_block_holds(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = [town.transaction(deposit(town, f"r{n}"), by=("bank",)) for n in range(4)]
    room = 4_096 + sum(len(decoded.raw) + 8 for decoded in candidates[:3])
    monkeypatch.setattr("contracts.transition.MAX_BLOCK_BYTES", room)
    assert fill(town, candidates) == 3


# --- small truths


def test_txid_names_the_body_and_the_cache_key_the_signed_bytes(town: Town) -> None:
    decoded = town.transaction(deposit(town, "a"), by=("bank",))
    assert decoded.txid == transaction_id(decoded.transaction.body)
    assert msgspec.msgpack.decode(decoded.raw)[1] == list(decoded.transaction.signatures)


def test_a_signer_more_than_needed_does_no_harm(town: Town) -> None:
    town.do(deposit(town, "a"), by=("bank", "trader"))
    assert town.money("trader") == MICRO


def test_without_signers_nothing_but_machine_actions_holds(town: Town) -> None:
    for kind, (_, actions) in one_of_each(town).items():
        refused = next_refusal(town, town.transaction(*actions), 1)
        assert (refused is None) == (
            kind in {"issue", "withdraw", "report_consumption", "reveal", "void", "default"}
        ), kind
        assert refused is None or isinstance(refused, AuthorityRefusal)
