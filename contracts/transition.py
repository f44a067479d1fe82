"""The state transition: a block, its transactions, their actions.

    apply_block -> sweep, then apply_transaction for each -> check and apply of each action, in order -> end_epoch

A transaction holds as a whole or not at all. The KINDS table is the list of what can be done on this ledger; every
entry is a file of this package with the same shape: `check` raises each refusal in order, `apply` spends, creates and
announces, `describe` says it in words.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from contracts import (
    accredit,
    amend,
    appeal,
    auction,
    bid,
    consumption,
    correct,
    deposit,
    evidence,
    handing,
    issue,
    keys,
    listing,
    offer,
    open_shares,
    pay,
    payout,
    register,
    replacing,
    retire,
    reveal,
    security,
    settle,
    standing,
    standing_bids,
    transfer,
)
from contracts.context import BlockEnvironment, BlockOutput, Context
from contracts.expire import sweep
from contracts.membership import end_epoch
from state.crypto import H, signed_prefix, verify
from state.errors import (
    BadSignature,
    BlockInvalid,
    Expired,
    ExpiryTooFar,
    NotRegistered,
    Refusal,
    SignerMismatch,
    WrongChain,
)
from state.keyspace import (
    amendment_key,
    appeal_key,
    auction_key,
    auction_order_key,
    consumption_key,
    equivocation_key,
    escrow_shares_key,
    former_key,
    key_owner_key,
    obligation_key,
    once_key,
    output_key,
    participant_key,
    proposal_key,
    recovery_key,
    reference_key,
    release_key,
    standing_bid_key,
    standing_key,
    statement_key,
)
from state.overlay import Overlay, Snapshot
from state.records import Participant
from state.spoken import Said
from state.transaction import (
    TAG,
    Action,
    Amend,
    AnswerAppeal,
    AnswerHandover,
    AskPayout,
    Buy,
    Cancel,
    ConfirmPayout,
    Default,
    Deposit,
    DropPayout,
    EndStanding,
    EndStandingBid,
    Evidence,
    FileAppeal,
    HandOver,
    Issue,
    ListLot,
    NameRecovery,
    OpenAuction,
    OpenShares,
    Pay,
    Payout,
    PlaceBid,
    PlaceOffer,
    PlaceStandingBid,
    Pledge,
    Propose,
    RecoverContent,
    RecoverKey,
    Register,
    Replace,
    ReportConsumption,
    Retire,
    Reveal,
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
    body_bytes,
    decode_transaction,
    transaction_id,
)
from state.units import (
    MAX_BLOCK_ACTIONS,
    MAX_BLOCK_BYTES,
    MAX_EXPIRY_AHEAD,
    REGISTER_PER_BLOCK,
    SETTLE_PER_BLOCK,
    SHARES_PER_BLOCK,
    SIGNER_PER_BLOCK,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table: how an action is checked, applied and said in words."""

    name: str
    check: Callable[[Context, Any], None]
    apply: Callable[[Context, Any], None]
    describe: Callable[[Any], Said]


