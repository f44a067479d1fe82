"""The beginning: a JSON text that fixes chain, parameters, schemes, codes and the first validators, and its state.

The chain id is the hash of the canonical JSON, so no two networks share a signature. docs/GENESIS.md documents every
field. Pure: bytes in, state out.
"""

import json
import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from contracts.countries import require_country
from contracts.membership import MAX_VALIDATORS
from contracts.register import require_exchange_key, require_key, require_text
from contracts.schemes import MAX_DAYS, TONNE, avoiding_wh, problem
from state.block import VERSION, Header, tx_root, validators_hash
from state.codec import Wire, decode, encode
from state.crypto import H
from state.errors import DecodeError, GenesisInvalid, Refusal
from state.keyspace import (
    DEPOSIT_LIMIT_KEY,
    PARAMETERS_KEY,
    counter_key,
    key_owner_key,
    participant_key,
    scheme_key,
    validator_key,
)
from state.overlay import Overlay, Snapshot
from state.records import Counter, EnergyCode, Expiry, KeyOwner, Parameters, Participant, Role, Scheme, Terms, Validator
from state.units import DAY_S, MAX_AMOUNT, MINOR_UNIT

FORMAT = 1
MAX_BYTES = 1024 * 1024
SHORTEST_EPOCH = 8  # blocks for each validator: everybody leads several times before the set may change
NO_PARENT = bytes(32)
URL = re.compile(r"https?://[A-Za-z0-9.\-]{1,100}(:[0-9]{1,5})?(/[A-Za-z0-9._~\-]{1,40}){0,4}")

_Hex32 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An object of the genesis: every field present, none unknown."""


class GenesisExpiry(_Strict, frozen=True):
    basis: str
    trade_months: int
    retire_months: int


class GenesisEmission(_Strict, frozen=True):
    """Emissions of the electricity that a certificate's replaces, and who says so."""

    g_per_kwh: Annotated[int, Meta(ge=0, le=5_000)]  # grams of CO2 equivalent
    source: Annotated[str, Meta(min_length=1, max_length=160)]


class GenesisScheme(_Strict, frozen=True):
    id: int
    name: str
    unit: str
    face_value_wh: int
    serial_digits: int
    currency: str
    expiry: GenesisExpiry
    tradable: bool
    max_transfers: int
    issue_rule: str
    release_shares: tuple[int, int, int]
    late_days: int
    close_days: int
    hold_days: int
    gsrn_check: bool = True  # false: 18 digits are enough, as some registries give them out
    emission: GenesisEmission | None = None  # of no rule: statements say what was avoided where it is there


class GenesisParameters(_Strict, frozen=True):
    name: str
    registry_code: Annotated[str, Meta(pattern="^[A-Z]{3}$")]
    epoch_length: Annotated[int, Meta(ge=0)]
    idle_interval_ms: Annotated[int, Meta(ge=100)]
    min_interval_ms: Annotated[int, Meta(ge=1)]
    delta_ms: Annotated[int, Meta(ge=1)]
    max_outputs: Annotated[int, Meta(ge=1)]
    deposit_limit: Annotated[int, Meta(ge=0)] = 0  # millionths; 0: none


class GenesisTerms(_Strict, frozen=True):
    recovery_delay_s: int
    appeal_s: int
    amend_s: int
    debt_s: int
    forfeit_to: int


class GenesisFeatures(_Strict, frozen=True):
    issuing: bool
    auctions: bool


class GenesisCode(_Strict, frozen=True):
    code: str
    name: str


class GenesisPair(_Strict, frozen=True):
    technology: str
    fuels: tuple[str, ...]


class GenesisCodes(_Strict, frozen=True):
    technologies: tuple[GenesisCode, ...]
    fuels: tuple[GenesisCode, ...]
    pairs: tuple[GenesisPair, ...]


class GenesisValidator(_Strict, frozen=True):
    name: str
    country: str
    vote_key: _Hex32
    node_key: _Hex32
    escrow_key: _Hex32
    governance_key: _Hex32
    address: str


class Genesis(_Strict, frozen=True):
    format: int
    timestamp_ms: Annotated[int, Meta(ge=0)]
    features: GenesisFeatures
    parameters: GenesisParameters
    terms: GenesisTerms
    schemes: tuple[GenesisScheme, ...]
    energy_codes: GenesisCodes
    roles: tuple[str, ...]
    validators: tuple[GenesisValidator, ...]
    public_urls: Annotated[tuple[str, ...], Meta(max_length=16)] = ()  # where nodes show the public pages


