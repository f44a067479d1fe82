"""Everything that can be refused, in one tree.

    WattestError
    ├── DecodeError           bytes that are not the one canonical encoding of what they claim to be
    ├── CryptoError           a key or a signature that does not hold
    ├── StoreError            the data directory cannot be trusted or used
    ├── ExecutionDiffers      a final block gives another state here: this node must stop
    ├── ConsensusRefusal      a vote, quorum of votes, proposal or batch of blocks that does not hold
    └── Refusal               the ledger says no: a class, a stable code, the numbers, a sentence
        ├── FormRefusal       the transaction is badly made, whatever the state
        ├── AuthorityRefusal  the signer may not do this
        ├── StateRefusal      the state does not allow it (any more, or yet)
        └── BlockRefusal      a block as a whole is wrong

A refusal is `(code, params)`; `sentence` is the English text of the code and at the same time the message id
that translations are keyed by. Params are integers, strings or bytes, and never carry a secret.
Expected refusals raise; broken invariants assert and stop the node.
"""

from typing import ClassVar

from state.spoken import Param as Param
from state.spoken import spoken as spoken


class WattestError(Exception):
    """Root of everything this project raises on purpose."""

    code: ClassVar[str] = "error"
    sentence: ClassVar[str] = "Something was refused."

    def __init__(self, **params: Param) -> None:
        super().__init__(params)
        self.params: dict[str, Param] = params
        self.action_index: int | None = None  # which action of a transaction was refused, set by the transition

    def __str__(self) -> str:
        try:
            text = self.sentence.format(**spoken(self.params))
        except (KeyError, IndexError):
            text = self.sentence
        return f"{text} [{self.code}]"


class DecodeError(WattestError):
    code = "malformed"
    sentence = "The bytes are not a canonical encoding: {why}."


class CryptoError(WattestError):
    code = "crypto"
    sentence = "A key, signature or sealed text does not hold: {why}."


class StoreError(WattestError):
    code = "store"
    sentence = "The data directory cannot be used: {why}."
    exit_code: ClassVar[int] = 70  # disk


class HomeInUse(StoreError):
    """Like a port that is taken: nothing is damaged, so not a code after which a supervisor tries again (70)."""

    code = "home_in_use"
    sentence = "The data directory is in use: {why}."
    exit_code = 2


class StoreMismatch(StoreError):
    """`path` is the folder that is damaged, the state where it is not given (`node/remedies.py`)."""

    code = "store_mismatch"
    sentence = "The stored data do not fit together: {why}."
    exit_code = 71


class OtherNetwork(StoreMismatch):
    code = "other_network"
    sentence = "The stored data belong to another genesis: {why}."


class RolledBack(StoreMismatch):
    code = "rolled_back"
    sentence = "The stored data are older than the journal of this node: {why}."


class ExecutionDiffers(WattestError):
    code = "execution_differs"
    sentence = "Final block {height} {block} gives another result here: {why}."
    exit_code: ClassVar[int] = 72


class DiskFailed(StoreError):
    """A write or sync failed: nothing after it may be trusted, the node stops (exit code 70)."""

    code = "disk"
    sentence = "The disk failed: {why}. The node stops voting; free or replace the disk, then start it again."


class VoteStateLost(StoreError):
    """The journal of own votes is missing, damaged or older than the state: voting on could contradict a past vote."""

    code = "vote_state_lost"
    exit_code = 71
    sentence = "The record of this validator's own votes cannot be trusted: {why}."


class VotesElsewhere(StoreError):
    """The votes of this key were moved to another home: two homes that vote with one key are the clone attack."""

    code = "votes_elsewhere"
    exit_code = 71
    sentence = "This home must not vote: {why}."


class ConsensusRefusal(WattestError):
    code = "consensus_refused"
    sentence = "The message of a validator does not hold: {why}."


class Refusal(WattestError):
    code = "refused"


class FormRefusal(Refusal):
    code = "form"


class AuthorityRefusal(Refusal):
    code = "authority"


class StateRefusal(Refusal):
    code = "state"


class BlockRefusal(Refusal):
    code = "block"


# --- form


class WrongChain(FormRefusal):
    code = "wrong_chain"
    sentence = "The transaction is for chain {chain}, this is another network."


class Expired(FormRefusal):
    code = "expired"
    sentence = "The transaction was valid until height {expiry_height}; the ledger is at {height}."


