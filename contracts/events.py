"""What happened, for whoever watches: one event per fact, enough to rebuild every read model and screen.

An event is stored under its height with the transaction and action it came from. Field names are the API's.
"""

from typing import Any

from contracts.dealt import AuctionClosed as AuctionClosed
from contracts.dealt import AuctionOpened as AuctionOpened
from contracts.dealt import BidPlaced as BidPlaced
from contracts.dealt import Bought as Bought
from contracts.dealt import Cancelled as Cancelled
from contracts.dealt import ClassSettled as ClassSettled
from contracts.dealt import Defaulted as Defaulted
from contracts.dealt import Delivered as Delivered
from contracts.dealt import Listed as Listed
from contracts.dealt import ObligationMade as ObligationMade
from contracts.dealt import ObligationMet as ObligationMet
from contracts.dealt import Offered as Offered
from contracts.dealt import OpeningBegan as OpeningBegan
from contracts.dealt import OrderOpened as OrderOpened
from contracts.dealt import OrderSealed as OrderSealed
from contracts.dealt import OrderSettled as OrderSettled
from contracts.dealt import OrderSpoilt as OrderSpoilt
from contracts.dealt import PaidIn as PaidIn
from contracts.dealt import Released as Released
from contracts.dealt import Replaced as Replaced
from contracts.dealt import Settled as Settled
from contracts.dealt import SharesGiven as SharesGiven
from contracts.dealt import StandingBidEnded as StandingBidEnded
from contracts.dealt import StandingBidPlaced as StandingBidPlaced
from contracts.dealt import Voided as Voided
from state.codec import Wire
from state.units import U8, U16, U32, U64, Code, Hash, Name, Note, Outpoint


class Registered(Wire, frozen=True, tag="registered"):
    participant: U32
    name: Name
    country: Code
    key: Hash


class KeyChanged(Wire, frozen=True, tag="key_changed"):
    """`what` is participant, meter or gateway; `reason` rotation, recovery (by the recovery key) or quorum."""

    what: Code
    subject: U32
    former: bytes
    key: bytes
    reason: Code


class RecoveryNamed(Wire, frozen=True, tag="recovery_named"):
    participant: U32
    recovery_key: bytes


class RecoveryPending(Wire, frozen=True, tag="recovery_pending"):
    """A quorum approved another key for a participant, which takes over at `due_at` unless the owner vetoes."""

    participant: U32
    key: Hash
    due_at: U64


class RecoveryVetoed(Wire, frozen=True, tag="recovery_vetoed"):
    participant: U32
    key: Hash


class Proposed(Wire, frozen=True, tag="proposed"):
    proposal: U32
    content: Code
    proposer: U32


class SchemeSet(Wire, frozen=True, tag="scheme_set"):
    """A scheme was added (`new`), or what it will issue got other terms."""

    scheme: U32
    name: Code
    unit: Code
    face_value: U64
    new: bool


class Voted(Wire, frozen=True, tag="voted"):
    proposal: U32
    validator: U16
    approve: bool
    reason: Note


class Enacted(Wire, frozen=True, tag="enacted"):
    """A proposal reached its quorum; `created` is the id of what it made or changed."""

    proposal: U32
    content: Code
    created: U32


class ProposalRefused(Wire, frozen=True, tag="proposal_refused"):
    proposal: U32
    content: Code


class Equivocated(Wire, frozen=True, tag="equivocated"):
    """Two contradicting votes of a validator were shown: it leaves the set at the end of the epoch."""

    validator: U16  # index in the set of `epoch`
    participant: U32
    epoch: U64


class EpochBegan(Wire, frozen=True, tag="epoch_began"):
    """The block of this event ended an epoch: from the next one on `epoch` counts, with so many validators.

    `joined`, `left` and `rotated` are the participants behind the validators that changed.
    """

    epoch: U64
    validators: U16
    joined: tuple[U32, ...]
    left: tuple[U32, ...]
    rotated: tuple[U32, ...]