def parse_genesis(data: bytes) -> Genesis:
    """The genesis of a network that can start; GenesisInvalid says what is wrong with it."""
    genesis: Genesis
    try:
        genesis = msgspec.convert(load_json(data), Genesis, strict=True)
    except msgspec.ValidationError as error:
        raise GenesisInvalid(why=str(error)) from None
    if genesis.format != FORMAT:
        raise GenesisInvalid(why=f"format {genesis.format}, this version reads {FORMAT}")
    if not genesis.validators:
        raise GenesisInvalid(
            why="it has no validators: this is the reference genesis, and a network needs its own, "
            "with its validators filled in: by `wattest testnet init`, or by hand as docs/OPERATING.md shows"
        )
    try:
        _check_validators(genesis)
        _check_parameters(genesis)
        for scheme in genesis.schemes:
            _check_scheme(scheme)
        _check_urls(genesis.public_urls)
        _check_storable(genesis)
    except Refusal as refusal:
        if isinstance(refusal, GenesisInvalid):
            raise
        raise GenesisInvalid(why=str(refusal)) from None
    return genesis


def load_json(data: bytes) -> Any:
    """Objects, arrays, strings, integers and booleans only; no duplicate keys."""
    if len(data) > MAX_BYTES:
        raise GenesisInvalid(why=f"{len(data)} bytes, the limit is {MAX_BYTES}")
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_float=_no_number, parse_constant=_no_number
        )
        _refuse_null(value)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise GenesisInvalid(why=f"not JSON: {error}") from None
    return value