KINDS: dict[type[Action], Kind] = {
    Register: Kind("register", register.check, register.apply, register.describe),
    Propose: Kind("propose", accredit.check_propose, accredit.apply_propose, accredit.describe_propose),
    Vote: Kind("vote", accredit.check_vote, accredit.apply_vote, accredit.describe_vote),
    Deposit: Kind("deposit", deposit.check_deposit, deposit.apply_deposit, deposit.describe_deposit),
    Payout: Kind("payout", deposit.check_payout, deposit.apply_payout, deposit.describe_payout),
    AskPayout: Kind("ask_payout", payout.check_ask, payout.apply_ask, payout.describe_ask),
    ConfirmPayout: Kind("confirm_payout", payout.check_confirm, payout.apply_confirm, payout.describe_confirm),
    DropPayout: Kind("drop_payout", payout.check_drop, payout.apply_drop, payout.describe_drop),
    Issue: Kind("issue", issue.check, issue.apply, issue.describe),
    Transfer: Kind("transfer", transfer.check, transfer.apply, transfer.describe),
    Retire: Kind("retire", retire.check, retire.apply, retire.describe),
    OpenAuction: Kind("open_auction", auction.check_open, auction.apply_open, auction.describe_open),
    PlaceOffer: Kind("offer", offer.check, offer.apply, offer.describe),
    PlaceBid: Kind("bid", bid.check, bid.apply, bid.describe),
    Cancel: Kind("cancel", auction.check_cancel, auction.apply_cancel, auction.describe_cancel),
    Replace: Kind("replace", replacing.check, replacing.apply, replacing.describe),
    Reveal: Kind("reveal", reveal.check, reveal.apply, reveal.describe),
    OpenShares: Kind("open_shares", open_shares.check, open_shares.apply, open_shares.describe),
    Settle: Kind("settle", settle.check, settle.apply, settle.describe),
    VoidAuction: Kind("void", settle.check_void, settle.apply_void, settle.describe_void),
    Pay: Kind("pay", pay.check, pay.apply, pay.describe),
    Default: Kind("default", pay.check_default, pay.apply_default, pay.describe_default),
    ListLot: Kind("list", listing.check_list, listing.apply_list, listing.describe_list),
    Buy: Kind("buy", listing.check_buy, listing.apply_buy, listing.describe_buy),
    PlaceStandingBid: Kind(
        "standing_bid", standing_bids.check_place, standing_bids.apply_place, standing_bids.describe_place
    ),
    EndStandingBid: Kind(
        "end_standing_bid", standing_bids.check_end, standing_bids.apply_end, standing_bids.describe_end
    ),
    Evidence: Kind("evidence", evidence.check, evidence.apply, evidence.describe),
    FileAppeal: Kind("appeal", appeal.check_file, appeal.apply_file, appeal.describe_file),
    AnswerAppeal: Kind("answer_appeal", appeal.check_answer, appeal.apply_answer, appeal.describe_answer),
    Amend: Kind("amend", amend.check, amend.apply, amend.describe),
    HandOver: Kind("hand_over", handing.check_hand_over, handing.apply_hand_over, handing.describe_hand_over),
    AnswerHandover: Kind("answer_handover", handing.check_answer, handing.apply_answer, handing.describe_answer),
    SetStanding: Kind("set_standing", standing.check_set, standing.apply_set, standing.describe_set),
    EndStanding: Kind("end_standing", standing.check_end, standing.apply_end, standing.describe_end),
    Withdraw: Kind("withdraw", correct.check_withdraw, correct.apply_withdraw, correct.describe_withdraw),
    Pledge: Kind("pledge", security.check_pledge, security.apply_pledge, security.describe_pledge),
    Unpledge: Kind("unpledge", security.check_unpledge, security.apply_unpledge, security.describe_unpledge),
    ReportConsumption: Kind("report_consumption", consumption.check, consumption.apply, consumption.describe),
    RotateKey: Kind("rotate_key", keys.check_rotate, keys.apply_rotate, keys.describe_rotate),
    NameRecovery: Kind("name_recovery", keys.check_name, keys.apply_name, keys.describe_name),
    RecoverKey: Kind("recover_key", keys.check_recover, keys.apply_recover, keys.describe_recover),
    VetoRecovery: Kind("veto_recovery", keys.check_veto, keys.apply_veto, keys.describe_veto),
    RotateCredential: Kind("rotate_credential", keys.check_credential, keys.apply_credential, keys.describe_credential),
}


class DecodedTx(msgspec.Struct, frozen=True, gc=False):
    """A signed transaction beside the bytes it came in. `key` names those bytes, signatures included."""

    raw: bytes
    transaction: Transaction
    txid: bytes
    key: bytes

    @property
    def body_actions(self) -> tuple[Action, ...]:
        return self.transaction.body.actions


