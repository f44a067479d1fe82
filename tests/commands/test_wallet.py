"""What a wallet builds and signs without a network."""

import random

import pytest

from node.failures import KeystoreError
from node.keystore import generate_key
from node.wallet import (
    EXPIRY_AHEAD,
    Holding,
    Wanted,
    add_signature,
    body_of,
    build_body,
    choose_funds,
    choose_quantity,
    choose_ranges,
    complete,
    draft,
    format_file,
    missing_signers,
    parse_file,
    raw_and_id,
    register_key,
    sign_transaction,
    transfer,
)
from state.crypto import verify
from state.errors import BadField, DecodeError, MoneyDiffers, RangesDiffer, SignerMismatch, WrongChain
from state.outputs import Bundle, Funds
from state.transaction import (
    Action,
    Payment,
    Piece,
    SetStanding,
    Transfer,
    decode_transaction,
    signing_bytes,
    transaction_id,
)

CHAIN = bytes(range(32))
OTHER = bytes(32)
A, B = generate_key(name="a"), generate_key(name="b")


def bundle(
    start: int, end: int, issuance: int = 1, device: int = 1, dies: int = 100, transfers: int = 0
) -> Holding[Bundle]:
    point = bytes(32) + (issuance * 1000 + start).to_bytes(2, "big")
    return Holding(point, Bundle(7, issuance, device, start, end, dies, dies, transfers))


def money(amount: int, index: int, currency: str = "EUR") -> Holding[Funds]:
    return Holding(bytes(32) + index.to_bytes(2, "big"), Funds(7, currency, amount))


def body(*signers: bytes, tip: int = 5):  # type: ignore[no-untyped-def]
    return build_body(CHAIN, signers, [register_key(A.public, "A", "FR")], tip)


def test_body_carries_chain_expiry_and_fresh_salt() -> None:
    first, second = body(A.public), body(A.public)
    assert first.chain == CHAIN
    assert first.expiry_height == 5 + EXPIRY_AHEAD
    assert first.salt != second.salt
    assert transaction_id(first) != transaction_id(second)


def test_signed_transaction_decodes_and_verifies() -> None:
    transaction = sign_transaction(body(A.public, B.public), [B, A])
    raw, txid = raw_and_id(transaction)
    decoded = decode_transaction(raw)
    assert txid == transaction_id(decoded.body).hex()
    for public, signature in zip(decoded.body.signers, decoded.signatures, strict=True):
        assert verify(public, signing_bytes(decoded.body), signature)


def test_refuses_to_sign_with_a_key_missing() -> None:
    with pytest.raises(SignerMismatch, match="missing"):
        sign_transaction(body(A.public, B.public), [A])


def test_refuses_key_of_another_network() -> None:
    bound = generate_key(chain=OTHER.hex(), seed=A.seed)
    with pytest.raises(KeystoreError, match="belongs to network"):
        sign_transaction(body(A.public), [bound])


def test_refuses_no_or_too_many_actions() -> None:
    for count in (0, 129):
        with pytest.raises(BadField, match="actions"):
            build_body(CHAIN, [A.public], [register_key(A.public, "A", "FR")] * count, 0)


# --- files between signers


@pytest.mark.parametrize(
    ("action", "field", "why"),
    [
        (SetStanding(7, 1, 9, 10_000, 0, -1), "until", "at least 0"),
        (SetStanding(7, 1, 9, 10_000, 10**30, 5), "maximum", "at most"),
        (SetStanding(7, 2**32, 9, 10_000, 0, 5), "device", "at most 4294967295"),
        (Transfer(7, (bytes(34),), (Piece(9, 1, 10**30),), None), "end", "at most"),
        (Transfer(7, (bytes(34),), (Piece(2**33, 1, 2),), None), "to", "at most 4294967295"),
        (register_key(A.public, "x" * 300, "FR"), "name", "length at most 120"),
    ],
)
def test_refuses_what_no_ledger_could_store_by_the_name_of_its_field(action: Action, field: str, why: str) -> None:
    with pytest.raises(BadField, match=f"The field {field} is not allowed: .*{why}"):
        build_body(CHAIN, [A.public], [action], 0)


def test_two_signers_complete_a_file_in_any_order() -> None:
    content = draft(body(A.public, B.public))
    for key in (B, A):
        assert key.public in missing_signers(content)
        content = parse_file(format_file(add_signature(content, key, CHAIN)).encode())
    assert missing_signers(content) == []
    assert complete(content).signatures[0] == A.sign(signing_bytes(body_of(content)))


