"""Identities and facts: keyed records of the committed state.

Ids are u32 sequence numbers given by the ledger. A record is replaced as a whole, never edited in place.
`until` is the end of an accreditation in seconds of block time, 0 = revoked.
"""

from enum import IntEnum, StrEnum
from typing import Annotated

from msgspec import Meta

from state.codec import Wire
from state.escrow import EscrowSet as EscrowSet
from state.escrow import SharePage as SharePage
from state.trading import AuctionMember as AuctionMember
from state.trading import Obligation as Obligation
from state.trading import StandingBid as StandingBid
from state.trading import Strikes as Strikes
from state.trading import Wanted as Wanted
from state.units import I64, U8, U16, U32, U64, Code, Hash, Key, Name, Note, OptionalKey, Outpoint

Gsrn = Annotated[str, Meta(max_length=18)]  # two digits longer than a Code


class Role(StrEnum):
    """What a participant may be accredited for beyond holding and trading."""

    PAYMENT_OPERATOR = "payment_operator"
    MARKET_OPERATOR = "market_operator"
    AUTHORITY = "authority"  # answers objections, sees what the public does not (docs/ACCESS.md)
    AUDITOR = "auditor"  # sees what the public does not, and changes nothing


class Channel(IntEnum):
    """Bits of `DeviceFacts.channels`: what a unit measures beside its power; what it lacks is null in its readings."""

    WIND = 1
    TEMPERATURE = 2
    INSOLATION = 4


class Participant(Wire, frozen=True, tag="participant"):
    id: U32
    key: Key
    name: Name
    country: Code  # ISO 3166-1 alpha-2
    recovery_key: OptionalKey  # empty = none named
    registered_at: U64  # s of block time


class RoleGrant(Wire, frozen=True, tag="role_grant"):
    participant: U32
    role: Code
    until: U64


class DeviceFacts(Wire, frozen=True):
    """What is known of a plant at accreditation; never changes. Angles in millionths of a degree, power in W.

    EECS codes by `research/registry.md` section 2.3. `tilt_udeg` and `azimuth_udeg` are -1 where unknown, latitude and
    longitude are `2**31` where unknown.
    """

    name: Name
    gsrn: Gsrn  # 18 digits with GS1 check, or empty
    country: Code
    zone: Code
    location: Name
    fuel: Code  # F........
    technology: Code  # T......
    capacity_w: U64
    commissioned_day: U32
    interval_s: U32
    channels: U8
    latitude_udeg: I64
    longitude_udeg: I64
    coordinates_estimated: bool
    tilt_udeg: I64
    azimuth_udeg: I64
    hub_height_cm: U32
    insolation_source: Code  # none | pyranometer | plane | satellite
    support: Note  # public support received, empty = none


class Device(Wire, frozen=True, tag="device"):
    id: U32
    owner: U32
    scheme: U32
    facts: DeviceFacts
    until: U64
    next_serial: U64  # 1 at the start; gap-free, never reused
    profile_hash: OptionalKey  # empty until a baseline profile was signed on chain
    profile_from: U64  # s, commissioning window of the signed profile
    profile_to: U64
    neighbours: tuple[U32, ...] = ()  # that feel the same weather, as they were registered when the profile was signed


class Meter(Wire, frozen=True, tag="meter"):
    """The credential of a device's readings: its own key, or the gateway that signs raw posts for it."""

    device: U32
    key: OptionalKey
    gateway: U32  # 0 = none
    until: U64


class Gateway(Wire, frozen=True, tag="gateway"):
    id: U32
    operator: U32
    key: Key
    until: U64


class Validator(Wire, frozen=True, tag="validator"):
    """A member of the consortium. Vote key: consensus. Node key: transport. Governance key: its organisation's."""

    index: U16
    participant: U32
    name: Name
    vote_key: Key
    node_key: Key
    escrow_key: Key  # X25519: sealed orders are opened with it
    governance_key: Key
    address: Name  # host:port of its peer-to-peer listener


class SetChange(Wire, frozen=True):
    """One change of the validator set that was decided and waits for the end of an epoch."""

    kind: Code  # join | leave | rotate
    participant: U32  # the organisation that it is about
    evidence: bool  # it leaves because two contradicting votes of it were shown
    joins: Validator | None  # its record, the index not yet given
    vote_key: OptionalKey  # the new one of a rotation
    escrow_key: OptionalKey = b""  # the new one of a rotation


class NextValidators(Wire, frozen=True, tag="next_validators"):
    """Changes in the order in which they will be made, and the set that the first of them lead to.

    At most max(1, f) are made at the end of an epoch, so that every two neighbouring sets overlap.
    """

    changes: Annotated[tuple[SetChange, ...], Meta(max_length=128)]
    validators: tuple[Validator, ...]