def decode_signed(raw: bytes, key: bytes | None = None) -> DecodedTx:
    """DecodeError unless `raw` is one canonical signed transaction. `key` is its cache key, where it is known."""
    transaction = decode_transaction(raw)
    return DecodedTx(raw, transaction, H(TAG, body_bytes(raw, transaction)), key or cache_key(raw))


def cache_key(raw: bytes) -> bytes:
    """BLAKE2b of the full signed bytes: never the body alone, or a bad signature could ride on a good one."""
    return blake2b(raw, digest_size=32).digest()


def verify_signatures(decoded: DecodedTx) -> None:
    """BadSignature or SignerMismatch. Independent of the state, so its result can be cached by `decoded.key`."""
    body, signatures = decoded.transaction.body, decoded.transaction.signatures
    signers = body.signers
    if len(signers) != len(signatures):
        raise SignerMismatch(why=f"{len(signers)} signers, {len(signatures)} signatures")
    if len(signers) > 1 and len(set(signers)) != len(signers):
        raise SignerMismatch(why="a signer is named twice")
    message = signed_prefix(TAG, body.chain) + body_bytes(decoded.raw, decoded.transaction)
    for index, (signer, signature) in enumerate(zip(signers, signatures, strict=True)):
        if not verify(signer, message, signature):
            raise BadSignature(index=index)


# --- block


def apply_block(overlay: Overlay, environment: BlockEnvironment, transactions: Sequence[DecodedTx]) -> BlockOutput:
    """Execute a whole block on `overlay`. Any refusal makes the block invalid: BlockInvalid names the transaction.

    Signatures are the caller's business (verified once per node, ever).
    """
    limits = BlockLimits()
    output = BlockOutput()
    sweep(overlay, environment, output)
    for index, decoded in enumerate(transactions):
        if not limits.admit(decoded):
            raise BlockInvalid(why=f"transaction {index} is beyond the limits of a block")
        try:
            apply_transaction(overlay, environment, decoded, output)
        except Refusal as refusal:
            raise BlockInvalid(why=f"transaction {index}: {refusal}") from refusal
    end_epoch(overlay, environment, output)
    return output


def build_block(
    overlay: Overlay, environment: BlockEnvironment, candidates: Iterable[DecodedTx]
) -> tuple[list[DecodedTx], BlockOutput, list[tuple[DecodedTx, Refusal]]]:
    """Fill a block from `candidates` in order: (chosen, output, refused). What does not fit is left for the next."""
    limits = BlockLimits()
    output = BlockOutput()
    chosen: list[DecodedTx] = []
    refused: list[tuple[DecodedTx, Refusal]] = []
    sweep(overlay, environment, output)
    for decoded in candidates:
        if not limits.fits(decoded):
            continue
        try:
            apply_transaction(overlay, environment, decoded, output)
        except Refusal as refusal:
            refused.append((decoded, refusal))
        else:
            limits.count(decoded)
            chosen.append(decoded)
    end_epoch(overlay, environment, output)
    return chosen, output, refused