def test_refuses_to_complete_with_a_signature_missing_or_false() -> None:
    content = add_signature(draft(body(A.public, B.public)), A, CHAIN)
    with pytest.raises(SignerMismatch, match="1 missing"):
        complete(content)
    text = format_file(content).replace(content.signatures[A.public.hex()][:8], "00000000")
    with pytest.raises(SignerMismatch, match="2 missing"):
        complete(parse_file(text.encode()))


def test_refuses_signature_for_a_network_that_was_not_named() -> None:
    with pytest.raises(WrongChain):
        add_signature(draft(body(A.public)), A, OTHER)


def test_refuses_signature_of_a_stranger() -> None:
    with pytest.raises(SignerMismatch, match="not one of"):
        add_signature(draft(body(A.public)), B, CHAIN)


def test_refuses_files_that_are_not_what_they_say() -> None:
    text = format_file(draft(body(A.public)))
    for bad in (
        "{}",
        text.replace("transaction_file/1", "transaction_file/2"),
        text.replace(CHAIN.hex() + '",\n  "body', OTHER.hex() + '",\n  "body'),
        text.replace('"body": "95', '"body": "96'),
        text.replace('"body": "', '"body": "zz'),
    ):
        assert bad != text
        with pytest.raises(DecodeError):
            parse_file(bad.encode())


# --- choosing


def test_ranges_are_taken_across_adjacent_bundles() -> None:
    chosen = choose_ranges([bundle(11, 20), bundle(1, 10)], [Wanted(1, 8, 13)])
    assert [(start, end) for _, start, end in chosen] == [(8, 10), (11, 13)]


def test_refuses_ranges_that_are_not_held() -> None:
    for want in (Wanted(1, 8, 21), Wanted(2, 1, 1), Wanted(1, 30, 31)):
        with pytest.raises(RangesDiffer, match="not yours"):
            choose_ranges([bundle(1, 10), bundle(11, 20)], [want])


def test_quantity_takes_what_dies_first() -> None:
    chosen = choose_quantity([bundle(1, 10, dies=300), bundle(11, 20, issuance=2, dies=200)], 12)
    assert [(start, end) for _, start, end in chosen] == [(11, 20), (1, 2)]


def test_refuses_more_than_is_held() -> None:
    with pytest.raises(RangesDiffer, match="you hold 10"):
        choose_quantity([bundle(1, 10)], 11)


def test_money_is_taken_in_few_pieces_of_one_currency() -> None:
    held = [money(5, 1), money(50, 2), money(500, 3, "USD"), money(20, 4)]
    assert choose_funds(held, "EUR", 60) == (held[1].outpoint, held[3].outpoint)


def test_refuses_money_that_is_not_there() -> None:
    with pytest.raises(MoneyDiffers):
        choose_funds([money(5, 1), money(500, 2, "USD")], "EUR", 6)


def test_transfer_gives_back_what_is_left_and_splits_by_issuance() -> None:
    first, second = transfer(7, 9, [(bundle(1, 10), 3, 5), (bundle(21, 30, issuance=2), 21, 30)])
    assert [(piece.to, piece.start, piece.end) for piece in first.pieces] == [(7, 1, 2), (9, 3, 5), (7, 6, 10)]
    assert [(piece.to, piece.start, piece.end) for piece in second.pieces] == [(9, 21, 30)]


def test_refuses_one_payment_for_several_issuances() -> None:
    payment = Payment(9, "EUR", 10, (bytes(34),))
    with pytest.raises(RangesDiffer, match="several issuances"):
        transfer(7, 9, [(bundle(1, 1), 1, 1), (bundle(2, 2, issuance=2), 2, 2)], payment)


def test_pieces_always_cover_their_inputs_exactly() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(200):
        held, position = [], 1
        for _ in range(rng.randint(1, 6)):
            end = position + rng.randint(0, 9)
            held.append(bundle(position, end, issuance=rng.randint(1, 2)))
            position = end + 1
        chosen = choose_quantity(held, rng.randint(1, position - 1))
        actions = transfer(7, 9, chosen)
        covered = sorted((piece.start, piece.end) for action in actions for piece in action.pieces)
        serials = [serial for start, end in covered for serial in range(start, end + 1)]
        used = {point for action in actions for point in action.inputs}
        wanted = [
            serial
            for holding in held
            if holding.outpoint in used
            for serial in range(holding.output.start, holding.output.end + 1)
        ]
        assert serials == sorted(wanted)
