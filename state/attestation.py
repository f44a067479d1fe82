"""What a validator signs about one device's day: the verdict that it computed itself (FORMATS: readings)."""

from typing import Annotated, Literal

from msgspec import Meta

from state.codec import Wire
from state.crypto import signed_bytes
from state.units import U8, U16, U32, U64, Code, Hash, OptionalKey, Signature

ACCEPT, HOLD, REJECT = 0, 1, 2
VERDICT_NAMES: tuple[Literal["accept"], Literal["hold"], Literal["reject"]] = ("accept", "hold", "reject")
PROMPT, D30, D90, CORRECTION = 0, 1, 2, 3  # steps of a day's release: contracts/release.py, contracts/correct.py
STEP_DAYS = (7, 30, 90)  # the first three wait until their device has closed a day as many days later

TAG = "wattest/attest"


class Attestation(Wire, frozen=True):
    """Equal byte for byte among the q validators whose signatures an issue carries."""

    epoch: U64
    device: U32
    day: U32  # days since 1970, UTC
    step: U8  # 0 prompt, 1 d30, 2 d90, 3 correction
    revision: U8
    readings_root: Hash
    inputs_root: Hash  # of the neighbours' days that were heard (contracts/hearing.py); zeros where none were
    profile_hash: OptionalKey  # empty where the device has no signed profile
    verifier_version: U16
    verdict: U8
    reasons: Annotated[tuple[Code, ...], Meta(max_length=32)]  # sorted codes
    release_wh: U64
    energy_wh: U64
    hours_wh: Annotated[tuple[U64, ...], Meta(max_length=24)] = ()  # the release by hour, in a granular scheme


class SignedBy(Wire, frozen=True):
    validator: U16  # index in the set of the attestation's epoch
    signature: Signature


def attestation_bytes(chain: bytes, attestation: Attestation) -> bytes:
    """What the vote key signs."""
    return signed_bytes(TAG, chain, attestation)
