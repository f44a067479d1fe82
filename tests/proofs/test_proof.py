"""A statement's proof file, read by the stand-alone verifier: what holds, and that nothing else does."""

import random
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgpack
import pytest
from harness.finalized import FinalizedWorld
from harness.forger import Forger, replace
from harness.world import genesis_json

from cli.verify_statement import NotProven
from cli.verify_statement import verify_proof as verify_alone
from contracts.statement import statement_facts, statement_hash
from contracts.transition import decode_signed
from node.failures import VerificationFailed
from node.proof import StatementProof, build_proof, path_sides
from node.proven import read_proof
from state.attestation import HOLD
from state.block import header_hash
from state.codec import decode, encode
from state.errors import Unknown
from state.keyspace import device_key, issuance_key, participant_key, scheme_key
from state.merkle import merkle_path, merkle_root
from state.numbering import CertificateNumber, format_number
from state.outputs import Bundle
from state.transaction import (
    RetiredRange,
    decode_transaction,
)


def verify_proof(data: bytes, genesis: bytes = genesis_json()) -> dict[str, Any]:
    """By both readers, which must agree; with the genesis of the network, if no other is given."""
    try:
        answer = verify_alone(data, genesis)
    except NotProven:
        with pytest.raises(VerificationFailed):
            read_proof(data, genesis)
        raise
    assert statement_hash(read_proof(data, genesis)) == answer["statement_hash"]
    return answer


NUMBER = CertificateNumber("WAT", "FR", 1, 201_404, 2, 3, 9)


def retired_world(finalizes: bool = True) -> tuple[FinalizedWorld, bytes]:
    """The owner retired 2 of 3 certificates; the id of the statement."""
    world = FinalizedWorld()
    world.register("owner")
    world.device("owner")
    world.finalizes = finalizes
    point = world.issue(1, 3_400_000)
    assert point is not None
    action = world.retire_action("owner", point, 2, 3)
    world.do(action, by=("owner",))
    world.finalizes = True
    world.block()
    return world, action.statement_hash[:16]


@pytest.fixture(scope="module")
def world() -> FinalizedWorld:
    return retired_world()[0]


@pytest.fixture(scope="module")
def honest(world: FinalizedWorld) -> bytes:
    statement = next(iter(world.store.scan(b"\x20", b"\x21")))[0][1:]
    return build_proof(world.store, statement)


@pytest.fixture
def forger(world: FinalizedWorld, honest: bytes) -> Forger:
    return Forger(world, honest)


# --- what holds


def test_honest_proof_verifies_with_the_genesis_of_the_network(world: FinalizedWorld, honest: bytes) -> None:
    answer = verify_proof(honest, genesis_json())
    assert answer["chain"] == world.chain
    assert answer["holder_name"] == "owner"
    assert answer["beneficiary"][0] == "Bakery Dupont"
    assert answer["total_wh"] == 2_000_000
    assert [bundle["number"] for bundle in answer["bundles"]] == [format_number(NUMBER)]
    assert answer["signatures"] == 3 + 3 + 1 + 3  # two finalizations, the owner's, the attestations of one day


def test_whole_file_is_under_4_kB(honest: bytes) -> None:
    print(f"{len(honest)} bytes")
    assert len(honest) < 4_000


def test_blocks_that_a_later_finalization_covers_are_proven_through_their_descendants() -> None:
    world, statement = retired_world(finalizes=False)
    data = build_proof(world.store, statement)
    proof = decode(StatementProof, data)
    assert [len(proof.issues[0].headers), len(proof.retire.headers)] == [3, 2]
    assert verify_proof(data)["statement_hash"]


def test_no_proof_before_any_finalization_above() -> None:
    world = FinalizedWorld()
    world.register("owner")
    world.device("owner")
    point = world.issue(1, 1_000_000)
    world.finalizes = False
    action = world.retire_action("owner", point, 1, 1)
    world.do(action, by=("owner",))
    with pytest.raises(Unknown):
        build_proof(world.store, action.statement_hash[:16])


