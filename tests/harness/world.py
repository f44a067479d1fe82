"""A ledger in memory with named people: what the tests of the rules play on.

Keys come from names, blocks from `block()`, and a transaction is signed by whoever is named. Nothing here is a rule.
"""

import json
from copy import copy
from pathlib import Path
from typing import Self

from contracts.accounts import book
from contracts.calendar import month_of_day
from contracts.consumption import report_bytes
from contracts.context import BlockEnvironment, BlockOutput
from contracts.correct import credit_of, credited, withdrawal
from contracts.events import Event
from contracts.expire import sweep
from contracts.genesis import Genesis, chain_id, genesis_state, parse_genesis
from contracts.hearing import NO_INPUTS, asks, heard, inputs_root
from contracts.settle import build_settle
from contracts.statement import statement_facts, statement_hash
from contracts.transition import (
    DecodedTx,
    apply_block,
    apply_transaction,
    decode_signed,
    describe,
    verify_signatures,
)
from state.attestation import ACCEPT, CORRECTION, Attestation, SignedBy, attestation_bytes
from state.codec import encode
from state.crypto import H, exchange_key, public_key, sign
from state.epochs import epoch_of
from state.errors import Refusal
from state.keyspace import (
    Entry,
    Space,
    auction_key,
    device_key,
    issuance_key,
    key_owner_key,
    output_key,
    participant_key,
    scheme_key,
    space_end,
)
from state.outputs import Bundle, Funds, Output, holder_of
from state.overlay import Overlay
from state.records import (
    Auction,
    AuctionClass,
    AuctionTerms,
    Device,
    DeviceFacts,
    Issuance,
    KeyOwner,
    Parameters,
    Participant,
    Scheme,
    Validator,
)
from state.store import MemoryStore
from state.transaction import (
    Action,
    AttestedDay,
    Beneficiary,
    Body,
    CorrectContent,
    Deposit,
    DeviceContent,
    Issue,
    OpenAuction,
    PlaceBid,
    PlaceOffer,
    ProfileContent,
    ProposalContent,
    Propose,
    Register,
    ReportConsumption,
    Retire,
    RetiredRange,
    RoleContent,
    Transaction,
    Vote,
    Withdraw,
    signing_bytes,
)
from state.units import MICRO, Outpoint

ROOT = Path(__file__).resolve().parents[2]
START_S = 1_700_000_000
FAR = START_S + 10 * 365 * 86_400
DAY = 16_162  # 2014-04-02
MONTH = 201_404


def seed_of(name: str) -> bytes:
    return H("test/seed", name.encode())


def key_of(name: str) -> bytes:
    return public_key(seed_of(name))


def genesis_json(validators: int = 4, scheme: dict[str, object] | None = None, **parameters: int) -> bytes:
    """The reference genesis with validators filled in; `scheme` changes every scheme, the others are parameters.

    A day is released at once, unless `scheme` says otherwise.
    """
    value = json.loads((ROOT / "genesis.json").read_text())
    value["timestamp_ms"] = START_S * 1000
    value["parameters"].update(parameters)
    for each in value["schemes"]:
        each.update({"release_shares": [10_000, 0, 0]} | (scheme or {}))
    value["validators"] = [
        {
            "name": f"Organisation {index}",
            "country": "FR",
            **{kind: key_of(f"{kind}{index}").hex() for kind in ("vote_key", "node_key", "governance_key")},
            "escrow_key": exchange_key(seed_of(f"escrow_key{index}")).hex(),
            "address": f"127.0.0.1:{9000 + index}",
        }
        for index in range(validators)
    ]
    return json.dumps(value).encode()


WIND = DeviceFacts(
    name="R80711",
    gsrn="",
    country="FR",
    zone="FR",
    location="La Haute Borne",
    fuel="F01050100",
    technology="T020001",
    capacity_w=2_050_000,
    commissioned_day=14_245,
    interval_s=600,
    channels=3,
    latitude_udeg=48_456_900,
    longitude_udeg=5_584_700,
    coordinates_estimated=False,
    tilt_udeg=-1,
    azimuth_udeg=-1,
    hub_height_cm=8_000,
    insolation_source="none",
    support="",
)


