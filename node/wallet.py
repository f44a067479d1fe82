"""What a wallet does without a network: choose outputs, build bodies, sign them, carry them between signers.

Nothing here asks a node. Holdings and the tip come in as values, so a wallet that is offline builds and signs the same
bytes. The chain id lies inside the body and in front of the signed bytes: a signature holds on one network only.
"""

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from node.failures import KeystoreError
from node.keystore import PrivateKey
from state.codec import decode, encode
from state.crypto import signed_bytes, verify
from state.errors import BadField, DecodeError, MoneyDiffers, RangesDiffer, SignerMismatch, WrongChain
from state.outputs import Bundle, Funds, quantity
from state.spoken import counted, format_money
from state.transaction import (
    Action,
    Body,
    Payment,
    Piece,
    Register,
    Transaction,
    Transfer,
    encode_transaction,
    signing_bytes,
    transaction_id,
)
from state.units import MAX_ACTIONS, MAX_TX_BYTES, Outpoint

EXPIRY_AHEAD = 1_000  # blocks: minutes on a busy network, hours on an idle one
MAX_INPUTS = 256  # of one action
FILE_SCHEMA = "transaction_file/1"
MAX_U64 = 2**64 - 1
_LIMITS = re.compile(r"^Expected `(?:int|str|bytes|array)`(?: of)? ")  # `Expected `int` <= 255` says `<= 255`
READ_TAG = "wattest/read"  # as `node/api/access.py` has it

Held = TypeVar("Held", Bundle, Funds)


@dataclass(frozen=True)
class Holding(Generic[Held]):
    """A live output and where it lies; `number` is its certificate number in text, where it has one."""

    outpoint: Outpoint
    output: Held
    number: str = ""


@dataclass(frozen=True)
class Wanted:
    """A range of certificates of one device, both ends inclusive."""

    device: int
    start: int
    end: int


Bundles = Sequence[Holding[Bundle]]
Chosen = list[tuple[Holding[Bundle], int, int]]  # a bundle and the part of it that is wanted
Promised = list[tuple[int, Holding[Bundle], int, int]]  # the same, with who gets it


# --- bodies and signatures


def build_body(chain: bytes, signers: Iterable[bytes], actions: Sequence[Action], tip: int) -> Body:
    """A body that expires 1,000 blocks after `tip`, with fresh salt. Machine actions take no signers.

    BadField names what no ledger could store, before anybody is asked to sign it.
    """
    if not 1 <= len(actions) <= MAX_ACTIONS:
        raise BadField(field="actions", why=f"1 to {MAX_ACTIONS} of them, not {len(actions)}")
    for action in actions:
        _require_storable(action)
    return Body(
        chain=chain,
        signers=tuple(dict.fromkeys(signers)),
        actions=tuple(actions),
        expiry_height=tip + EXPIRY_AHEAD,
        salt=secrets.token_bytes(8),
    )


def _require_storable(action: Action) -> None:
    """Every number and text of the action fits its field; the error's path of places becomes the field's name."""
    try:
        decode(Action, encode(action))  # type: ignore[arg-type]
    except OverflowError:
        raise BadField(field=_too_large(action) or "number", why=f"at most {MAX_U64}") from None
    except DecodeError as error:
        why, _, path = str(error.params["why"]).partition(" - at `$")
        found: Any = action
        name = "action"
        for place in map(int, re.findall(r"\[(\d+)\]", path)):
            if isinstance(found, msgspec.Struct):
                tagged = found.__struct_config__.tag is not None
                name = found.__struct_fields__[place - tagged]
                found = getattr(found, name)
            else:
                found = found[place]
        limit = _LIMITS.sub("", why).replace(">=", "at least").replace("<=", "at most")
        raise BadField(field=name.replace("_", " "), why=limit) from None


def _too_large(value: object) -> str:
    """The field of the first number that is no u64."""
    for name in value.__struct_fields__ if isinstance(value, msgspec.Struct) else ():
        inner = getattr(value, name)
        if isinstance(inner, int) and not 0 <= inner <= MAX_U64:
            return name.replace("_", " ")
        for one in inner if isinstance(inner, tuple) else (inner,):
            if deeper := _too_large(one):
                return deeper
    return ""