class EpochMember(Wire, frozen=True):
    participant: U32
    vote_key: Key


class EpochSet(Wire, frozen=True, tag="epoch_set"):
    """Who was in office in a finished epoch, by index: what evidence of that epoch is checked against."""

    epoch: U64
    members: tuple[EpochMember, ...]


class Expiry(Wire, frozen=True):
    basis: Name  # issue | production_end | production_month_end
    trade_months: U16
    retire_months: U16


class Scheme(Wire, frozen=True, tag="scheme"):
    id: U32
    name: Code
    unit: Code  # MWh | kWh | Wh | tCO2e
    face_value: U64  # Wh per certificate
    serial_digits: U8
    currency: Code
    expiry: Expiry
    tradable: bool
    max_transfers: U16  # 0 = no limit
    issue_rule: Code  # verified
    release_shares: tuple[U16, U16, U16]  # basis points at prompt, 30 and 90 days
    late_days: U32
    close_days: U32
    hold_days: U32
    gsrn_check: bool = True  # false where a country gives GSRNs out whose check digit does not hold


class AuctionClass(Wire, frozen=True):
    """What an auction trades. Empty or 0 = any."""

    scheme: U32
    technology: Code  # EECS prefix, e.g. T02
    zone: Code
    device: U32
    month_from: U32  # production months year * 100 + month, inclusive
    month_to: U32


class Dimension(Wire, frozen=True):
    """One attribute that bids may choose by: technology, zone, period, device or support, and its nodes.

    Nodes are prefixes but for devices: `T02` holds `T020001`, `2026` holds `202604`. The empty node means any.
    """

    name: Code
    nodes: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=128)]


class AuctionTerms(Wire, frozen=True):
    """How an auction is held. What is left at its default is the plain open book of one class."""

    dimensions: Annotated[tuple[Dimension, ...], Meta(max_length=5)] = ()
    opens_at: U64 = 0  # s, 0 = at once
    sealed: bool = False  # orders are commitments until the close, and opened after it
    opening_s: U32 = 0  # how long sealed orders may be opened, at least
    bond: U64 = 0  # millionths per certificate of a sealed lot; a sealed bid has its stake
    fee: U16 = 0  # basis points of what sellers earn, rounded down per piece, to the market operator
    position_cap: U64 = 0  # certificates that one participant may bid for, 0 = no cap
    delivery_from: U64 = 0  # s; only lots produced inside [from, to), 0 = any
    delivery_to: U64 = 0
    repeat_s: U32 = 0  # the next session opens when this one closes and lasts so long, 0 = no next
    repeat_until: U64 = 0  # s; no session closes later
    margin: U16 = 0  # basis points of its value that a bid locks, the rest is owed when it won; 0 = all of it
    pay_s: U32 = 0  # with a margin: how long after the settlement the rest may be paid
    escrow: bool = False  # sealed orders are opened by a quorum of validators, else only by who holds the opening


class Sessions(Wire, frozen=True, tag="sessions"):
    """Auctions that a scheme holds by itself: one every `every_s`, each open for `open_s`."""

    scheme: U32
    operator: U32  # who is named in them, and paid the fee
    title: Name
    lot_class: AuctionClass
    floor: U64
    ceiling: U64
    terms: AuctionTerms
    next_at: U64  # s
    every_s: U32  # 0 = no more of them
    open_s: U32


class ClassResult(Wire, frozen=True):
    """What became of one class: `thin` where fewer than three participants traded in it."""

    place: U16  # of the leaf, technologies first (`contracts/attributes.py`)
    label: Name
    price: U64  # 0 without trade
    volume: U64
    unmatched: U64  # offered and not sold
    participants: U32
    thin: bool


class Auction(Wire, frozen=True, tag="auction"):
    id: U32
    operator: U32
    title: Name
    lot_class: AuctionClass
    currency: Code
    floor: U64
    ceiling: U64
    opened_at: U64  # s
    opened_height: U64
    closes_at: U64  # s
    orders: U32  # numbers 0..orders-1 are given out, cancelled ones included
    status: Code  # open | opening | closed | settled | void
    seed: OptionalKey  # decides the last units of ties, so nobody can bid for it; while orders are opened a block hash
    price: U64  # mean of the settlement by volume, of one class its price; 0 before it or without trade
    quantity: U64  # certificates that changed hands
    result_root: OptionalKey
    terms: AuctionTerms = AuctionTerms()
    phase_height: U64 = 0  # block that the present phase began with, where it is not the first
    phase_at: U64 = 0  # s, its time
    settled_height: U64 = 0  # where the events stand that receipts are made of
    forfeited: U64 = 0  # millionths of orders that were never opened
    results: Annotated[tuple[ClassResult, ...], Meta(max_length=128)] = ()