def chain_id(value: Any) -> bytes:
    """Hash of the genesis' canonical JSON: sorted keys, no spaces, ASCII."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return H("wattest/genesis", text.encode("ascii"))


def genesis_state(genesis: Genesis, empty: Snapshot) -> Overlay:
    """The state that header 0 commits: parameters, schemes, the validators and their organisations."""
    overlay = Overlay(empty)
    overlay.put(PARAMETERS_KEY, _parameters(genesis))
    for scheme in genesis.schemes:
        overlay.put(scheme_key(scheme.id), _scheme(scheme))
    for index, validator in enumerate(genesis.validators):
        number = index + 1
        organisation = _organisation(number, validator, genesis)
        overlay.put(participant_key(number), organisation)
        overlay.put(key_owner_key(organisation.key), KeyOwner(number))
        overlay.put(validator_key(index), _validator(index, number, validator))
    overlay.put(counter_key("participant"), Counter(len(genesis.validators) + 1))
    if genesis.parameters.deposit_limit:
        overlay.put(DEPOSIT_LIMIT_KEY, Counter(genesis.parameters.deposit_limit))
    return overlay


def genesis_header(genesis: Genesis, state_root: bytes) -> Header:
    keys = validators_hash(tuple(bytes.fromhex(validator.vote_key) for validator in genesis.validators))
    return Header(VERSION, 0, 0, NO_PARENT, genesis.timestamp_ms, 0, tx_root(()), state_root, keys, keys)


# --- checks


def _check_validators(genesis: Genesis) -> None:
    if len(genesis.validators) > MAX_VALIDATORS:
        raise GenesisInvalid(why=f"{len(genesis.validators)} validators, the limit is {MAX_VALIDATORS}")
    for kind in ("vote_key", "node_key", "governance_key", "escrow_key"):
        keys = [getattr(validator, kind) for validator in genesis.validators]
        if len(set(keys)) != len(keys):
            raise GenesisInvalid(why=f"two validators share a {kind}")
        for key in keys:
            (require_exchange_key if kind == "escrow_key" else require_key)(kind, bytes.fromhex(key))
    for validator in genesis.validators:
        require_text("name", validator.name)
        require_country("country", validator.country)


def _check_parameters(genesis: Genesis) -> None:
    shortest = SHORTEST_EPOCH * len(genesis.validators)
    if 0 < genesis.parameters.epoch_length < shortest:
        raise GenesisInvalid(why=f"epoch_length is 0 (one epoch for ever) or at least {shortest}, 8 for each validator")
    limit = genesis.parameters.deposit_limit
    if limit > MAX_AMOUNT or limit % MINOR_UNIT:
        raise GenesisInvalid(
            why=f"deposit_limit is a multiple of {MINOR_UNIT} millionths (the minor unit), or 0 = none"
        )
    terms = msgspec.structs.asdict(genesis.terms)
    if not 1 <= terms.pop("forfeit_to") <= len(genesis.validators):
        raise GenesisInvalid(why="terms.forfeit_to is the number of an organisation behind a validator, from 1 on")
    for field, seconds in terms.items():
        if not 0 <= seconds <= MAX_DAYS * DAY_S:
            raise GenesisInvalid(why=f"terms.{field} is 0 to {MAX_DAYS * DAY_S} seconds")
    if not set(genesis.roles) <= set(Role):
        raise GenesisInvalid(why=f"roles are {', '.join(Role)}")
    identities = [scheme.id for scheme in genesis.schemes]
    if len(set(identities)) != len(identities):
        raise GenesisInvalid(why="two schemes share an id")


def _check_scheme(scheme: GenesisScheme) -> None:
    if scheme.emission is not None:
        require_text("source of the emission factor", scheme.emission.source)
    why = problem(_scheme(scheme))
    if why is not None:
        raise GenesisInvalid(why=f"scheme {scheme.id}: {why}")
    factor = 0 if scheme.emission is None else scheme.emission.g_per_kwh
    if scheme.unit == TONNE and scheme.face_value_wh != avoiding_wh(factor):
        raise GenesisInvalid(why=f"scheme {scheme.id}: 1 tCO2e is 10^9 Wh by g_per_kwh of its emission, rounded up")


def _check_urls(urls: tuple[str, ...]) -> None:
    for url in urls:
        if not URL.fullmatch(url):
            raise GenesisInvalid(why=f"public_urls: {url[:60]!r} is no http(s) address without a slash at its end")
    if len(set(urls)) != len(urls):
        raise GenesisInvalid(why="public_urls names an address twice")


def _check_storable(genesis: Genesis) -> None:
    """Every record of the genesis state can be read back: no number or text beyond its field."""
    try:
        records: list[Wire] = [_parameters(genesis), *(_scheme(scheme) for scheme in genesis.schemes)]
        for index, validator in enumerate(genesis.validators):
            records += (_validator(index, index + 1, validator), _organisation(index + 1, validator, genesis))
        for record in records:
            decode(type(record), encode(record))
    except (DecodeError, OverflowError) as error:
        raise GenesisInvalid(why=str(error)) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not an integer")


def _refuse_null(value: Any) -> None:
    match value:
        case None:
            raise GenesisInvalid(why="null is not allowed")
        case dict():
            for item in value.values():
                _refuse_null(item)
        case list():
            for item in value:
                _refuse_null(item)


# --- records


def _parameters(genesis: Genesis) -> Parameters:
    given = genesis.parameters
    return Parameters(
        name=given.name,
        registry_code=given.registry_code,
        epoch_length=given.epoch_length,
        idle_interval_ms=given.idle_interval_ms,
        min_interval_ms=given.min_interval_ms,
        delta_ms=given.delta_ms,
        max_outputs=given.max_outputs,
        issuing=genesis.features.issuing,
        auctions=genesis.features.auctions,
        energy_codes=tuple(_energy_code(code, genesis.energy_codes) for code in genesis.energy_codes.technologies),
        terms=Terms(
            genesis.terms.recovery_delay_s,
            genesis.terms.appeal_s,
            genesis.terms.amend_s,
            genesis.terms.debt_s,
            genesis.terms.forfeit_to,
        ),
    )


def _energy_code(code: GenesisCode, codes: GenesisCodes) -> EnergyCode:
    """A technology with the listed fuels that pair with it."""
    prefixes = [fuel for pair in codes.pairs if code.code.startswith(pair.technology) for fuel in pair.fuels]
    fuels = tuple(fuel.code for fuel in codes.fuels if any(fuel.code.startswith(prefix) for prefix in prefixes))
    return EnergyCode(code.code, code.name, fuels)


def _scheme(given: GenesisScheme) -> Scheme:
    return Scheme(
        id=given.id,
        name=given.name,
        unit=given.unit,
        face_value=given.face_value_wh,
        serial_digits=given.serial_digits,
        currency=given.currency,
        expiry=Expiry(given.expiry.basis, given.expiry.trade_months, given.expiry.retire_months),
        tradable=given.tradable,
        max_transfers=given.max_transfers,
        issue_rule=given.issue_rule,
        release_shares=given.release_shares,
        late_days=given.late_days,
        close_days=given.close_days,
        hold_days=given.hold_days,
        gsrn_check=given.gsrn_check,
    )


def _organisation(number: int, given: GenesisValidator, genesis: Genesis) -> Participant:
    """Behind each validator stands a participant, known by the governance key."""
    key = bytes.fromhex(given.governance_key)
    return Participant(number, key, given.name, given.country, b"", genesis.timestamp_ms // 1000)


def _validator(index: int, participant: int, given: GenesisValidator) -> Validator:
    return Validator(
        index=index,
        participant=participant,
        name=given.name,
        vote_key=bytes.fromhex(given.vote_key),
        node_key=bytes.fromhex(given.node_key),
        escrow_key=bytes.fromhex(given.escrow_key),
        governance_key=bytes.fromhex(given.governance_key),
        address=given.address,
    )