class ExpiryTooFar(FormRefusal):
    code = "expiry_too_far"
    sentence = "The expiry height {expiry_height} is more than {limit} above {height}."


class BadSignature(FormRefusal):
    code = "bad_signature"
    sentence = "Signature {index} does not belong to the transaction and its signer."


class SignerMismatch(FormRefusal):
    code = "signer_mismatch"
    sentence = "The transaction needs the signatures of exactly its signers: {why}."


class BadField(FormRefusal):
    code = "bad_field"
    sentence = "The field {field} is not allowed: {why}."


class BadRange(FormRefusal):
    code = "bad_range"
    sentence = "The range {start}..{end} is empty, reversed or outside its bundle."


class BadNumber(FormRefusal):
    """`fault` names one of `faults`, and the other params are its numbers: so a translation can say it as well."""

    code = "bad_number"
    sentence = "{number} is not a certificate number: {why}."
    faults: ClassVar[dict[str, str]] = {
        "form": "it is not of the form WAT-DK-0001234-202611-000004567-16",
        "parts": "it has {count} parts between hyphens; a number has six, like WAT-DK-0001234-202611-000004567-16",
        "character": "place {place} holds {character}, which stands in no number",
        "letter": "place {place} holds the letter {character} where only a digit can stand",
        "digit": "place {place} holds the digit {character} where only a letter can stand",
        "registry": "its first part is {part}; the code of a registry has three letters",
        "country": "its second part is {part}; a country has two letters",
        "device": "its third part is {part}; a device has seven digits",
        "month_form": "its fourth part is {part}; a month is written as four digits of the year and two of the month",
        "serial": "its fifth part is {part}; a serial has 9, 12 or 15 digits, a range two of them with a slash between",
        "check_form": "it ends in {part}; the check digits are two",
        "check": "its check digits do not fit, so a character is mistyped",
        "month": "{month} is no month",
        "zero": "serials are counted from 1",
        "reversed": "its range is reversed or has a single number",
        "unfit": "its parts do not fit the format",
        "two_issues": "its range ends beyond {last}, the last certificate of its issue; a range lies in one issue",
        "other_registry": "the registry code is {right}, not {written}",
        "other_country": "the country is {right}, not {written}",
        "other_month": "the production month is {right}, not {written}",
        "other_width": "the width of the serial is {right}, not {written}",
    }

    @classmethod
    def of(cls, number: str, fault: str, **numbers: Param) -> "BadNumber":
        return cls(number=number, why=cls.faults[fault].format(**numbers), fault=fault, **numbers)


class BadStatementCode(FormRefusal):
    code = "bad_statement_code"
    sentence = "{code} is not the code of a statement: {why}."


class RangesDiffer(FormRefusal):
    code = "ranges_differ"
    sentence = "The certificates do not match: {why}."


class MoneyDiffers(FormRefusal):
    code = "money_differs"
    sentence = "The money of the inputs ({inputs}) does not cover what is needed ({needed})."


# --- authority


class NotRegistered(AuthorityRefusal):
    code = "not_registered"
    sentence = "The key {key} is not registered as a participant."


class MissingSignature(AuthorityRefusal):
    code = "missing_signature"
    sentence = "The current key of {role} {id} did not sign."


class NotYours(AuthorityRefusal):
    code = "not_yours"
    sentence = "Output {outpoint} is held by participant {holder}, not by {claimed}."


class RoleNeeded(AuthorityRefusal):
    code = "role_needed"
    sentence = "Participant {participant} needs the role {role} for this, accredited and in term."


class NotGovernance(AuthorityRefusal):
    code = "not_governance"
    sentence = "Validator {validator} votes on proposals with its governance key, which did not sign."


class QuorumMissing(AuthorityRefusal):
    code = "quorum_missing"
    sentence = "{count} valid attestations, the quorum is {quorum}."


class AttestationInvalid(AuthorityRefusal):
    code = "attestation_invalid"
    sentence = "The attestation of validator {validator} for day {day} does not hold: {why}."


# --- state


class Unknown(StateRefusal):
    code = "unknown"
    sentence = "There is no {what} {id}."


class NotHeld(StateRefusal):
    """It may well exist: this node dropped it, or began from a snapshot after it."""

    code = "not_held"
    sentence = "This node does not hold {what} {id}: its records begin at height {held_from}. Ask an archive node."