class Issuance(Wire, frozen=True, tag="issuance"):
    """What `retire` and a lookup need of an issue; its full facts stand in the issue action."""

    id: U64
    device: U32
    scheme: U32
    month: U32  # production month, year * 100 + month
    start: U64
    end: U64
    production_from: U64  # s, inclusive
    production_to: U64  # s, exclusive
    issued_at: U64  # s
    trade_until: U64
    retire_until: U64
    verifier_version: U16
    profile_hash: Hash
    reasons: tuple[Code, ...]  # labels and information codes of its accepted days, e.g. single_source
    txid: Hash


class MonthEnergy(Wire, frozen=True, tag="month_energy"):
    """The account of Wh of (device, production month): certificates are its whole multiples of the face value.

    At all times `carry_in_wh + released_wh + returned_wh` equals
    `face_value * issued + carry_wh + moved_wh + corrected_wh + netted_wh` (`contracts/accounts.py`).
    """

    device: U32
    month: U32
    scheme: U32
    released_wh: U64
    issued: U64  # certificates
    carry_in_wh: U64  # taken over from earlier months when this account was opened
    carry_wh: U64
    moved_wh: U64  # handed on to a later month
    withdrawn: U64  # certificates of this month taken back after an error
    corrected_wh: U64  # carry that a correction took away
    netted_wh: U64  # released, and used up to pay a debt
    returned_wh: U64  # the rest of a withdrawn certificate, back in the carry
    given_wh: U64  # energy of withdrawn certificates that paid another device's debt


class Debt(Wire, frozen=True, tag="debt"):
    """Energy of a device that was certified in error and is not made up for; the record stays when it is paid.

    What withdrawing own certificates paid is what remains of `incurred_wh` after all of these; of certificates of
    other devices `received_wh` counts the whole energy, also what came back as carry.
    """

    device: U32
    month: U32  # of the last correction that added to it
    debt_wh: U64
    incurred_wh: U64
    netted_wh: U64  # paid by new releases
    received_wh: U64  # came by certificates of other devices
    forfeited_wh: U64  # paid in money, from the pledges
    due_at: U64  # s, 0 while nothing is owed


class Credit(Wire, frozen=True, tag="credit"):
    """Energy that a correction added to a day; it waits for the issue that makes certificates of it."""

    device: U32
    day: U32
    revision: U8
    credit_wh: U64
    energy_wh: U64  # of the day, corrected
    readings_root: Hash  # of the evidence
    hours_wh: tuple[U64, ...] = ()  # of the credit, in a granular scheme


class Amendment(Wire, frozen=True, tag="amendment"):
    """The words of a statement put right, beside the first version, which stays."""

    statement: Annotated[bytes, Meta(min_length=16, max_length=16)]
    beneficiary_name: Name
    location: Name
    note: Note
    amended_at: U64  # s
    txid: Hash


class Standing(Wire, frozen=True, tag="standing"):
    """A transfer rule that every issue of a device carries out."""

    id: U32
    device: U32
    owner: U32
    to: U32
    share: U16  # basis points of each issue
    maximum: U64  # certificates in all, 0 = no limit
    moved: U64  # certificates so far
    until: U64  # s
    txid: Hash


class Release(Wire, frozen=True, tag="release"):
    """The fate of one device's energy of one day at one step. Verdict: 0 accept, 1 hold, 2 reject."""

    device: U32
    day: U32
    step: U8
    revision: U8
    verdict: U8
    reasons: tuple[Code, ...]
    energy_wh: U64
    release_wh: U64
    readings_root: Hash
    txid: Hash
    inputs_root: Hash = bytes(32)  # of the neighbours that were heard; zeros where nobody was


class Appeal(Wire, frozen=True, tag="appeal"):
    """An objection to the record of a day, and what the authority answered. Status: open, upheld or dismissed."""

    device: U32
    day: U32
    step: U8
    revision: U8
    owner: U32
    reason: Note
    evidence_hash: OptionalKey
    filed_at: U64  # s
    answer_until: U64
    txid: Hash
    status: Code
    authority: U32  # 0 until it is answered
    answer: Note
    answer_hash: OptionalKey
    answered_at: U64
    late: bool  # answered after `answer_until`
    answer_txid: OptionalKey