def sign_transaction(body: Body, keys: Sequence[PrivateKey]) -> Transaction:
    """The transaction with one signature per signer of the body, in their order; SignerMismatch when a key is missing.

    A key that is bound to another network refuses to sign.
    """
    by_public = {key.public: key for key in keys}
    missing = [public.hex()[:16] for public in body.signers if public not in by_public]
    if missing:
        raise SignerMismatch(why=f"the key {', '.join(missing)}… is missing")
    return Transaction(body, tuple(sign_body(body, by_public[public]) for public in body.signers))


def sign_body(body: Body, key: PrivateKey) -> bytes:
    if key.chain and key.chain != body.chain.hex():
        raise KeystoreError(why=f"{key.name} belongs to network {key.chain[:8]}…, this is {body.chain.hex()[:8]}…")
    return key.sign(signing_bytes(body))


def register_key(key: bytes, name: str, country: str, recovery_key: bytes = b"") -> Register:
    return Register(key=key, name=name, country=country, recovery_key=recovery_key)


def reader_header(key: PrivateKey, chain: bytes, participant: int, until: int) -> str:
    """Who is reading, for a node's API: it shows a participant what is not for everybody (docs/ACCESS.md)."""
    return f"{participant}:{until}:{key.sign(signed_bytes(READ_TAG, chain, (participant, until))).hex()}"


# --- a transaction on its way between signers


class TransactionFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """JSON: the body's canonical bytes in hex, and a signature for each public key that signed so far."""

    schema: str
    chain: str
    body: str
    signatures: dict[str, str]


def draft(body: Body) -> TransactionFile:
    return TransactionFile(FILE_SCHEMA, body.chain.hex(), encode(body).hex(), {})


def parse_file(data: bytes) -> TransactionFile:
    """DecodeError for anything but a transaction file of this version whose body is canonical."""
    try:
        content = msgspec.json.decode(data, type=TransactionFile)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:  # ValueError: not UTF-8
        raise DecodeError(why=f"not a transaction file: {str(error)[:200]}") from None
    if content.schema != FILE_SCHEMA:
        raise DecodeError(why=f"schema {content.schema!r}, expected {FILE_SCHEMA!r}")
    if body_of(content).chain.hex() != content.chain:
        raise DecodeError(why="the chain beside the body is not the one inside it")
    return content


def format_file(content: TransactionFile) -> str:
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


def body_of(content: TransactionFile) -> Body:
    return decode(Body, _unhex(content.body, "body"), MAX_TX_BYTES)


def missing_signers(content: TransactionFile) -> list[bytes]:
    """Signers whose signature is absent or does not hold, in the order of the body."""
    body = body_of(content)
    message = signing_bytes(body)
    return [
        public
        for public in body.signers
        if not verify(public, message, _unhex(content.signatures.get(public.hex(), ""), "signature"))
    ]


def add_signature(content: TransactionFile, key: PrivateKey, chain: bytes) -> TransactionFile:
    """The file with one more signature. WrongChain unless the signer expects this very network."""
    body = body_of(content)
    if body.chain != chain:
        raise WrongChain(chain=body.chain)
    if key.public not in body.signers:
        raise SignerMismatch(why=f"{key.name or key.public.hex()[:16]} is not one of its {len(body.signers)} signers")
    signatures = {**content.signatures, key.public.hex(): sign_body(body, key).hex()}
    return msgspec.structs.replace(content, signatures=signatures)


def complete(content: TransactionFile) -> Transaction:
    """The signed transaction; SignerMismatch names the first signer who is missing."""
    missing = missing_signers(content)
    if missing:
        names = ", ".join(public.hex()[:16] + "…" for public in missing)
        raise SignerMismatch(why=f"{len(missing)} missing: {names}")
    body = body_of(content)
    return Transaction(body, tuple(bytes.fromhex(content.signatures[public.hex()]) for public in body.signers))


def raw_and_id(transaction: Transaction) -> tuple[bytes, str]:
    """What is handed to a node, and the id that it will be known by."""
    return encode_transaction(transaction), transaction_id(transaction.body).hex()