class Spent(StateRefusal):
    code = "spent"
    sentence = "Output {outpoint} is spent or never existed."


class Locked(StateRefusal):
    code = "locked"
    sentence = "Output {outpoint} is locked as {kind}; this needs an active one."


class Retired(StateRefusal):
    code = "retired"
    sentence = "The certificates of output {outpoint} were retired in block {height}."


class Lapsed(StateRefusal):
    code = "lapsed"
    sentence = "The certificates of output {outpoint} expired and left the ledger in block {height}."


class CertificateExpired(StateRefusal):
    code = "certificate_expired"
    sentence = "The certificates of {outpoint} could be {what} until {until}; the ledger's time is {now}."


class NotTradable(StateRefusal):
    code = "not_tradable"
    sentence = "Certificates of scheme {scheme} cannot be transferred{why}."


class AlreadyExists(StateRefusal):
    code = "already_exists"
    sentence = "{what} {id} already exists."


class TermOver(StateRefusal):
    code = "term_over"
    sentence = "The accreditation of {what} {id} ended at {until}; the ledger's time is {now}."


class ProposalClosed(StateRefusal):
    code = "proposal_closed"
    sentence = "Proposal {proposal} is {status}."


class AuctionPhase(StateRefusal):
    code = "auction_phase"
    sentence = "Auction {auction} is {phase}; this needs {needed}."


class ObligationOver(StateRefusal):
    code = "obligation_over"
    sentence = "What participant {buyer} owes in auction {auction} was due at {until}; the ledger's time is {now}."


class Suspended(StateRefusal):
    code = "suspended"
    sentence = "Participant {participant} left {count} obligations unpaid: no bids on margin until {until}."


class WrongClass(StateRefusal):
    code = "wrong_class"
    sentence = "The lot does not belong to the class of auction {auction}: {why}."


class OwnLot(StateRefusal):
    code = "own_lot"
    sentence = "Participant {participant} is the seller; nobody trades with himself."


class OpeningWrong(StateRefusal):
    code = "opening_wrong"
    sentence = "Order {order} of auction {auction} is not opened: {why}."


class PriceOutside(StateRefusal):
    code = "price_outside"
    sentence = "The price {price} is outside {floor}..{ceiling}."


class PriceWrong(StateRefusal):
    code = "price_wrong"
    sentence = "The settlement of auction {auction} differs from the recomputed one: {why}."


class AlreadyIssued(StateRefusal):
    code = "already_issued"
    sentence = "Energy of device {device}, day {day}, step {step} was already released."


class EnergyBound(StateRefusal):
    code = "energy_bound"
    sentence = "The release of day {day} claims {release_wh} Wh, the bound is {bound_wh} Wh."


class StepOrder(StateRefusal):
    code = "step_order"
    sentence = "Step {step} of the release of day {day} does not fit what is on the ledger: {why}."


class CarryDiffers(StateRefusal):
    code = "carry_differs"
    sentence = "The {field} of device {device} is {expected}, the action says {claimed}."


class DayAccepted(StateRefusal):
    code = "day_accepted"
    sentence = "Day {day} of device {device} was accepted; only a held or refused day can be objected to."


class NoDebt(StateRefusal):
    code = "no_debt"
    sentence = "Device {device} owes nothing: there is nothing to withdraw for."


class DebtOpen(StateRefusal):
    code = "debt_open"
    sentence = "Device {device} owes {debt_wh} Wh that were certified in error; until then its operator cannot do this."


class WrongCertificates(StateRefusal):
    code = "wrong_certificates"
    sentence = "These certificates cannot be withdrawn: {why}."


class NotYet(StateRefusal):
    code = "not_yet"
    sentence = "{what} is bound until {until}; the ledger's time is {now}."


class AmendLate(StateRefusal):
    code = "amend_late"
    sentence = "The words of statement {statement} could be amended until {until}; the ledger's time is {now}."


class NotHolder(AuthorityRefusal):
    code = "not_holder"
    sentence = "Statement {statement} is participant {holder}'s, not {claimed}'s."


class HandoverOver(StateRefusal):
    code = "handover_over"
    sentence = "What was handed over could be accepted until {until}; the ledger's time is {now}."


class ProfileMissing(StateRefusal):
    code = "profile_missing"
    sentence = "Device {device} has no signed baseline profile {profile}."


class StatementDiffers(StateRefusal):
    code = "statement_differs"
    sentence = "The statement hash differs from the one recomputed from the state."


