"""Whatever decodes is executed or refused: no input makes the rules raise anything else, or store what cannot be read.

Actions are built at random around a town that has something of everything, so that many get past the first checks.
"""

import os
from typing import Any

import pytest
from harness.town import Town, one_of_each
from harness.world import DAY, FAR, WIND, key_of
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from contracts.attributes import DIMENSIONS
from contracts.context import BlockOutput
from contracts.events import EventRecord, event_dict
from contracts.settle import build_settle
from contracts.transition import apply_transaction, conflict_keys, decode_signed, describe
from state.attestation import Attestation, SignedBy
from state.codec import decode, encode
from state.errors import DecodeError, Refusal
from state.escrow import Envelope
from state.keyspace import Entry
from state.overlay import Overlay
from state.records import AuctionClass, AuctionTerms, DeviceFacts, Dimension, Wanted
from state.transaction import (
    Action,
    Amend,
    AnswerAppeal,
    AnswerHandover,
    AskPayout,
    AttestedDay,
    Beneficiary,
    Body,
    Buy,
    Cancel,
    ConfirmPayout,
    CorrectContent,
    Default,
    Deposit,
    DeviceContent,
    DropPayout,
    EndStanding,
    EndStandingBid,
    FileAppeal,
    GatewayContent,
    HandOver,
    Issue,
    ListLot,
    MeterContent,
    NameRecovery,
    OpenAuction,
    OpenShares,
    Pay,
    Payment,
    Payout,
    Piece,
    PlaceBid,
    PlaceOffer,
    PlaceStandingBid,
    Pledge,
    ProfileContent,
    Propose,
    RecoverContent,
    RecoverKey,
    Register,
    RenewContent,
    Replace,
    ReportConsumption,
    Retire,
    RetiredRange,
    Reveal,
    RoleContent,
    RotateCredential,
    RotateKey,
    SetStanding,
    Settle,
    Transaction,
    Transfer,
    Unpledge,
    VetoRecovery,
    VoidAuction,
    Vote,
    Withdraw,
    WithdrawnRange,
)
from state.units import MICRO

FACTOR = int(os.environ.get("WATTEST_EXAMPLES", "1"))
inputs_of = settings(max_examples=400 * FACTOR, deadline=None, derandomize=FACTOR == 1)


@pytest.fixture(scope="module")
def town() -> Town:
    """With an open auction that holds both sides, a closed one, locked and free outputs, and an open proposal."""
    made = Town()
    closing = made.auction(seconds=20)
    made.issue(1, 5_000_000, day=DAY + 11)
    made.fund("trader", 50)
    made.fund("plant", 50)
    made.pass_blocks(9, 3)
    made.accredit(GatewayContent(made.id("plant"), key_of("gateway"), FAR), by="plant")
    made.do(Propose(made.id("plant"), RoleContent(made.id("plant"), "market_operator", FAR)), by=("plant",))
    made.issue(1, 2_000_000, day=DAY + 12)
    assert closing == 1
    return made