def _unhex(text: str, what: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise DecodeError(why=f"the {what} is not hexadecimal") from None


# --- choosing


def choose_ranges(holdings: Bundles, wanted: Sequence[Wanted]) -> Chosen:
    """The bundles, and the part of each, that cover exactly the wanted ranges; RangesDiffer where one is not held."""
    chosen: Chosen = []
    for want in wanted:
        position = want.start
        for holding in sorted(holdings, key=lambda held: held.output.start):
            bundle = holding.output
            if bundle.device == want.device and bundle.start <= position <= bundle.end and position <= want.end:
                end = min(bundle.end, want.end)
                chosen.append((holding, position, end))
                position = end + 1
        if position <= want.end:
            raise RangesDiffer(why=f"certificates {position}..{want.end} of device {want.device} are not yours to move")
    return chosen


def choose_quantity(holdings: Bundles, count: int) -> Chosen:
    """`count` certificates, those that die first first; RangesDiffer when there are not as many."""
    if count < 1:
        raise BadField(field="quantity", why="at least 1")
    chosen: Chosen = []
    left = count
    for holding in sorted(holdings, key=lambda held: (held.output.retire_until, held.output.device, held.output.start)):
        if not left:
            break
        taken = min(left, quantity(holding.output))
        chosen.append((holding, holding.output.start, holding.output.start + taken - 1))
        left -= taken
    if left:
        raise RangesDiffer(why=f"you hold {counted(count - left, 'certificate')} of this kind, wanted: {count}")
    return chosen


def choose_funds(holdings: Sequence[Holding[Funds]], currency: str, amount: int) -> tuple[Outpoint, ...]:
    """Outputs of one currency that cover `amount`, largest first so that few are needed; MoneyDiffers when short."""
    own = [held for held in holdings if held.output.currency == currency]
    chosen: list[Outpoint] = []
    covered = 0
    for held in sorted(own, key=lambda held: (-held.output.amount, held.outpoint)):
        if covered >= amount:
            break
        chosen.append(held.outpoint)
        covered += held.output.amount
    if covered < amount or not chosen:
        raise MoneyDiffers(inputs=format_money(covered, currency), needed=format_money(amount, currency))
    if len(chosen) > MAX_INPUTS:
        raise BadField(field="inputs", why=f"{len(chosen)} pieces of money are needed, one action takes {MAX_INPUTS}")
    return tuple(chosen)


# --- transfers


def transfer(sender: int, to: int, chosen: Chosen, payment: Payment | None = None) -> list[Transfer]:
    """One transfer per issuance and history: the chosen parts go to `to`, what is left of each bundle comes back.

    A payment needs everything in one action, so that both legs are one; RangesDiffer when that is impossible.
    """
    return transfers(sender, [(to, *part) for part in chosen], payment)


def transfers(sender: int, promised: Promised, payment: Payment | None = None) -> list[Transfer]:
    """The same for several receivers: parts of one bundle move in one action, which alone can spend it."""
    groups: dict[tuple[int, int], Promised] = {}
    for part in promised:
        groups.setdefault((part[1].output.issuance, part[1].output.transfers), []).append(part)
    if payment is not None and len(groups) > 1:
        raise RangesDiffer(why="certificates of several issuances cannot be sold in one payment; name those of one")
    return [
        Transfer(
            sender=sender,
            inputs=tuple(dict.fromkeys(holding.outpoint for _, holding, _, _ in parts)),
            pieces=tuple(_pieces(sender, parts)),
            payment=payment,
        )
        for parts in groups.values()
    ]


def _pieces(sender: int, parts: Promised) -> list[Piece]:
    """What is given, and what is left of each bundle: to oneself a part splits its bundle, neighbours merge theirs."""
    given: list[Piece] = []
    left: list[Piece] = []
    for point in dict.fromkeys(holding.outpoint for _, holding, _, _ in parts):
        own = sorted((start, end, to) for to, holding, start, end in parts if holding.outpoint == point)
        bundle = next(holding.output for _, holding, _, _ in parts if holding.outpoint == point)
        position = bundle.start
        for start, end, to in own:
            if start > position:
                left.append(Piece(sender, position, start - 1))
            given.append(Piece(to, start, end))
            position = end + 1
        if position <= bundle.end:
            left.append(Piece(sender, position, bundle.end))
    return sorted(_joined(given) + _joined(left), key=lambda piece: piece.start)


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Neighbours for one receiver as one piece."""
    joined: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: piece.start):
        if joined and (joined[-1].to, joined[-1].end + 1) == (piece.to, piece.start):
            joined[-1] = Piece(piece.to, joined[-1].start, piece.end)
        else:
            joined.append(piece)
    return joined
