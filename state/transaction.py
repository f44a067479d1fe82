"""A transaction: chain, signers, actions that hold or fail together, an expiry height, salt; signatures outside.

One action type per intent. The shape of each is here, its meaning in the file of the same name under `contracts/`.
Machine actions (`Issue`, `Reveal`, `Settle`, `VoidAuction`, `Default`, `Evidence`) have no signers: their authority is
inside, and any node may send them.
"""

from typing import Annotated

from msgspec import Meta

from state.attestation import Attestation, SignedBy
from state.codec import Wire, decode, encode
from state.contents import (  # a proposal is an action: whoever builds one finds its contents here too
    ConsumptionMeterContent as ConsumptionMeterContent,
)
from state.contents import (
    CorrectContent as CorrectContent,
)
from state.contents import (
    DeviceContent as DeviceContent,
)
from state.contents import (
    GatewayContent as GatewayContent,
)
from state.contents import (
    MeterContent as MeterContent,
)
from state.contents import (
    ProfileContent as ProfileContent,
)
from state.contents import (
    ProposalContent as ProposalContent,
)
from state.contents import (
    RecoverContent as RecoverContent,
)
from state.contents import (
    RemoveValidatorContent as RemoveValidatorContent,
)
from state.contents import (
    RenewContent as RenewContent,
)
from state.contents import (
    RoleContent as RoleContent,
)
from state.contents import (
    RotateEscrowKeyContent as RotateEscrowKeyContent,
)
from state.contents import (
    RotateVoteKeyContent as RotateVoteKeyContent,
)
from state.contents import (
    SchemeContent as SchemeContent,
)
from state.contents import (
    ValidatorContent as ValidatorContent,
)
from state.crypto import H, signed_bytes
from state.dealing import Buy as Buy
from state.dealing import Cancel as Cancel
from state.dealing import Default as Default
from state.dealing import EndStandingBid as EndStandingBid
from state.dealing import Inputs as Inputs
from state.dealing import ListLot as ListLot
from state.dealing import OpenAuction as OpenAuction
from state.dealing import OpenShares as OpenShares
from state.dealing import Pay as Pay
from state.dealing import PlaceBid as PlaceBid
from state.dealing import PlaceOffer as PlaceOffer
from state.dealing import PlaceStandingBid as PlaceStandingBid
from state.dealing import Replace as Replace
from state.dealing import Reveal as Reveal
from state.dealing import Settle as Settle
from state.dealing import VoidAuction as VoidAuction
from state.records import DeviceFacts
from state.units import (
    MAX_ACTIONS,
    MAX_SIGNERS,
    MAX_TX_BYTES,
    U8,
    U16,
    U32,
    U64,
    Code,
    Hash,
    Key,
    Name,
    Note,
    OptionalKey,
    Outpoint,
    Salt,
    Signature,
)

TAG = "wattest/tx"


# --- who takes part


class Register(Wire, frozen=True, tag="register"):
    """A key becomes a participant. Signed by that key."""

    key: Key
    name: Name
    country: Code
    recovery_key: OptionalKey


class RotateKey(Wire, frozen=True, tag="rotate_key"):
    """A participant signs with `key` from here on. Signed by its current key, and by the new one to show possession."""

    participant: U32
    key: Key


class NameRecovery(Wire, frozen=True, tag="name_recovery"):
    """Another recovery key, empty = none any more. Signed by the current key and, where one is named, the old one.

    Both, because a thief of the current key must not be able to shut the recovery key out.
    """

    participant: U32
    recovery_key: OptionalKey


class RecoverKey(Wire, frozen=True, tag="recover_key"):
    """A lost or stolen key is replaced at once. Signed by the recovery key and by the new key."""

    participant: U32
    recovery_key: Key
    key: Key
    next_recovery_key: OptionalKey


class VetoRecovery(Wire, frozen=True, tag="veto_recovery"):
    """The owner stops a recovery that a quorum approved. Signed by its current key, or by its recovery key."""

    participant: U32
    recovery_key: OptionalKey  # empty where the current key signs


class RotateCredential(Wire, frozen=True, tag="rotate_credential"):
    """A meter or gateway signs readings with `key` from here on. Signed by its owner, the old key and the new one."""

    kind: Code  # meter | gateway
    subject: U32  # the meter's device, or the gateway
    former: Key
    key: Key


class Propose(Wire, frozen=True, tag="propose"):
    """A participant asks the consortium to accredit something."""

    proposer: U32
    content: ProposalContent


class Vote(Wire, frozen=True, tag="vote"):
    """A validator organisation approves or refuses a proposal with its governance key."""

    proposal: U32
    validator: U16
    approve: bool
    reason: Note