EDGES = (0, 1, 2, 3, 5, 10, 11, 2**16 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
u64 = st.sampled_from(EDGES) | st.integers(0, 2**64 - 1) | st.sampled_from((MICRO, 10**6, 10**9, 1_700_000_100, FAR))
u32 = st.integers(0, 12) | st.sampled_from((DAY, 201_404, 2**31, 2**32 - 1)) | st.integers(0, 2**32 - 1)
u16, u8 = st.integers(0, 6) | st.just(2**16 - 1), st.integers(0, 4) | st.just(255)
small = st.integers(1, 9)
letters = st.text(st.characters(codec="utf-8"), max_size=16)
code = (
    st.sampled_from(("", "FR", "EUR", "T02", "T020001", "F01050100", "market_operator", "voluntary", "MWh")) | letters
)
name = code | st.sampled_from(("role:payment_operator", "device", "meter", "gateway", "role:", "Bakery"))
digest = st.binary(min_size=32, max_size=32)
anykey = st.sampled_from([key_of(n) for n in ("plant", "trader", "new", "newer")]) | digest
maybe_key = st.just(b"") | anykey | st.binary(max_size=32)


def wire(kind: type, /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, *(fields[field] for field in kind.__struct_fields__))  # type: ignore[attr-defined]


def few(of: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[Any]:
    return st.lists(of, min_size=1, max_size=most).map(tuple)


def actions_about(town: Town) -> st.SearchStrategy[Action]:
    valid = [action for _, each in one_of_each(town).values() for action in each]
    point = st.sampled_from(sorted(town.live())) | st.binary(min_size=34, max_size=34)
    person, points = small | u32, few(point)
    facts = st.just(WIND) | st.builds(
        lambda field, value: _changed(WIND, field, value),
        st.sampled_from(("capacity_w", "commissioned_day", "interval_s", "latitude_udeg", "name", "fuel", "gsrn")),
        u32 | u64 | name,
    )
    contents = st.one_of(
        wire(RoleContent, participant=person, role=code, until=u64),
        wire(DeviceContent, owner=person, scheme=u32, facts=facts, until=u64),
        wire(GatewayContent, operator=person, key=anykey, until=u64),
        wire(MeterContent, device=u32, key=maybe_key, gateway=u32, until=u64),
        wire(ProfileContent, device=u32, profile_hash=digest, window_from=u64, window_to=u64),
        wire(RecoverContent, participant=person, key=anykey, reason=name),
        wire(
            CorrectContent, device=u32, day=u32, revision=u8, energy_wh=u64, release_wh=u64, reason=name,
            evidence_hash=maybe_key, hours_wh=st.lists(u64, max_size=24).map(tuple),
        ),
        wire(RenewContent, kind=name, subject=person, until=u64),
    )  # fmt: skip
    attestation = wire(
        Attestation, epoch=st.just(0) | u64, device=u32, day=u32, step=u8, revision=u8, readings_root=digest,
        inputs_root=st.just(bytes(32)) | digest, profile_hash=maybe_key, verifier_version=u16, verdict=u8,
        reasons=st.lists(code, max_size=3).map(tuple), release_wh=u64, energy_wh=u64,
        hours_wh=st.lists(u64, max_size=24).map(tuple),
    )  # fmt: skip
    signed = wire(SignedBy, validator=u16, signature=st.binary(min_size=64, max_size=64))
    day = wire(AttestedDay, attestation=attestation, signatures=st.lists(signed, max_size=4).map(tuple))
    good_day = st.builds(lambda n, wh: town.attested(1, DAY + n, wh), st.integers(0, 9), st.integers(0, 10**7))
    good_issue = st.builds(lambda n, wh: town.issue_action(1, (town.attested(1, DAY + n, wh),)), small, u32)
    piece = wire(Piece, to=person, start=u64, end=u64)
    payment = wire(Payment, payer=person, currency=code, amount=u64, inputs=points)
    retired = wire(
        RetiredRange, outpoint=point, issuance=u64, device=u32, start=u64, end=u64, production_from=u64,
        production_to=u64,
    )  # fmt: skip
    beneficiary = wire(Beneficiary, name=name, id=name, location=name, country=code)
    lot_class = wire(AuctionClass, scheme=u32, technology=code, zone=code, device=u32, month_from=u32, month_to=u32)
    some_points = st.just(()) | points
    nodes = st.lists(code, max_size=5).map(tuple)
    wanted = wire(Wanted, dimension=code | st.sampled_from(DIMENSIONS), node=code)
    dimension = wire(Dimension, name=code | st.sampled_from(DIMENSIONS), nodes=few(code))
    terms = st.just(AuctionTerms()) | wire(
        AuctionTerms,
        dimensions=st.lists(dimension, max_size=3).map(tuple),
        opens_at=u64,
        sealed=st.booleans(),
        opening_s=u32,
        bond=u64,
        fee=u16,
        position_cap=u64,
        delivery_from=u64,
        delivery_to=u64,
        repeat_s=u32,
        repeat_until=u64,
        margin=u16,
        pay_s=u32,
        escrow=st.booleans(),
    )
    sealed = wire(
        Envelope, epoch=st.just(0) | u64, said=st.binary(min_size=29, max_size=29), boxes=st.binary(max_size=400),
        tags=st.binary(max_size=80),
    )  # fmt: skip
    envelope = st.none() | sealed
    shares = few(st.just(b"") | st.binary(max_size=32))
    anything = st.one_of(
        wire(Register, key=anykey, name=name, country=code, recovery_key=maybe_key),
        wire(Propose, proposer=person, content=contents),
        wire(Vote, proposal=u32, validator=u16, approve=st.booleans(), reason=name),
        wire(Deposit, operator=person, to=person, currency=code, amount=u64, reference=name),
        wire(Payout, operator=person, holder=person, inputs=points, currency=code, amount=u64, reference=name),
        wire(AskPayout, holder=person, operator=person, inputs=points, currency=code, amount=u64, until=u64),
        wire(ConfirmPayout, operator=person, request=point, holder=person, currency=code, amount=u64, reference=name),
        wire(DropPayout, participant=person, request=point),
        wire(
            Issue, device=u32, owner=person, scheme=u32, face_value=u64, unit=code, month=u32, facts=facts,
            days=few(day | good_day), carry_in_wh=u64, carry_out_wh=u64, first_serial=u64, count=u64, netted_wh=u64,
        ),
        good_issue,
        wire(Transfer, sender=person, inputs=points, pieces=few(piece), payment=st.none() | payment),
        wire(
            Retire, holder=person, ranges=few(retired), beneficiary=beneficiary, purpose=code, note=name,
            consumption_from=u64, consumption_to=u64, jurisdiction=code, statement_hash=digest,
        ),
        wire(
            OpenAuction, operator=person, title=name, lot_class=lot_class, currency=code, floor=u64, ceiling=u64,
            closes_at=u64, terms=terms,
        ),
        wire(
            PlaceOffer, auction=u32, seller=person, outpoint=point, start=u64, end=u64, limit=u64, quantity=u64,
            commitment=maybe_key, inputs=some_points, envelope=envelope,
        ),
        wire(
            PlaceBid, auction=u32, buyer=person, quantity=u64, limit=u64, inputs=points, wanted=nodes,
            commitment=maybe_key, stake=u64, envelope=envelope,
        ),
        wire(
            Replace, holder=person, outpoint=point, quantity=u64, limit=u64, wanted=nodes, commitment=maybe_key,
            stake=u64, inputs=some_points, envelope=envelope,
        ),
        wire(Reveal, auction=u32, order=u32, quantity=u64, limit=u64, wanted=nodes, salt=digest),
        wire(OpenShares, auction=u32, epoch=st.just(0) | u64, validator=u16, page=u32, shares=shares),
        wire(VoidAuction, auction=u32),
        wire(Pay, auction=u32, buyer=person, amount=u64, inputs=some_points, operator=person, reference=name),
        wire(Default, auction=u32, buyer=person),
        wire(
            ListLot, seller=person, outpoint=point, start=u64, end=u64, price=u64, currency=code, to=person, until=u64,
        ),
        wire(Buy, buyer=person, listing=point, quantity=u64, inputs=points),
        wire(
            PlaceStandingBid, buyer=person, scheme=u32, wanted=st.lists(wanted, max_size=3).map(tuple), quantity=u64,
            limit=u64, purse=u64, inputs=points,
        ),
        wire(EndStandingBid, buyer=person, scheme=u32, number=u32),
        wire(Cancel, holder=person, outpoint=point),
        wire(RotateKey, participant=person, key=anykey),
        wire(NameRecovery, participant=person, recovery_key=maybe_key),
        wire(RecoverKey, participant=person, recovery_key=anykey, key=anykey, next_recovery_key=maybe_key),
        wire(VetoRecovery, participant=person, recovery_key=maybe_key),
        wire(RotateCredential, kind=name, subject=u32, former=anykey, key=anykey),
        wire(FileAppeal, owner=person, device=u32, day=u32, step=u8, revision=u8, reason=name, evidence_hash=maybe_key),
        wire(
            AnswerAppeal, authority=person, device=u32, day=u32, step=u8, revision=u8, upheld=st.booleans(),
            answer=name, answer_hash=maybe_key,
        ),
        wire(
            Amend, holder=person, statement=st.binary(min_size=16, max_size=16), beneficiary_name=name, location=name,
            note=name,
        ),
        wire(HandOver, sender=person, outpoint=point, start=u64, end=u64, to=person, until=u64, note=name),
        wire(AnswerHandover, participant=person, outpoint=point, accept=st.booleans()),
        wire(SetStanding, owner=person, device=u32, to=person, share=u16, maximum=u64, until=u64),
        wire(EndStanding, participant=person, device=u32, number=u32),
        wire(Withdraw, device=u32, ranges=few(wire(WithdrawnRange, outpoint=point, start=u64, end=u64))),
        wire(
            ReportConsumption, meter=u32, day=u32, hours_wh=st.lists(u64, max_size=24).map(tuple), readings_root=digest,
            signature=st.binary(min_size=64, max_size=64),
        ),
        wire(Pledge, owner=person, device=u32, currency=code, amount=u64, inputs=points),
        wire(Unpledge, owner=person, device=u32, outpoint=point),
        wire(Settle, auction=u32, prices=few(u64, 2), result_root=digest),
        st.just(build_settle(town.state, town.close(1))),
    )  # fmt: skip
    almost = st.builds(_with_one_field, st.sampled_from(valid), small, u64 | u32 | name | point | digest)
    choices = (anything, almost, st.sampled_from(valid))  # `one_of` would flatten them and weigh by their parts
    return st.sampled_from(choices).flatmap(lambda chosen: chosen)


def _with_one_field(action: Action, place: int, value: object) -> Action:
    """The action with its field at `place` replaced; unchanged if it has none there."""
    return type(action)(*(value if n + 1 == place else each for n, each in enumerate(astuple(action))))  # type: ignore[arg-type]


def _changed(facts: DeviceFacts, field: str, value: object) -> DeviceFacts:
    return DeviceFacts(*(value if each == field else getattr(facts, each) for each in facts.__struct_fields__))


def test_arbitrary_actions_are_executed_or_refused_and_leave_what_can_be_read(town: Town) -> None:
    signers = tuple(town.key(person) for person in ("plant", "trader", "bank", "exchange", "Organisation 0", "new"))
    tally, actions = {"executed": 0, "refused": 0}, actions_about(town)

    @given(few(actions, 2), st.sampled_from((signers[:5], signers, ())))
    @inputs_of
    def play(acts: tuple[Action, ...], by: tuple[bytes, ...]) -> None:
        body = Body(town.chain, by, acts, town.height + 5, bytes(8))
        try:
            decoded = decode_signed(encode(Transaction(body, ())))
        except DecodeError:
            return  # a text or number beyond its field: refused at the door
        attempt, output = Overlay(town.state), BlockOutput()
        assert all(describe(action) for action in decoded.body_actions)
        conflict_keys(decoded.transaction)
        try:
            apply_transaction(attempt, town.environment(), decoded, output)
        except Refusal as refusal:
            tally["refused"] += 1
            encode(str(refusal))
            left = attempt.difference()
            return_nothing(left, output)
        else:
            tally["executed"] += 1
            readable(attempt, output)

    play()
    print(tally)
    assert tally["executed"] >= 5
    assert tally["refused"] >= 100


def return_nothing(left: list[Any], output: BlockOutput) -> None:
    assert left == []
    assert output.events == []
    assert output.movements == []


def readable(attempt: Overlay, output: BlockOutput) -> None:
    """Every entry and event can be stored and read back."""
    for key, _, after in attempt.difference():
        if after is not None:
            assert decode(Entry, encode(after)) == after, key  # type: ignore[arg-type]
    for record in output.events:
        assert decode(EventRecord, encode(record)) == record
        assert event_dict(record)["kind"]


@given(st.binary(max_size=300))
@inputs_of
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_signed(data)


def test_one_byte_changed_is_refused_or_another_transaction(town: Town) -> None:
    good = town.transaction(Deposit(town.id("bank"), town.id("plant"), "EUR", MICRO, "x"), by=("bank",))

    @given(st.integers(0, len(good.raw) - 1), st.integers(1, 255))
    @inputs_of
    def play(place: int, change: int) -> None:
        raw = good.raw[:place] + bytes((good.raw[place] ^ change,)) + good.raw[place + 1 :]
        try:
            decoded = decode_signed(raw)
        except DecodeError:
            return
        assert decoded.key != good.key
        assert decoded.raw == encode(decoded.transaction)

    play()