def test_statement_over_bundles_of_several_issues_among_other_transactions() -> None:
    world = FinalizedWorld()
    world.register("owner")
    world.device("owner")
    points = [world.issue(1, 2_000_000, day=16_162 + day) for day in range(3)]
    ranges: list[RetiredRange] = []
    sources = []

    for point in (points[2], points[0]):
        assert point is not None
        bundle = world.live()[point]
        assert isinstance(bundle, Bundle)
        issuance: Any = world.store.get(issuance_key(bundle.issuance))
        ranges.append(
            RetiredRange(
                point, issuance.id, 1, bundle.start, bundle.end, issuance.production_from, issuance.production_to
            )
        )
        sources.append((issuance, world.store.get(device_key(1)), world.store.get(scheme_key(1))))
    draft = world.retire_action("owner", points[0], 1, 1, ranges=tuple(ranges), statement_hash=bytes(32))
    owner: Any = world.store.get(participant_key(world.people["owner"]))
    facts = statement_facts(world.chain, world.parameters, owner, draft, sources)  # type: ignore[arg-type]
    action = replace(draft, statement_hash=statement_hash(facts))
    others = [world.transaction(world.retire_action("owner", points[1], n, n), by=("owner",)) for n in (3,)]
    world.block(*others, world.transaction(action, by=("owner",)))
    data = build_proof(world.store, action.statement_hash[:16])
    answer = verify_proof(data)
    assert [bundle["end"] - bundle["start"] for bundle in answer["bundles"]] == [1, 1]
    assert len(decode(StatementProof, data).issues) == 2


@pytest.mark.parametrize("count", range(1, 18))
def test_sides_fold_every_path_to_the_root(count: int) -> None:

    leaves = [bytes([number]) for number in range(count)]
    for index in range(count):
        path, sides = merkle_path(leaves, index), path_sides(index, count)
        digest = sha256(b"\x00" + leaves[index]).digest()
        for level, sibling in enumerate(path):
            pair = sibling + digest if sides >> level & 1 else digest + sibling
            digest = sha256(b"\x01" + pair).digest()
        assert digest == merkle_root(leaves)
        assert sides >> len(path) == 0


def test_certificate_that_carries_alone_made_whole_is_proven() -> None:
    """Two months hold a rest each when the third opens on a day that released nothing."""
    world = FinalizedWorld()
    world.register("owner")
    world.device("owner")
    may, june = (16_201, 201_405), (16_232, 201_406)
    world.issue(1, 700_000, *may)
    world.issue(1, 600_000)
    held = world.attested(1, june[0], 900_000, HOLD, reasons=("gap",))
    world.do(world.issue_action(1, (held,), june[1]))
    (point,) = world.outputs_of("owner", Bundle)
    action = world.retire_action("owner", point, 1, 1)
    world.do(action, by=("owner",))
    answer = verify_proof(build_proof(world.store, action.statement_hash[:16]))
    assert answer["bundles"][0]["production_from"] == june[0] * 86_400


# --- bytes


def test_refuses_a_change_of_any_byte(honest: bytes) -> None:
    seed = 20_261_122
    print(f"seed {seed}")
    chance = random.Random(seed)
    for position in range(len(honest)):
        spoilt = bytearray(honest)
        spoilt[position] ^= chance.randrange(1, 256)
        with pytest.raises(NotProven):
            verify_proof(bytes(spoilt))


@pytest.mark.parametrize("length", [0, 1, 100, 1_500, -1])
def test_refuses_a_cut_file(honest: bytes, length: int) -> None:
    with pytest.raises(NotProven):
        verify_proof(honest[:length])


def test_refuses_bytes_after_the_end(honest: bytes) -> None:
    with pytest.raises(NotProven, match="form that is expected"):
        verify_proof(honest + b"\x00")


def test_refuses_another_spelling_of_the_same_value(honest: bytes) -> None:
    assert honest[:1] == b"\x96"
    with pytest.raises(NotProven, match="shortest"):
        verify_proof(b"\xdc\x00\x06" + honest[1:])


@pytest.mark.parametrize("value", [1.5, {}, msgpack.Timestamp(0), msgpack.ExtType(5, b"")])
def test_refuses_types_that_the_format_does_not_have(honest: bytes, value: Any) -> None:
    items = msgpack.unpackb(honest)
    items[2] = value
    with pytest.raises(NotProven, match="is not an array of"):
        verify_proof(msgpack.packb(items))


@pytest.mark.parametrize("depth", [13, 600, 3_000])
def test_refuses_deep_nesting(depth: int) -> None:
    with pytest.raises(NotProven):
        verify_proof(b"\x91" * depth + b"\x90")


def lookalikes(value: Any) -> list[Any]:
    """Values of another type that Python holds equal, or as empty."""
    match value:
        case bool():
            return []
        case 0 | 1:
            return [bool(value)]
        case []:
            return ["", b""]
        case bytes():
            return [list(value)]
        case list():
            return [value and b"".join(value)] if all(isinstance(item, bytes) for item in value) else []
    return []