class Deposited(Wire, frozen=True, tag="deposited"):
    operator: U32
    to: U32
    currency: Code
    amount: U64
    reference: Name


class PaidOut(Wire, frozen=True, tag="paid_out"):
    operator: U32
    holder: U32
    currency: Code
    amount: U64
    reference: Name


class PayoutAsked(Wire, frozen=True, tag="payout_asked"):
    """Money that an operator was asked to pay out, locked until it answers."""

    holder: U32
    operator: U32
    outpoint: Outpoint
    currency: Code
    amount: U64
    until: U64  # s


class PayoutDropped(Wire, frozen=True, tag="payout_dropped"):
    """`how` is declined (by the operator) or taken_back (by the holder)."""

    holder: U32
    operator: U32
    currency: Code
    amount: U64
    how: Code


class DayJudged(Wire, frozen=True, tag="verdict"):
    """Verdict: 0 accept, 1 hold, 2 reject."""

    device: U32
    day: U32
    step: U8
    verdict: U8
    reasons: tuple[Code, ...]
    energy_wh: U64
    release_wh: U64
    validators: tuple[U16, ...]  # whose attestations the issue carries
    review_until: U32 = 0  # the day whose close lets say more of this one; 0 where all is said


class Appealed(Wire, frozen=True, tag="appealed"):
    """The owner of a device objects to the verdict on a day."""

    device: U32
    day: U32
    owner: U32
    answer_until: U64


class AppealAnswered(Wire, frozen=True, tag="appeal_answered"):
    """`status` is upheld or dismissed; `late` says that the term for the answer was over."""

    device: U32
    day: U32
    authority: U32
    status: Code
    late: bool


class Consumed(Wire, frozen=True, tag="consumed"):
    """A consumption meter reported a day; the hours are not told to everybody."""

    meter: U32
    day: U32
    owner: U32
    readings_root: Hash


class Issued(Wire, frozen=True, tag="issued"):
    issuance: U64
    device: U32
    scheme: U32
    month: U32
    start: U64
    end: U64
    holder: U32


class Transferred(Wire, frozen=True, tag="transferred"):
    sender: U32
    to: U32
    device: U32
    issuance: U64
    start: U64
    end: U64


class Paid(Wire, frozen=True, tag="paid"):
    """Money changed hands on the ledger, as the other leg of a transfer."""

    payer: U32
    to: U32
    currency: Code
    amount: U64


class Retired(Wire, frozen=True, tag="retired"):
    statement: bytes
    holder: U32
    beneficiary: Name
    device: U32
    issuance: U64
    start: U64
    end: U64


class DayCorrected(Wire, frozen=True, tag="day_corrected"):
    """A quorum put the energy of a day right: what it stood at, and what it stands at now."""

    device: U32
    day: U32
    revision: U8
    before_wh: U64
    after_wh: U64
    reason: Note


class DebtIncurred(Wire, frozen=True, tag="debt_incurred"):
    """Certificates of this energy were issued in error; `debt_wh` is what the device owes now."""

    device: U32
    added_wh: U64
    debt_wh: U64
    due_at: U64


class DebtPaid(Wire, frozen=True, tag="debt_paid"):
    """`how` is certificates, releases or deposit; `debt_wh` is what is left."""

    device: U32
    paid_wh: U64
    debt_wh: U64
    how: Code


class Withdrawn(Wire, frozen=True, tag="withdrawn"):
    """Certificates taken back for the debt of device `debtor`."""

    device: U32
    issuance: U64
    start: U64
    end: U64
    holder: U32
    debtor: U32


class Forfeited(Wire, frozen=True, tag="forfeited"):
    """The term of a debt was over: pledged money paid for so much energy."""

    device: U32
    currency: Code
    amount: U64
    forfeited_wh: U64


class Pledged(Wire, frozen=True, tag="pledged"):
    device: U32
    owner: U32
    currency: Code
    amount: U64


class Unpledged(Wire, frozen=True, tag="unpledged"):
    """Notice was given of a pledge that comes free at `free_at`; 0 = it was taken back."""

    device: U32
    owner: U32
    currency: Code
    amount: U64
    free_at: U64