class BlockLimits:
    """What one block may hold: bytes, actions, registrations, settlements, shares, and transactions of one signer."""

    BODY_RESERVE = 4_096  # header and framing of the block, beside its transactions

    def __init__(self) -> None:
        self.bytes = self.BODY_RESERVE
        self.actions = 0
        self.registrations = 0
        self.settlements = 0
        self.shares = 0
        self.signers: dict[bytes, int] = {}

    def admit(self, decoded: DecodedTx) -> bool:
        """Count it in; False and nothing counted if it does not fit."""
        if not self.fits(decoded):
            return False
        self.count(decoded)
        return True

    def count(self, decoded: DecodedTx) -> None:
        """Count in what was found to fit."""
        body, signers = decoded.transaction.body, self.signers
        self.bytes += len(decoded.raw) + 8
        self.actions += len(body.actions)
        self.registrations += _number_of(Register, body.actions)
        self.settlements += _number_of(Settle, body.actions)
        self.shares += _shares_in(body.actions)
        for signer in body.signers:
            signers[signer] = signers.get(signer, 0) + 1

    def fits(self, decoded: DecodedTx) -> bool:
        body = decoded.transaction.body
        if self.bytes + len(decoded.raw) + 8 > MAX_BLOCK_BYTES or self.actions + len(body.actions) > MAX_BLOCK_ACTIONS:
            return False
        if self.registrations + _number_of(Register, body.actions) > REGISTER_PER_BLOCK:
            return False
        if self.settlements + _number_of(Settle, body.actions) > SETTLE_PER_BLOCK:
            return False
        if self.shares + _shares_in(body.actions) > SHARES_PER_BLOCK:
            return False
        signers = self.signers
        return max([signers.get(signer, 0) for signer in body.signers], default=0) < SIGNER_PER_BLOCK


def _number_of(kind: type[Action], actions: tuple[Action, ...]) -> int:
    count = 0
    for action in actions:
        if type(action) is kind:
            count += 1
    return count


def _shares_in(actions: tuple[Action, ...]) -> int:
    return sum(len(action.shares) for action in actions if type(action) is OpenShares)


# --- transaction


def apply_transaction(
    overlay: Overlay, environment: BlockEnvironment, decoded: DecodedTx, output: BlockOutput | None = None
) -> None:
    """All actions or none; the refusal carries the index of the action that failed."""
    body = decoded.transaction.body
    check_form(environment, decoded)
    context = Context(overlay, environment, decoded.txid, body.signers)
    overlay.begin()
    index = 0
    try:
        _check_signers(overlay, body.signers, body.actions)
        for index, action in enumerate(body.actions):
            kind = KINDS[type(action)]
            context.enter(index, kind.name)
            kind.check(context, action)
            kind.apply(context, action)
        context.finish(limited=bool(body.signers))
    except Refusal as refusal:
        overlay.rollback()
        refusal.action_index = index
        raise
    overlay.commit()
    if output is not None:
        output.events.extend(context.events)
        output.movements.extend(context.movements)


def check_transaction(state: Snapshot, environment: BlockEnvironment, decoded: DecodedTx) -> None:
    """Whether the transaction would hold on `state` as it is; nothing is changed. What admission asks."""
    apply_transaction(Overlay(state), environment, decoded)


def check_form(environment: BlockEnvironment, decoded: DecodedTx) -> None:
    body = decoded.transaction.body
    if body.chain != environment.chain:
        raise WrongChain(chain=body.chain.hex())
    if environment.height > body.expiry_height:
        raise Expired(expiry_height=body.expiry_height, height=environment.height)
    if body.expiry_height > environment.height + MAX_EXPIRY_AHEAD:
        raise ExpiryTooFar(expiry_height=body.expiry_height, limit=MAX_EXPIRY_AHEAD, height=environment.height)


def _check_signers(overlay: Overlay, signers: tuple[bytes, ...], actions: tuple[Action, ...]) -> None:
    """Nobody unknown signs: each key is a participant's current one, or one that an action here is about."""
    for signer in signers:
        if overlay.get(key_owner_key(signer)) is None and not any(
            signer in _own_keys(overlay, action) for action in actions
        ):
            raise NotRegistered(key=signer.hex())


def _own_keys(overlay: Overlay, action: Action) -> tuple[bytes, ...]:
    """Keys that an action itself brings along: of who registers, rotates or recovers."""
    match action:
        case Register() | RotateKey():
            return (action.key,)
        case RecoverKey():
            return action.recovery_key, action.key
        case VetoRecovery():
            return (action.recovery_key,)
        case NameRecovery():
            participant = overlay.get(participant_key(action.participant))
            return (participant.recovery_key,) if isinstance(participant, Participant) else ()
        case RotateCredential():
            return action.former, action.key
        case Propose(content=RecoverContent() as content):
            return (content.key,)
        case OpenShares():
            return open_shares.signers_for(overlay, action)
    return ()