EncodedVote = Annotated[bytes, Meta(max_length=200)]


class Evidence(Wire, frozen=True, tag="evidence"):
    """Two contradicting votes of validator `signer` of `epoch`, as consensus encodes them, in the order of bytes."""

    epoch: U64
    signer: U16
    first: EncodedVote
    second: EncodedVote


# --- objections


class FileAppeal(Wire, frozen=True, tag="appeal"):
    """The owner of a device objects to the verdict on one of its days. The evidence stays off the ledger."""

    owner: U32
    device: U32
    day: U32
    step: U8
    revision: U8
    reason: Note
    evidence_hash: OptionalKey


class AnswerAppeal(Wire, frozen=True, tag="answer_appeal"):
    """An accredited authority upholds or dismisses an objection."""

    authority: U32
    device: U32
    day: U32
    step: U8
    revision: U8
    upheld: bool
    answer: Note
    answer_hash: OptionalKey


# --- money


class Deposit(Wire, frozen=True, tag="deposit"):
    """Money came in at the bank: the payment operator credits a participant. `reference` is used once."""

    operator: U32
    to: U32
    currency: Code
    amount: U64
    reference: Name


class Payout(Wire, frozen=True, tag="payout"):
    """Money goes out: signed by the holder and by the operator that paid; the rest of the inputs comes back."""

    operator: U32
    holder: U32
    inputs: Inputs
    currency: Code
    amount: U64
    reference: Name


class AskPayout(Wire, frozen=True, tag="ask_payout"):
    """The holder asks an operator for a payout: the amount is locked for him until he confirms or declines."""

    holder: U32
    operator: U32
    inputs: Inputs
    currency: Code
    amount: U64
    until: U64  # s; from then on the holder may take it back


class ConfirmPayout(Wire, frozen=True, tag="confirm_payout"):
    """The operator paid what it was asked for: the money is no claim on the ledger any more."""

    operator: U32
    request: Outpoint
    holder: U32
    currency: Code
    amount: U64
    reference: Name


class DropPayout(Wire, frozen=True, tag="drop_payout"):
    """The operator declines, or the holder takes back what was not confirmed in time."""

    participant: U32
    request: Outpoint


# --- certificates


class AttestedDay(Wire, frozen=True):
    attestation: Attestation
    signatures: Annotated[tuple[SignedBy, ...], Meta(max_length=256)]  # ascending validator index


class Issue(Wire, frozen=True, tag="issue"):
    """1..31 attested days of one device and production month become certificates, or a record that none did.

    Carries every fact that a retirement statement repeats, because only transactions can be proven offline.
    """

    device: U32
    owner: U32
    scheme: U32
    face_value: U64
    unit: Code
    month: U32
    facts: DeviceFacts
    days: Annotated[tuple[AttestedDay, ...], Meta(min_length=1, max_length=31)]
    carry_in_wh: U64  # of the month's account, or of earlier months where this opens it
    carry_out_wh: U64
    first_serial: U64
    count: U64
    netted_wh: U64  # of the energy, what paid the device's debt first


class Piece(Wire, frozen=True):
    """A named range for a named participant: splits are explicit, never 'the first n'."""

    to: U32
    start: U64
    end: U64


class Payment(Wire, frozen=True):
    """Money that moves in the same transaction as the certificates, from `payer` to the sender."""

    payer: U32
    currency: Code
    amount: U64
    inputs: Inputs


class Transfer(Wire, frozen=True, tag="transfer"):
    """Bundles of one issuance and holder become new bundles: to others, split, or merged where adjacent.

    With a payment the payer signs too, and both legs move or neither.
    """

    sender: U32
    inputs: Inputs
    pieces: Annotated[tuple[Piece, ...], Meta(min_length=1, max_length=256)]
    payment: Payment | None


class Beneficiary(Wire, frozen=True):
    name: Name
    id: Name
    location: Name
    country: Code


class RetiredRange(Wire, frozen=True):
    """A range inside one bundle; what is left of the bundle stays with the holder."""

    outpoint: Outpoint
    issuance: U64
    device: U32
    start: U64
    end: U64
    production_from: U64
    production_to: U64


class Retire(Wire, frozen=True, tag="retire"):
    """The claim: certificates end here for a named use, for ever (EECS cancellation)."""

    holder: U32
    ranges: Annotated[tuple[RetiredRange, ...], Meta(min_length=1, max_length=64)]
    beneficiary: Beneficiary
    purpose: Code  # voluntary | compliance | own_consumption
    note: Note
    consumption_from: U64  # s
    consumption_to: U64
    jurisdiction: Code  # CC[-SUB]
    statement_hash: Hash