class Amended(Wire, frozen=True, tag="amended"):
    statement: bytes
    holder: U32
    beneficiary: Name


class HandedOver(Wire, frozen=True, tag="handed_over"):
    sender: U32
    to: U32
    outpoint: Outpoint
    device: U32
    issuance: U64
    start: U64
    end: U64
    until: U64
    note: Note


class HandoverAnswered(Wire, frozen=True, tag="handover_answered"):
    """`how` is accepted, declined (by the receiver) or taken_back (by the sender)."""

    sender: U32
    to: U32
    device: U32
    issuance: U64
    start: U64
    end: U64
    how: Code


class StandingSet(Wire, frozen=True, tag="standing_set"):
    number: U32
    device: U32
    owner: U32
    to: U32
    share: U16
    maximum: U64


class StandingEnded(Wire, frozen=True, tag="standing_ended"):
    """`why` is ended (by giver or receiver), over (its date) or fulfilled (its maximum)."""

    number: U32
    device: U32
    why: Code


class Expired(Wire, frozen=True, tag="expired"):
    holder: U32
    device: U32
    issuance: U64
    start: U64
    end: U64


Event = (
    Registered
    | KeyChanged
    | RecoveryNamed
    | RecoveryPending
    | RecoveryVetoed
    | Proposed
    | SchemeSet
    | Voted
    | Enacted
    | ProposalRefused
    | Equivocated
    | EpochBegan
    | Deposited
    | PaidOut
    | PayoutAsked
    | PayoutDropped
    | DayJudged
    | Appealed
    | AppealAnswered
    | Consumed
    | Issued
    | Transferred
    | Paid
    | Retired
    | DayCorrected
    | DebtIncurred
    | DebtPaid
    | Withdrawn
    | Forfeited
    | Pledged
    | Unpledged
    | Amended
    | HandedOver
    | HandoverAnswered
    | StandingSet
    | StandingEnded
    | AuctionOpened
    | Offered
    | BidPlaced
    | Cancelled
    | AuctionClosed
    | OrderSealed
    | OpeningBegan
    | OrderOpened
    | SharesGiven
    | OrderSpoilt
    | Replaced
    | Settled
    | ClassSettled
    | OrderSettled
    | Voided
    | ObligationMade
    | PaidIn
    | ObligationMet
    | Defaulted
    | Released
    | Listed
    | Bought
    | StandingBidPlaced
    | StandingBidEnded
    | Delivered
    | Expired
)


class EventRecord(Wire, frozen=True):
    """One stored event. The sweep at the start of a block has 32 bytes of zeros and height as its txid."""

    txid: Hash
    action_index: U16
    event: Event


def kind_of(event: Event) -> str:
    return str(event.__struct_config__.tag)


def event_dict(record: EventRecord) -> dict[str, Any]:
    """Flat JSON form: kind, txid, action_index and the event's own fields; bytes as hex, u64 as text."""
    fields: dict[str, Any] = {
        "kind": kind_of(record.event),
        "txid": record.txid.hex(),
        "action_index": record.action_index,
    }
    for name in record.event.__struct_fields__:
        value = getattr(record.event, name)
        if isinstance(value, bytes):
            value = value.hex()
        elif isinstance(value, tuple):
            value = list(value)
        elif name in U64_FIELDS:
            value = str(value)
        fields[name] = value
    return fields


U64_FIELDS = frozenset(
    {
        "amount",
        "energy_wh",
        "release_wh",
        "issuance",
        "start",
        "end",
        "limit",
        "quantity",
        "price",
        "closes_at",
        "opens_at",
        "unmatched",
        "filled",
        "fee",
        "fees",
        "forfeited",
        "owed",
        "margin",
        "due_at",
        "answer_until",
        "before_wh",
        "after_wh",
        "added_wh",
        "debt_wh",
        "paid_wh",
        "forfeited_wh",
        "free_at",
        "until",
        "maximum",
        "face_value",
    }
)