# --- for the mempool and for people


def conflict_keys(transaction: Transaction) -> frozenset[bytes]:
    """Outputs that the transaction spends and keys that it creates: two that share one can never both be final."""
    keys: set[bytes] = set()
    for index, action in enumerate(transaction.body.actions):
        match action:
            case Register():
                keys.add(key_owner_key(action.key))
            case Vote():
                keys.add(proposal_key(action.proposal) + action.validator.to_bytes(2, "big"))
            case Deposit():
                keys.add(reference_key("deposit", action.operator, action.reference))
            case Payout():
                keys.add(reference_key("payout", action.operator, action.reference))
                keys.update(output_key(point) for point in action.inputs)
            case ConfirmPayout():
                keys.update((reference_key("payout", action.operator, action.reference), output_key(action.request)))
            case DropPayout():
                keys.add(output_key(action.request))
            case Issue():
                keys.update(
                    release_key(judged.device, judged.day, judged.step, judged.revision)
                    for judged in (attested.attestation for attested in action.days)
                )
            case Transfer():
                keys.update(output_key(point) for point in action.inputs)
                if action.payment is not None:
                    keys.update(output_key(point) for point in action.payment.inputs)
            case Retire():
                keys.update(output_key(retired.outpoint) for retired in action.ranges)
                keys.add(statement_key(action.statement_hash[:16]))
            case Cancel() | HandOver() | AnswerHandover() | Unpledge() | ListLot():
                keys.add(output_key(action.outpoint))
            case PlaceOffer() | Replace():
                keys.update(output_key(point) for point in (action.outpoint, *action.inputs))
            case Reveal():
                keys.add(auction_order_key(action.auction, action.order))
            case Pay():
                keys.update(output_key(point) for point in action.inputs)
                if action.operator:
                    keys.add(reference_key("deposit", action.operator, action.reference))
            case Default():
                keys.add(obligation_key(action.auction, action.buyer))
            case OpenShares():
                keys.add(escrow_shares_key(action.auction, action.epoch, action.validator, action.page))
            case Buy():
                keys.update(output_key(point) for point in (action.listing, *action.inputs))
            case EndStandingBid():
                keys.add(standing_bid_key(action.scheme, action.number))
            case Withdraw():
                keys.update(output_key(taken.outpoint) for taken in action.ranges)
            case ReportConsumption():
                keys.add(consumption_key(action.meter, action.day))
            case Amend():
                keys.add(amendment_key(action.statement))
            case EndStanding():
                keys.add(standing_key(action.device, action.number))
            case PlaceBid() | Pledge() | PlaceStandingBid() | AskPayout():
                keys.update(output_key(point) for point in action.inputs)
            case Settle() | VoidAuction():
                keys.add(auction_key(action.auction))
            case Evidence():
                keys.add(equivocation_key(action.epoch, action.signer))
            case RotateKey() | RecoverKey():
                keys.update((key_owner_key(action.key), participant_key(action.participant)))
            case RotateCredential():
                keys.add(former_key(action.former))
            case FileAppeal():
                keys.add(appeal_key(action.device, action.day, action.step, action.revision) + b"f")
            case AnswerAppeal():
                keys.add(appeal_key(action.device, action.day, action.step, action.revision) + b"a")
            case NameRecovery():
                keys.add(participant_key(action.participant))
            case VetoRecovery():
                keys.add(recovery_key(action.participant))
            case Propose() | OpenAuction() | SetStanding():
                keys.add(once_key(transaction_id(transaction.body), index))
    return frozenset(keys)


def describe(action: Action) -> Said:
    """The action in words: the same sentence in the wallet, the dashboard and the public pages."""
    return KINDS[type(action)].describe(action)


def kind_name(action: Action) -> str:
    return KINDS[type(action)].name