class Amend(Wire, frozen=True, tag="amend"):
    """Other words in a statement: once, soon after the retirement, and never what was retired, for whom or why."""

    holder: U32
    statement: Annotated[bytes, Meta(min_length=16, max_length=16)]
    beneficiary_name: Name
    location: Name
    note: Note


class HandOver(Wire, frozen=True, tag="hand_over"):
    """A transfer that the receiver must accept before `until`."""

    sender: U32
    outpoint: Outpoint
    start: U64
    end: U64
    to: U32
    until: U64  # s
    note: Note


class AnswerHandover(Wire, frozen=True, tag="answer_handover"):
    """The receiver accepts or declines, or the sender takes back."""

    participant: U32
    outpoint: Outpoint
    accept: bool


class SetStanding(Wire, frozen=True, tag="set_standing"):
    """Of every issue of an own device, a share goes to another participant."""

    owner: U32
    device: U32
    to: U32
    share: U16  # basis points of each issue, rounded down to whole certificates
    maximum: U64  # certificates in all, 0 = no limit
    until: U64  # s


class EndStanding(Wire, frozen=True, tag="end_standing"):
    """Giver or receiver ends the rule."""

    participant: U32
    device: U32
    number: U32


class WithdrawnRange(Wire, frozen=True):
    """The tail of a bundle, or all of it."""

    outpoint: Outpoint
    start: U64
    end: U64


class Withdraw(Wire, frozen=True, tag="withdraw"):
    """Certificates of the operator are taken back for what a device was issued in error.

    A machine action, but for certificates of other devices, which the operator hands in by its signature.
    """

    device: U32
    ranges: Annotated[tuple[WithdrawnRange, ...], Meta(min_length=1, max_length=64)]


class Pledge(Wire, frozen=True, tag="pledge"):
    """Money of a device's owner is locked as its security."""

    owner: U32
    device: U32
    currency: Code
    amount: U64
    inputs: Inputs


class Unpledge(Wire, frozen=True, tag="unpledge"):
    """The owner gives notice of a pledge, and after the term takes it back."""

    owner: U32
    device: U32
    outpoint: Outpoint


class ReportConsumption(Wire, frozen=True, tag="report_consumption"):
    """What an accredited meter measured on a UTC day: a machine action, the meter's signature is inside."""

    meter: U32
    day: U32
    hours_wh: Annotated[tuple[U64, ...], Meta(max_length=24)]
    readings_root: Hash
    signature: Signature


Action = (
    Register
    | Propose
    | Vote
    | Deposit
    | Payout
    | AskPayout
    | ConfirmPayout
    | DropPayout
    | Issue
    | Transfer
    | Retire
    | OpenAuction
    | PlaceOffer
    | PlaceBid
    | Cancel
    | Replace
    | Reveal
    | OpenShares
    | Settle
    | VoidAuction
    | Pay
    | Default
    | ListLot
    | Buy
    | PlaceStandingBid
    | EndStandingBid
    | Evidence
    | RotateKey
    | NameRecovery
    | RecoverKey
    | VetoRecovery
    | RotateCredential
    | FileAppeal
    | AnswerAppeal
    | Amend
    | HandOver
    | AnswerHandover
    | SetStanding
    | EndStanding
    | Withdraw
    | Pledge
    | Unpledge
    | ReportConsumption
)


class Body(Wire, frozen=True):
    chain: Hash
    signers: Annotated[tuple[Key, ...], Meta(max_length=MAX_SIGNERS)]
    actions: Annotated[tuple[Action, ...], Meta(min_length=1, max_length=MAX_ACTIONS)]
    expiry_height: U64
    salt: Salt


class Transaction(Wire, frozen=True):
    body: Body
    signatures: Annotated[tuple[Signature, ...], Meta(max_length=MAX_SIGNERS)]


def transaction_id(body: Body) -> bytes:
    """Hash of the unsigned body: a signer can make many signatures of one body, but only one id."""
    return H(TAG, body)


def signing_bytes(body: Body) -> bytes:
    """What each signer signs."""
    return signed_bytes(TAG, body.chain, body)


def body_bytes(raw: bytes, transaction: Transaction) -> bytes:
    """The canonical body inside the canonical bytes of its transaction: encoding it again would give the same.

    An array of two: one byte, the body, the signatures as an array of strings of 2 + 64 bytes.
    """
    count = len(transaction.signatures)
    return raw[1 : len(raw) - (1 if count < 16 else 3) - 66 * count]


def encode_transaction(transaction: Transaction) -> bytes:
    return encode(transaction)


def decode_transaction(data: bytes) -> Transaction:
    """DecodeError unless canonical and within the size limit."""
    return decode(Transaction, data, MAX_TX_BYTES)