class ConsumptionMeter(Wire, frozen=True, tag="consumption_meter"):
    """An accredited meter of what somebody uses. Its key signs a report for each day."""

    id: U32
    owner: U32
    key: Key
    name: Name
    country: Code
    zone: Code
    until: U64


class Consumption(Wire, frozen=True, tag="consumption"):
    """What a meter measured on a UTC day, hour by hour."""

    meter: U32
    day: U32
    owner: U32
    hours_wh: Annotated[tuple[U64, ...], Meta(max_length=24)]
    readings_root: Hash
    txid: Hash


class Proposal(Wire, frozen=True, tag="proposal"):
    """Something that q governance keys must approve. `content` is the encoded ProposalContent of the action."""

    id: U32
    proposer: U32
    content: Annotated[bytes, Meta(max_length=8_192)]
    proposed_at: U64
    proposed_height: U64
    lapses_height: U64
    approvals: tuple[U16, ...]  # validator indexes, ascending
    refusals: tuple[U16, ...]
    status: Code  # open | enacted | refused
    enacted_id: U32  # id of what it created, 0 otherwise


class OpenProposals(Wire, frozen=True, tag="open_proposals"):
    """What a participant has proposed lately and may still be open; those that are not are dropped when it is full."""

    numbers: tuple[U32, ...]  # ascending


class Statement(Wire, frozen=True, tag="statement"):
    id: Annotated[bytes, Meta(min_length=16, max_length=16)]
    holder: U32
    txid: Hash
    action_index: U16
    statement_hash: Hash
    quantity: U64
    retired_at: U64  # s


class EnergyCode(Wire, frozen=True):
    """An EECS technology that may be registered here, and the fuel prefixes that go with it."""

    technology: Code
    name: Name
    fuels: tuple[Code, ...]


class Terms(Wire, frozen=True):
    """How long people have, in seconds of block time."""

    recovery_delay_s: U64  # between the quorum's approval of a recovery and the new key
    appeal_s: U64  # in which the authority should answer an objection
    amend_s: U64  # after a retirement, in which the text of its statement may be amended once
    debt_s: U64  # after which the deposit pays for energy that was certified in error
    forfeit_to: U32  # the participant that such a deposit goes to


class Parameters(Wire, frozen=True, tag="parameters"):
    """Of the network, from its genesis; docs/GENESIS.md documents each."""

    name: Name
    registry_code: Code  # 3 letters, first part of every certificate number
    epoch_length: U64  # blocks; 0 = one epoch for ever
    idle_interval_ms: U64
    min_interval_ms: U64
    delta_ms: U64
    max_outputs: U32  # live outputs of one holder
    issuing: bool
    auctions: bool
    energy_codes: tuple[EnergyCode, ...]
    terms: Terms


class KeyOwner(Wire, frozen=True, tag="key_owner"):
    """Whose current key this is."""

    participant: U32


class KeyChange(Wire, frozen=True, tag="key_change"):
    """One key took another's place; the whole list is the history of a participant's, meter's or gateway's keys."""

    kind: Code  # participant | meter | gateway
    subject: U32
    former: OptionalKey  # empty where none was named before
    key: OptionalKey  # empty where a gateway signs from then on
    reason: Code  # rotation | recovery | quorum
    at: U64  # s of block time
    height: U64
    txid: Hash


class PendingRecovery(Wire, frozen=True, tag="pending_recovery"):
    """A recovery that a quorum approved: the new key takes over at `due_at` unless the owner vetoes."""

    participant: U32
    key: Key
    approved_at: U64  # s
    due_at: U64


class Counter(Wire, frozen=True, tag="counter"):
    """The next number of a sequence, or how many there are of something."""

    value: U64


class Pointer(Wire, frozen=True, tag="pointer"):
    """An entry of a queue: order n of an auction, an output that will expire, a piece to deliver."""

    outpoint: Outpoint


class Used(Wire, frozen=True, tag="used"):
    """A reference that must not be used again, and by what it was."""

    txid: Hash


Record = (
    Participant
    | RoleGrant
    | Device
    | Meter
    | Gateway
    | Validator
    | NextValidators
    | EpochSet
    | Scheme
    | Auction
    | AuctionMember
    | StandingBid
    | Obligation
    | Strikes
    | Sessions
    | EscrowSet
    | SharePage
    | Issuance
    | MonthEnergy
    | Release
    | Appeal
    | Debt
    | Credit
    | Amendment
    | Standing
    | ConsumptionMeter
    | Consumption
    | Proposal
    | OpenProposals
    | Statement
    | Parameters
    | KeyOwner
    | KeyChange
    | PendingRecovery
    | Counter
    | Pointer
    | Used
)
