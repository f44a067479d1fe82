"""What a proposal may ask the consortium for: one type for each thing that only a quorum may decide."""

from typing import Annotated

from msgspec import Meta

from state.codec import Wire
from state.records import DeviceFacts, Scheme, Sessions
from state.units import U8, U32, U64, Code, Hash, Key, Name, Note, OptionalKey


class RoleContent(Wire, frozen=True, tag="role"):
    participant: U32
    role: Code
    until: U64


class DeviceContent(Wire, frozen=True, tag="device"):
    owner: U32
    scheme: U32
    facts: DeviceFacts
    until: U64


class GatewayContent(Wire, frozen=True, tag="gateway"):
    operator: U32
    key: Key
    until: U64


class MeterContent(Wire, frozen=True, tag="meter"):
    """A device's readings are signed by `key`, or by `gateway` for raw posts; exactly one of the two is named."""

    device: U32
    key: OptionalKey
    gateway: U32
    until: U64


class ProfileContent(Wire, frozen=True, tag="profile"):
    """The frozen baseline: hash of the profile that every approving validator recomputed over [from, to)."""

    device: U32
    profile_hash: Hash
    window_from: U64
    window_to: U64


class RecoverContent(Wire, frozen=True, tag="recover"):
    """A participant that lost its key gets another after a delay, unless it vetoes. The new key signs the proposal."""

    participant: U32
    key: Key
    reason: Note


class CorrectContent(Wire, frozen=True, tag="correct"):
    """What the energy of a judged day really was, after an error was proven. `revision` counts from 1."""

    device: U32
    day: U32
    revision: U8
    energy_wh: U64
    release_wh: U64  # of the whole day, as it should have been
    reason: Note
    evidence_hash: OptionalKey
    hours_wh: Annotated[tuple[U64, ...], Meta(max_length=24)] = ()  # what it adds by hour, in a granular scheme


class SchemeContent(Wire, frozen=True, tag="scheme"):
    """A new kind of certificates, or other terms for what will be issued of a known one, and when it is auctioned."""

    scheme: Scheme
    sessions: Sessions | None = None  # None = as it is


class ConsumptionMeterContent(Wire, frozen=True, tag="usage_meter"):
    """A meter of what its owner uses; the tag fits the code that events tell a proposal by."""

    owner: U32
    key: Key
    name: Name
    country: Code
    zone: Code
    until: U64


class RenewContent(Wire, frozen=True, tag="renew"):
    """A new term for what was accredited: `kind` is role:NAME, device, meter or gateway; `until` 0 revokes."""

    kind: Name  # role:payment_operator is longer than a code
    subject: U32
    until: U64


class ValidatorContent(Wire, frozen=True, tag="validator"):
    """An organisation's node joins the validators. Its participant key is the governance key. Proposed by itself."""

    participant: U32
    name: Name
    vote_key: Key
    node_key: Key
    escrow_key: Key
    address: Name  # host:port of its peer-to-peer listener


class RemoveValidatorContent(Wire, frozen=True, tag="remove_validator"):
    participant: U32


class RotateEscrowKeyContent(Wire, frozen=True, tag="rotate_escrow"):
    """Orders are sealed to a new key of a validator from the next epoch on. Proposed by itself."""

    participant: U32
    escrow_key: Key


class RotateVoteKeyContent(Wire, frozen=True, tag="rotate_vote_key"):
    """A validator votes with a new key from the next epoch on. Proposed by itself."""

    participant: U32
    vote_key: Key


ProposalContent = (
    RoleContent
    | DeviceContent
    | GatewayContent
    | MeterContent
    | ProfileContent
    | RenewContent
    | ValidatorContent
    | RemoveValidatorContent
    | RotateVoteKeyContent
    | RotateEscrowKeyContent
    | RecoverContent
    | CorrectContent
    | SchemeContent
    | ConsumptionMeterContent
)