def test_refuses_values_that_only_look_equal(honest: bytes) -> None:
    """False for 0, an empty text for an empty array, a list of numbers for bytes: none may slip through anywhere."""
    tried = 0

    def walk(value: Any, rebuild: Any) -> None:
        nonlocal tried
        for other in lookalikes(value):
            tried += 1
            with pytest.raises(NotProven):
                verify_proof(msgpack.packb(rebuild(other)))
        if isinstance(value, list):
            for index, item in enumerate(value):

                def inner(other: Any, index: int = index) -> Any:
                    return rebuild([*value[:index], other, *value[index + 1 :]])

                walk(item, inner)

    walk(msgpack.unpackb(honest), lambda value: value)
    assert tried > 40


@pytest.mark.parametrize("version", [0, 1, 3, True, "2"])
def test_refuses_another_version(honest: bytes, version: Any) -> None:
    items = msgpack.unpackb(honest)
    items[1] = version
    with pytest.raises(NotProven):
        verify_proof(msgpack.packb(items))


# --- genesis


def test_refuses_the_genesis_of_another_network(honest: bytes) -> None:
    with pytest.raises(NotProven, match="your genesis is chain"):
        verify_proof(honest, genesis_json(idle_interval_ms=9_999))


@pytest.mark.parametrize("text", [b"", b"{", b'{"a":1,"a":2}', b'{"a":1.5}', b'{"a":NaN}', b"\xff", b"[" * 100_000])
def test_refuses_a_genesis_that_is_none(honest: bytes, text: bytes) -> None:
    with pytest.raises(NotProven):
        verify_proof(honest, text)


# --- signatures and paths


def with_retire(honest: bytes, **changes: Any) -> bytes:
    proof = decode(StatementProof, honest)
    return encode(replace(proof, retire=replace(proof.retire, **changes)))


def test_refuses_fewer_signatures_than_a_quorum(honest: bytes) -> None:
    votes = decode(StatementProof, honest).retire.finalization
    fewer = replace(votes, bitmap=b"\x03", signatures=votes.signatures[:2])
    with pytest.raises(NotProven, match="the quorum is 3"):
        verify_proof(with_retire(honest, finalization=fewer))


def test_refuses_one_validator_counted_twice(honest: bytes) -> None:
    votes = decode(StatementProof, honest).retire.finalization
    twice = replace(votes, signatures=(votes.signatures[0], votes.signatures[0], votes.signatures[1]))
    with pytest.raises(NotProven, match="does not hold"):
        verify_proof(with_retire(honest, finalization=twice))


def test_refuses_a_notarization_as_finalization(honest: bytes) -> None:
    votes = decode(StatementProof, honest).retire.finalization
    with pytest.raises(NotProven, match="is not of it or a descendant"):
        verify_proof(with_retire(honest, finalization=replace(votes, kind=1)))


def test_refuses_spare_bits(honest: bytes) -> None:
    votes = decode(StatementProof, honest).retire.finalization
    spare = replace(votes, bitmap=b"\x17", signatures=(*votes.signatures, votes.signatures[0]))
    with pytest.raises(NotProven, match="the quorum is 3"):
        verify_proof(with_retire(honest, finalization=spare))


def test_refuses_a_bitmap_with_a_byte_to_spare(honest: bytes) -> None:
    votes = decode(StatementProof, honest).retire.finalization
    with pytest.raises(NotProven, match="bitmap"):
        verify_proof(with_retire(honest, finalization=replace(votes, bitmap=votes.bitmap + b"\x00")))


def test_refuses_a_transaction_that_is_not_in_the_block(honest: bytes) -> None:
    proof = decode(StatementProof, honest)
    with pytest.raises(NotProven, match="not in block"):
        verify_proof(with_retire(honest, transaction=proof.issues[0].transaction))


def test_refuses_headers_that_do_not_link(honest: bytes) -> None:
    headers = decode(StatementProof, honest).retire.headers
    with pytest.raises(NotProven, match="is not of it or a descendant"):
        verify_proof(with_retire(honest, headers=(headers[0], headers[0])))


def test_refuses_a_block_of_other_validators(world: FinalizedWorld, honest: bytes) -> None:
    proof = decode(StatementProof, honest)
    header = replace(proof.retire.headers[0], validators_hash=bytes(32))
    votes = world.finalization(header_hash(header), header.height)
    with pytest.raises(NotProven, match="not made by the validators in office"):
        verify_proof(with_retire(honest, headers=(header,), finalization=votes))


def test_refuses_a_transaction_without_its_signers(forger: Forger, honest: bytes) -> None:

    transaction = decode_transaction(forger.proof.retire.transaction)
    naked = encode(replace(transaction, signatures=()))
    header = forger.proof.retire.headers[0]

    proven = forger.final(decode_signed(naked), header)
    with pytest.raises(NotProven, match="one signature for each signer"):
        verify_proof(encode(replace(forger.proof, retire=proven)))