class LimitReached(StateRefusal):
    code = "limit_reached"
    sentence = "The limit of {limit} {what} is reached."


class OwnOrder(StateRefusal):
    code = "own_order"
    sentence = "Participant {participant} already has a {side} in auction {auction}; nobody trades with himself."


class Disabled(StateRefusal):
    code = "disabled"
    sentence = "This network's genesis has no {what}."


# --- mempool (not consensus: this node's own bounds)


class Conflict(StateRefusal):
    code = "conflict"
    sentence = "Another waiting transaction already uses {what}."


class Duplicate(StateRefusal):
    code = "duplicate"
    sentence = "The transaction {txid} is already {where}."


class MempoolFull(StateRefusal):
    code = "mempool_full"
    sentence = "This node has {count} waiting transactions; try again later."


# --- block


class GenesisInvalid(BlockRefusal):
    code = "genesis_invalid"
    sentence = "The genesis is not usable: {why}."


class BlockInvalid(BlockRefusal):
    code = "block_invalid"
    sentence = "The block is not valid: {why}."


class UnknownBlock(BlockRefusal):
    code = "unknown_block"
    sentence = "Block {block} is not known here (yet)."


# --- readings


class RecordUnusable(WattestError):
    """A file of readings that is not in the seed's form; nothing of it was signed."""

    code = "record_unusable"
    sentence = "{file} is no record of readings: {why}."


class ReadingRefusal(WattestError):
    """A reading, a batch or a day close that intake refuses."""

    code = "reading_refused"
    sentence = "The reading is refused: {why}."


class BatchRefused(ReadingRefusal):
    code = "batch_refused"
    sentence = "The batch of readings is refused: {why}."


class NoCredential(ReadingRefusal):
    code = "no_credential"
    sentence = "No accredited credential of device {device} is on the ledger: {why}."


class WrongCredential(ReadingRefusal):
    code = "wrong_credential"
    sentence = "Device {device} is read by another credential: {why}."


class CredentialOver(ReadingRefusal):
    code = "credential_over"
    sentence = "The accreditation of {what} ended at {until}; the ledger's time is {now}."


class ReadingSignature(ReadingRefusal):
    code = "reading_signature"
    sentence = "The signature over the {what} of device {device} does not hold."


class OutOfOrder(ReadingRefusal):
    code = "out_of_order"
    sentence = "Reading {seq} of device {device} cannot follow {last_seq}."


class ChainBreak(ReadingRefusal):
    code = "chain_break"
    sentence = "Reading {seq} of device {device} names another predecessor than the one that is held."


class ReadingConflict(ReadingRefusal):
    code = "reading_conflict"
    sentence = "Reading {seq} of device {device} is held already, with another text; the last one held is {last_seq}."


class LateReading(ReadingRefusal):
    code = "late"
    sentence = "Day {day} of device {device} is closed; only a correction can add to it."


class FutureReading(ReadingRefusal):
    code = "future"
    sentence = "The time {timestamp} lies in the future of this node ({now})."


class RegisterFell(ReadingRefusal):
    code = "register_mismatch"
    sentence = (
        "The register of device {device} fell from {before_wh} to {register_wh} Wh at reading {seq}, which looks like "
        "{how}: go on from the last value, or send no register."
    )


class CloseConflict(ReadingRefusal):
    code = "close_conflict"
    sentence = "Day {day} of device {device} is closed already, with other contents."


class CloseDiffers(ReadingRefusal):
    code = "close_differs"
    sentence = "The close of day {day} of device {device} does not fit the readings held: {why}."


class UnknownUnit(ReadingRefusal):
    code = "unknown_unit"
    sentence = "This gateway reads no unit {unit}."


class UndeclaredChannel(ReadingRefusal):
    code = "undeclared_channel"
    sentence = "Unit {unit} was registered without {channel}: leave it out or send null, never a number."


class SpoolFull(ReadingRefusal):
    code = "spool_full"
    sentence = "{waiting} readings of unit {unit} wait for the validators; send it again later."


class IntakeBusy(ReadingRefusal):
    code = "intake_busy"
    sentence = "Too much is waiting to be stored ({waiting}); send it again later."


class ProfileDiffers(ReadingRefusal):
    code = "profile_differs"
    sentence = "The readings held of device {device} do not give the profile signed on the ledger."