def refusal_of(
    overlay: Overlay, environment: BlockEnvironment, decoded: DecodedTx, output: BlockOutput
) -> Refusal | None:
    try:
        verify_signatures(decoded)
        apply_transaction(overlay, environment, decoded, output)
    except Refusal as refusal:
        return refusal
    return None


def actions_of(decoded: DecodedTx) -> str:
    return ", ".join(describe(action) for action in decoded.body_actions)


class World:
    """Four validators, and whoever registers. Heights advance by `block`; time by `seconds` with each."""

    def __init__(self, validators: int = 4, genesis: bytes | None = None, **parameters: int) -> None:
        data = genesis or genesis_json(validators, **parameters)
        self.genesis: Genesis = parse_genesis(data)
        self.chain = chain_id(json.loads(data))
        base = MemoryStore()
        self.state = genesis_state(self.genesis, base)
        self.height = 0
        self.time_ms = START_S * 1000
        self.salt = 0
        self.people: dict[str, int] = {f"Organisation {index}": index + 1 for index in range(validators)}
        self.outputs: list[BlockOutput] = []
        self.vote_seeds = {key_of(f"vote_key{index}"): seed_of(f"vote_key{index}") for index in range(validators)}

    # --- blocks and transactions

    @property
    def parameters(self) -> Parameters:
        found = self.state.get(bytes((Space.PARAMETERS,)))
        assert isinstance(found, Parameters)
        return found

    @property
    def validators(self) -> tuple[Validator, ...]:
        low = bytes((Space.VALIDATOR,))
        return tuple(entry for _, entry in self.state.scan(low, space_end(low)) if isinstance(entry, Validator))

    def environment(self, seconds: int = 1) -> BlockEnvironment:
        """Of the next block."""
        parent = H("test/parent", (self.height,))
        time_ms = self.time_ms + seconds * 1000
        epoch = epoch_of(self.height + 1, self.parameters.epoch_length)
        return BlockEnvironment(self.chain, epoch, self.height + 1, time_ms, parent, self.validators, self.parameters)

    def transaction(
        self, *actions: Action, by: tuple[str, ...] = (), chain: bytes | None = None, lives: int = 100
    ) -> DecodedTx:
        """Signed by the named people, in their order; the last block that may hold it is `lives` above the tip."""
        self.salt += 1
        keys = tuple(self.key(name) for name in by)
        body = Body(chain or self.chain, keys, actions, self.height + lives, self.salt.to_bytes(8, "big"))
        signatures = tuple(sign(self.seed(name), signing_bytes(body)) for name in by)
        return decode_signed(encode(Transaction(body, signatures)))

    def block(self, *transactions: DecodedTx, seconds: int = 1) -> list[Event]:
        """Execute a block; the events it announced. A refusal leaves the world as it was."""
        environment = self.environment(seconds)
        for decoded in transactions:
            verify_signatures(decoded)
        attempt = Overlay(self.state)
        output = apply_block(attempt, environment, transactions)
        self.keep(attempt.difference())
        self.height, self.time_ms = environment.height, environment.time_ms
        self.outputs.append(output)
        return [record.event for record in output.events]

    def keep(self, difference: list[tuple[bytes, Entry | None, Entry | None]]) -> None:
        """Make what a block changed the state: (key, before, after) of each entry."""
        for key, _, after in difference:
            if after is None:
                self.state.delete(key)
            else:
                self.state.put(key, after)

    def fork(self) -> Self:
        """A world of its own that begins as this one is now."""
        other = copy(self)
        other.state = Overlay(self.state.base)
        other.state.changes = dict(self.state.changes)
        other.people, other.outputs = dict(self.people), list(self.outputs)
        return other

    def do(self, *actions: Action, by: tuple[str, ...] = (), seconds: int = 1) -> list[Event]:
        return self.block(self.transaction(*actions, by=by), seconds=seconds)

    def refuses(
        self, kind: type[Refusal], *actions: Action, by: tuple[str, ...] = (), index: int = 0, seconds: int = 1
    ) -> Refusal:
        """The next block refuses this as `kind` at action `index`, and nothing of it stays."""
        return self.refuses_transaction(kind, self.transaction(*actions, by=by), index, seconds)

    def refuses_transaction(self, kind: type[Refusal], decoded: DecodedTx, index: int = 0, seconds: int = 1) -> Refusal:
        environment = self.environment(seconds)
        attempt = Overlay(self.state)
        sweep(attempt, environment, BlockOutput())
        before, output = dict(attempt.changes), BlockOutput()
        refusal = refusal_of(attempt, environment, decoded, output)
        assert refusal is not None, f"{actions_of(decoded)} was not refused as {kind.__name__}"
        assert type(refusal) is kind, f"{refusal!r} instead of {kind.__name__}"
        assert (refusal.action_index or 0) == index
        assert attempt.changes == before
        assert not output.events
        assert "{" not in str(refusal), "a parameter of the sentence is missing"
        return refusal

    # --- people

    def key(self, name: str) -> bytes:
        return public_key(self.seed(name))

    def seed(self, name: str) -> bytes:
        if name.startswith("Organisation "):
            return seed_of("governance_key" + name.removeprefix("Organisation "))
        return seed_of(name)

    def register(self, name: str) -> int:
        self.do(Register(self.key(name), name, "FR", b""), by=(name,))
        owner = self.state.get(key_owner_key(self.key(name)))
        assert isinstance(owner, KeyOwner)
        self.people[name] = owner.participant
        return owner.participant

    def accredit(self, content: ProposalContent, by: str) -> list[Event]:
        """Propose and let a quorum of organisations approve."""
        self.do(Propose(self.people[by], content), by=(by,))
        proposal = self.count("proposal")
        events: list[Event] = []
        names = {number: name for name, number in self.people.items()}
        for validator in self.validators[: self.environment().quorum]:
            events += self.do(Vote(proposal, validator.index, True, ""), by=(names[validator.participant],))
        return events

    def count(self, sequence: str) -> int:
        """The last number given out of a sequence."""
        counter = self.state.get(bytes((Space.COUNTER,)) + sequence.encode())
        return counter.value - 1 if counter else 0  # type: ignore[union-attr]

    def operators(self) -> None:
        """A bank and an exchange, accredited."""
        self.register("bank")
        self.register("exchange")
        self.accredit(RoleContent(self.people["bank"], "payment_operator", FAR), by="bank")
        self.accredit(RoleContent(self.people["exchange"], "market_operator", FAR), by="exchange")

    def fund(self, name: str, euros: int, reference: str = "") -> Outpoint:
        reference = reference or f"transfer {self.salt}"
        self.do(Deposit(self.people["bank"], self.people[name], "EUR", euros * MICRO, reference), by=("bank",))
        return self.outputs_of(name, Funds)[-1]

    def device(self, owner: str, scheme: int = 1, facts: DeviceFacts = WIND, profile: bool = True) -> int:
        self.accredit(DeviceContent(self.people[owner], scheme, facts, FAR), by=owner)
        number = self.count("device")
        if profile:
            content = ProfileContent(number, H("test/profile", (number,)), 1_388_534_400, 1_396_310_400)
            self.accredit(content, by=owner)
        return number

    # --- certificates

    def attested(self, device: int, day: int, energy_wh: int, verdict: int = ACCEPT, **changes: object) -> AttestedDay:
        """A day signed by the vote keys of `signers` (default: a quorum)."""
        record = self.state.get(device_key(device))
        assert isinstance(record, Device)
        signers = changes.pop("signers", range(self.environment().quorum))
        release = energy_wh if verdict == ACCEPT else 0
        fields: dict[str, object] = {
            "epoch": self.environment().epoch,
            "device": device,
            "day": day,
            "step": 0,
            "revision": 0,
            "readings_root": H("test/root", (device, day)),
            "inputs_root": self.inputs(record, day, verdict, int(changes.get("step", 0))),  # type: ignore[call-overload]
            "profile_hash": record.profile_hash,
            "verifier_version": 1,
            "verdict": verdict,
            "reasons": (),
            "release_wh": release,
            "energy_wh": energy_wh,
        }
        attestation = Attestation(**{**fields, **changes})  # type: ignore[arg-type]
        message = attestation_bytes(self.chain, attestation)
        signatures = tuple(
            SignedBy(index, sign(self.vote_seed(index), message))
            for index in signers  # type: ignore[attr-defined]
        )
        return AttestedDay(attestation, signatures)

    def inputs(self, device: Device, day: int, verdict: int, step: int) -> bytes:
        """What the ledger of this moment names for the step; nothing of a day that is refused or held at once."""
        scheme = self.state.get(scheme_key(device.scheme))
        assert isinstance(scheme, Scheme)
        if step == CORRECTION or not asks(device, scheme) or (step == 0 and verdict != ACCEPT):
            return NO_INPUTS
        return inputs_root(heard(self.state, device, day, step))

    def vote_seed(self, index: int) -> bytes:
        """Of the validator at this place now; beyond the set of one that does not exist."""
        validators = self.validators
        key = validators[index].vote_key if index < len(validators) else b""
        return self.vote_seeds.get(key) or seed_of(f"vote_key{index}")

    def issue_action(self, device: int, days: tuple[AttestedDay, ...], month: int = MONTH, **changes: object) -> Issue:
        record, scheme = self.state.get(device_key(device)), None
        assert isinstance(record, Device)
        scheme = self.state.get(scheme_key(record.scheme))
        assert isinstance(scheme, Scheme)
        released = sum(attested.attestation.release_wh for attested in days)
        booking = book(self.state, self.environment().time_s, record, scheme, month, released)
        fields: dict[str, object] = {
            "device": device,
            "owner": record.owner,
            "scheme": scheme.id,
            "face_value": scheme.face_value,
            "unit": scheme.unit,
            "month": month,
            "facts": record.facts,
            "days": days,
            "carry_in_wh": booking.account.carry_wh,
            "carry_out_wh": booking.carry_wh,
            "first_serial": record.next_serial,
            "count": booking.count,
            "netted_wh": booking.netted_wh,
        }
        return Issue(**{**fields, **changes})  # type: ignore[arg-type]

    def issue(self, device: int, energy_wh: int, day: int = DAY, month: int = MONTH) -> Outpoint | None:
        """One accepted day; the outpoint of the new bundle, if a certificate became whole."""
        before = set(self.live())
        self.do(self.issue_action(device, (self.attested(device, day, energy_wh),), month))
        new = [point for point in self.live() if point not in before]
        return new[0] if new else None

    def correct(
        self,
        device: int,
        day: int,
        release_wh: int,
        energy_wh: int = 0,
        revision: int = 1,
        hours_wh: tuple[int, ...] = (),
    ) -> list[Event]:
        """A quorum puts the energy of a day right."""
        energy_wh = energy_wh or release_wh
        content = CorrectContent(device, day, revision, energy_wh, release_wh, "meter error", b"", hours_wh)
        return self.accredit(content, by="Organisation 0")

    def withdrawal(self, device: int) -> Withdraw:
        """What a node would send for the debt of a device."""
        record = self.state.get(device_key(device))
        assert isinstance(record, Device)
        held = [(point, output) for point, output in self.live().items() if holder_of(output) == record.owner]
        found = withdrawal(self.state, self.environment().time_s, record, held, 64)
        assert found is not None
        return found

    def credit_action(self, device: int, day: int) -> Issue:
        """The issue that makes certificates of what a correction added to a day."""
        record, credit = self.state.get(device_key(device)), credit_of(self.state, device, day)
        assert isinstance(record, Device)
        assert credit is not None
        attestation = credited(credit, record, self.environment().epoch, NO_INPUTS)
        message = attestation_bytes(self.chain, attestation)
        quorum = range(self.environment().quorum)
        signatures = tuple(SignedBy(index, sign(self.vote_seed(index), message)) for index in quorum)
        return self.issue_action(device, (AttestedDay(attestation, signatures),), month_of_day(day))

    def consumption(self, meter: int, day: int, hours_wh: tuple[int, ...], key: str) -> ReportConsumption:
        """A day of a consumption meter, signed by the key of that name."""
        signature = sign(self.seed(key), report_bytes(self.chain, meter, day, hours_wh, bytes(32)))
        return ReportConsumption(meter, day, hours_wh, bytes(32), signature)

    def retire_action(self, holder: str, outpoint: Outpoint, start: int, end: int, **changes: object) -> Retire:
        bundle = self.state.get(output_key(outpoint))
        assert isinstance(bundle, Bundle)
        issuance = self.state.get(issuance_key(bundle.issuance))
        assert isinstance(issuance, Issuance)
        device = self.state.get(device_key(bundle.device))
        scheme = self.state.get(scheme_key(issuance.scheme))
        person = self.state.get(participant_key(self.people[holder]))
        assert isinstance(device, Device)
        assert isinstance(scheme, Scheme)
        assert isinstance(person, Participant)
        retired = RetiredRange(
            outpoint, issuance.id, device.id, start, end, issuance.production_from, issuance.production_to
        )
        fields: dict[str, object] = {
            "holder": person.id,
            "ranges": (retired,),
            "beneficiary": Beneficiary("Bakery Dupont", "FR-123", "Nancy", "FR"),
            "purpose": "voluntary",
            "note": "",
            "consumption_from": START_S,
            "consumption_to": START_S + 86_400,
            "jurisdiction": "FR",
            "statement_hash": bytes(32),
        }
        draft = Retire(**{**fields, **changes})  # type: ignore[arg-type]
        if "statement_hash" in changes:
            return draft
        facts = statement_facts(self.chain, self.parameters, person, draft, [(issuance, device, scheme)])
        return Retire(**{**fields, **changes, "statement_hash": statement_hash(facts)})  # type: ignore[arg-type]

    # --- market

    def auction(
        self,
        scheme: int = 1,
        technology: str = "T02",
        seconds: int = 60,
        lot_class: AuctionClass | None = None,
        terms: AuctionTerms | None = None,
        **changes: int,
    ) -> int:
        fields = {"floor": 0, "ceiling": 0, **changes}
        lot_class = lot_class or AuctionClass(scheme, technology, "", 0, 0, 0)
        closes_at = self.time_ms // 1000 + seconds
        self.do(
            OpenAuction(
                self.people["exchange"],
                "Spring wind",
                lot_class,
                "EUR",
                fields["floor"],
                fields["ceiling"],
                closes_at,
                terms or AuctionTerms(),
            ),
            by=("exchange",),
        )
        return self.count("auction")

    def offer(self, seller: str, auction: int, outpoint: Outpoint, start: int, end: int, limit: int) -> list[Event]:
        return self.do(PlaceOffer(auction, self.people[seller], outpoint, start, end, limit), by=(seller,), seconds=0)

    def bid(self, buyer: str, auction: int, quantity: int, limit: int, *inputs: Outpoint) -> list[Event]:
        return self.do(PlaceBid(auction, self.people[buyer], quantity, limit, inputs), by=(buyer,), seconds=0)

    def close(self, auction: int) -> Auction:
        """Blocks until the auction is closed."""
        while True:
            found = self.state.get(auction_key(auction))
            assert isinstance(found, Auction)
            if found.status not in ("announced", "open", "opening"):
                return found
            self.block(seconds=10)

    def settle(self, auction: int) -> list[Event]:
        return self.do(build_settle(self.state, self.close(auction)))

    def pass_blocks(self, count: int, seconds: int) -> list[Event]:
        events: list[Event] = []
        for _ in range(count):
            events += self.block(seconds=seconds)
        return events

    # --- looking

    def live(self) -> dict[Outpoint, Output]:
        low = bytes((Space.OUTPUT,))
        return {key[1:]: entry for key, entry in self.state.scan(low, space_end(low))}  # type: ignore[misc]

    def outputs_of(self, name: str, kind: type[Output]) -> list[Outpoint]:
        """Outpoints of the holder's live outputs of a type, oldest by creation last known order."""
        holder = self.people[name]
        found = [
            point for point, output in self.live().items() if isinstance(output, kind) and holder_of(output) == holder
        ]
        created = [point for block in self.outputs for movement in block.movements for point, _ in movement.created]
        return sorted(found, key=created.index)

    def money(self, name: str) -> int:
        """Free funds of a participant, millionths."""
        return sum(self.live()[point].amount for point in self.outputs_of(name, Funds))  # type: ignore[union-attr]

    def certificates(self, name: str) -> int:
        """Active certificates of a participant."""
        lots = [self.live()[point] for point in self.outputs_of(name, Bundle)]
        return sum(lot.end - lot.start + 1 for lot in lots if isinstance(lot, Bundle))