def test_refuses_issues_in_another_order_or_number(honest: bytes) -> None:
    proof = decode(StatementProof, honest)
    for issues in ((), proof.issues * 2):
        with pytest.raises(NotProven, match="not exactly those"):
            verify_proof(encode(replace(proof, issues=issues)))


# --- facts, by a quorum that signs anything

WRONG_CLAIM = {
    "registry_code": "ZZZ",
    "chain": bytes(32),
    "schema_version": 2,
    "holder": 99,
    "purpose": "compliance",
    "note": "something else",
    "consumption_from": 1,
    "consumption_to": 2,
    "jurisdiction": "DE",
    "total_wh": 1,
    "bundles": (),
}


def test_forger_without_a_lie_is_believed(forger: Forger) -> None:
    """Or the refusals below would prove nothing."""
    assert verify_proof(forger.with_facts())["statement_hash"]
    assert verify_proof(forger.with_issue())["statement_hash"]


@pytest.mark.parametrize("field", WRONG_CLAIM)
def test_refuses_a_claim_that_differs_from_the_transaction(forger: Forger, field: str) -> None:
    with pytest.raises(NotProven):
        verify_proof(forger.with_facts(**{field: WRONG_CLAIM[field]}))


WRONG_BUNDLE = {
    "issuance": 2,
    "device": 2,
    "start": 1,
    "end": 2,
    "month": 201_405,
    "production_from": 1,
    "production_to": 1,
    "issued_at": 1,
    "face_value": 1_000,
    "unit": "kWh",
    "serial_digits": 12,
    "verifier_version": 9,
    "profile_hash": bytes(32),
    "reasons": ("single_source",),
    "issue_txid": bytes(32),
}


@pytest.mark.parametrize("field", WRONG_BUNDLE)
def test_refuses_a_bundle_that_differs_from_its_origin(forger: Forger, field: str) -> None:
    with pytest.raises(NotProven):
        verify_proof(forger.with_bundle(**{field: WRONG_BUNDLE[field]}))


def test_refuses_other_device_facts(forger: Forger) -> None:
    (bundle,) = forger.proof.facts.bundles
    with pytest.raises(NotProven, match="facts"):
        verify_proof(forger.with_bundle(facts=replace(bundle.facts, capacity_w=9)))


@pytest.mark.parametrize(("start", "end"), [(2, 4), (3, 2), (0, 3)])
def test_refuses_certificates_that_were_never_issued(forger: Forger, start: int, end: int) -> None:
    lie = {"start": start, "end": end}
    with pytest.raises(NotProven, match="were not issued there"):
        verify_proof(forger.with_both({"total_wh": (end - start + 1) * 1_000_000}, lie, lie))


def test_refuses_another_production_interval(forger: Forger) -> None:
    lie = {"production_from": 1_396_310_400}
    with pytest.raises(NotProven, match="production_from"):
        verify_proof(forger.with_both({}, lie, lie))


def test_refuses_an_issue_of_more_than_was_measured(forger: Forger) -> None:
    with pytest.raises(NotProven, match="certificates issued"):
        verify_proof(forger.with_issue(count=30))


def test_refuses_a_day_without_a_quorum_of_attestations(forger: Forger) -> None:
    (day,) = forger.issue.days
    for signatures in (day.signatures[:2], (day.signatures[0],) * 3, day.signatures[::-1]):
        with pytest.raises(NotProven, match="day 16162 is signed by validators"):
            verify_proof(forger.with_issue(days=(replace(day, signatures=signatures),)))


def test_refuses_an_attestation_that_was_changed(forger: Forger) -> None:
    (day,) = forger.issue.days
    changed = replace(day, attestation=replace(day.attestation, verifier_version=2))
    with pytest.raises(NotProven, match="attestation of day 16162"):
        verify_proof(forger.with_issue(days=(changed,)))


def test_refuses_an_issue_from_a_day_that_was_not_accepted(forger: Forger, world: FinalizedWorld) -> None:
    held = world.attested(1, 16_162, 3_400_000, verdict=1, release_wh=3_400_000)
    with pytest.raises(NotProven, match="could be issued from"):
        verify_proof(forger.with_issue(days=(held,)))


# --- the gallery


def test_proof_in_the_gallery_holds_and_its_changed_copy_does_not() -> None:
    gallery = Path(__file__).resolve().parents[2] / "docs" / "gallery"
    genesis = (gallery / "statement.genesis.json").read_bytes()
    proven = verify_proof((gallery / "statement.proof").read_bytes(), genesis)
    assert proven["statement_hash"][:16].hex() in (gallery / "statement.verified.txt").read_text()
    with pytest.raises(NotProven) as refused:
        verify_proof((gallery / "statement.changed.proof").read_bytes(), genesis)
    assert str(refused.value) in (gallery / "statement.refused.txt").read_text()
