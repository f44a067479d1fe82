"""Whether this validator may vote, and from which epoch on: the rule for votes that were forgotten (consensus.md 7.4).

Votes are kept in one place, HOME/data/journal, and whoever votes without it may contradict itself. Votes are scoped by
epoch. So a validator without its journal observes until an epoch in which it cannot have voted (`node/amnesia.py`).

    wattest node begin-votes    a new key: nothing was ever signed with it. Once a key, on the operator's word
    wattest node export-votes   the votes leave this home for another machine; this home never votes with them again
    wattest node import-votes   they arrive; the rule above holds, whatever the file says

With `epoch_length` 0 there is no later epoch: a validator without its journal never votes again on that network.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consensus.records import HeldQuorum, JournalRecord, OwnVote
from consensus.votes import FINALIZE, Quorum, Vote
from node.config import Config
from node.faults import Disk
from node.genesis import read_genesis
from node.home import DataDirectory
from node.journal import UNSETTLED, Journal, journal_key
from node.keystore import key_path, read_key_file
from state.codec import decode, encode
from state.errors import DecodeError, DiskFailed, VotesElsewhere, VoteStateLost

SCHEMA = "votes/1"
VOTE_KEY, NEXT_VOTE_KEY = "vote", "vote-next"  # names of a validator's key, and of the one that it rotates to
MAX_FILE_BYTES = 64 * 1024 * 1024


def open_votes(
    config: Config, data: DataDirectory, chain: bytes, key: bytes, tip: tuple[int, int, int], in_office: bool = True
) -> Journal:
    """The journal of a vote key. `tip` is (epoch, view, height) of the newest block of the state; a key that waits for
    office, or has left it, keeps no pace with it.

    Where its votes cannot be trusted the old journal is moved aside and a new one begun that does not vote yet: see
    `Journal.lost` for the reason. VotesElsewhere where they were exported from here.
    """
    directory = journal_of(config.data, key)
    if data.votes_exported:
        raise VotesElsewhere(
            why=f"the votes of this key were exported from {config.home}; import them where the validator lives now, "
            "or here with `wattest node import-votes` if it came back"
        )
    try:
        journal = Journal.open(directory, chain, key)
        if in_office:
            _check_not_older(journal, tip)
    except VoteStateLost as lost:
        aside = _set_aside(directory)
        journal = Journal.create(directory, chain, key, UNSETTLED, epoch=tip[0])
        journal.lost, journal.set_aside = str(lost.params["why"]), aside
        return journal
    if journal.header.valid_from_epoch != UNSETTLED:
        if directory.name == "journal":
            data.mark_vote_key_started()
    else:
        journal.lost = "its votes were lost or imported, and it has not yet learnt from which epoch on it may vote"
    return journal


def learn_final(
    directory: Path,
    chain: bytes,
    key: bytes,
    tip: tuple[int, int, int],
    finalization: Quorum,
    torn: Callable[[], None],
    disk: Disk | None = None,
) -> bool:
    """Before a snapshot replaces the state, of which `tip` is the newest block: the journal of a key that knows its
    votes learns the Finalization of the new one, or it would look older than the state. False where nothing was
    written: the journal is missing, damaged or was older already, and opening it will say so.

    `torn` is called where a torn end was cut off: whoever opens it next does not see that any more, and has to listen.
    """
    if not Journal.exists(directory):
        return False
    try:
        journal = Journal.open(directory, chain, key, disk)
    except VoteStateLost:
        return False
    try:
        _check_not_older(journal, tip)
        if journal.torn:
            torn()
        journal.append([encode(HeldQuorum(finalization))])
        journal.finish()
    except VoteStateLost:
        return False
    finally:
        journal.close()
    return True


def journal_of(data: Path, key: bytes) -> Path:
    """DATA/journal is the first key's; a key that comes later has a directory of its own name beside it."""
    own, first = data / f"journal-{key.hex()[:16]}", data / "journal"
    if Journal.exists(own):
        return own
    return first if journal_key(first) in (None, key) else own


def _check_not_older(journal: Journal, tip: tuple[int, int, int]) -> None:
    """The Finalization of a block is synced in the journal before the block is stored, so the state is never ahead.

    A segment's header says how far the state was when it began: a journal that was begun anew on a state holds none of
    its Finalizations, and must not be taken for an older one when the node starts again before the next block.
    """
    epoch, view, height = tip
    if not height or journal.header.valid_from_epoch == UNSETTLED:
        return
    views = [
        (quorum.epoch, quorum.view)
        for quorum in (record.quorum for record in _records(journal) if isinstance(record, HeldQuorum))
        if quorum.kind == FINALIZE
    ]
    if max([(journal.header.epoch, journal.header.final_view), *views]) < (epoch, view):
        raise VoteStateLost(why=f"the state is at view {view}, the journal is older: it was restored or cut")


def _records(journal: Journal) -> list[JournalRecord]:
    return [decode(JournalRecord, record) for record in journal.recovered]  # type: ignore[arg-type]


def _set_aside(directory: Path) -> Path | None:
    """Keep what is left of a journal for whoever looks into it; where."""
    if not directory.exists():
        return None
    number = 1
    while (aside := directory.with_name(f"journal-lost-{number}")).exists():
        number += 1
    try:
        directory.rename(aside)
    except OSError as error:
        raise DiskFailed(why=f"{error.strerror} at {directory}") from error
    return aside


# --- the operator's acts: the node of the home must be stopped


def begin_next_votes(config: Config) -> Path:
    """The journal of the key that this home has just made to rotate to; its node may run."""
    chain, key = _identity(config, NEXT_VOTE_KEY)
    directory = config.data / f"journal-{key.hex()[:16]}"
    Journal.create(directory, chain, key).close()
    return directory


def begin_votes(config: Config) -> Path:
    """The first journal of a key that never voted; VoteStateLost where this home has a record that it did."""
    chain, key = _identity(config)
    directory = journal_of(config.data, key)
    with DataDirectory(config, working=False) as data:
        if data.votes_exported:
            raise VotesElsewhere(why=f"the votes of this key were exported from {config.home}")
        if Journal.exists(directory) and not _is_unsettled(directory, chain, key):
            raise VoteStateLost(why=f"{directory} holds votes already; begin-votes is for a key that never voted")
        if data.vote_key_started:
            raise VoteStateLost(why=f"the key of {config.home} has voted before, a new journal would forget its votes")
        _set_aside(directory)
        Journal.create(directory, chain, key).close()
        data.mark_vote_key_started()
    return directory


@dataclass(frozen=True)
class Moved:
    """What an export holds, for the operator to compare on both machines."""

    votes: int
    epoch: int
    final_height: int


def export_votes(config: Config, target: Path) -> Moved:
    """Write the last votes to `target`, and never vote in this home again. Nothing is overwritten."""
    chain, key = _identity(config)
    directory = journal_of(config.data, key)
    with DataDirectory(config, working=False) as data:
        if data.votes_exported:
            raise VotesElsewhere(why=f"the votes of this key were exported from {config.home} before")
        journal = Journal.open(directory, chain, key)
        journal.close()
        records = _records(journal)
        votes = [record.vote for record in records if isinstance(record, OwnVote)]
        epoch = max((record.epoch for record in records), default=journal.header.epoch)
        moved = Moved(len(votes), max(epoch, journal.header.epoch), journal.stored.height)
        content = {
            "schema": SCHEMA,
            "chain": chain.hex(),
            "vote_key": key.hex(),
            "epoch": moved.epoch,
            "final_height": moved.final_height,
            "votes": [encode(vote).hex() for vote in votes],
        }
        # In this order: a crash between the two leaves a home that does not vote and a file that is whole.
        data.mark_votes_exported()
        try:
            _write_new(target, json.dumps(content, indent=1).encode("ascii") + b"\n")
        except BaseException:
            data.unmark_votes_exported()
            raise
    return moved


def import_votes(config: Config, source: Path) -> Moved:
    """Begin a journal with the votes of `source`; it votes once the rule at the top of this module lets it."""
    chain, key = _identity(config)
    directory = journal_of(config.data, key)
    moved, votes = parse_votes(_read(source), chain, key)
    with DataDirectory(config, working=False) as data:
        if Journal.exists(directory) and not data.votes_exported and not _is_unsettled(directory, chain, key):
            raise VoteStateLost(why=f"{directory} holds votes of this home itself, which an import would forget")
        _set_aside(directory)
        journal = Journal.create(directory, chain, key, UNSETTLED, epoch=moved.epoch)
        if votes:
            journal.append([encode(OwnVote(vote)) for vote in votes])
        journal.sync()
        journal.close()
        data.mark_vote_key_started()
        data.unmark_votes_exported()
    return moved


def parse_votes(content: bytes, chain: bytes, key: bytes) -> tuple[Moved, list[Vote]]:
    """The votes of an exported file of this chain and key; VoteStateLost for anything else."""
    try:
        value = json.loads(content)
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            raise ValueError(f"its schema is not {SCHEMA}")
        epoch, height = _number(value, "epoch"), _number(value, "final_height")
        votes = [decode(Vote, bytes.fromhex(vote)) for vote in value["votes"]]
        named = (bytes.fromhex(value["chain"]), bytes.fromhex(value["vote_key"]))
    except (ValueError, TypeError, KeyError, RecursionError, DecodeError) as error:
        raise VoteStateLost(why=f"the file is no export of votes ({str(error)[:200]})") from None
    if named != (chain, key):
        raise VoteStateLost(why="the file holds the votes of another key or of another network")
    return Moved(len(votes), max([epoch, *(vote.epoch for vote in votes)]), height), votes


def _number(value: dict[str, Any], name: str) -> int:
    number = value[name]
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**63:
        raise ValueError(f"{name} is no whole number")
    return number


def _identity(config: Config, name: str = VOTE_KEY) -> tuple[bytes, bytes]:
    """Chain and public vote key of a home, which both stand in the clear."""
    _, chain = read_genesis(config.genesis)
    return chain, bytes.fromhex(read_key_file(key_path(config.keys, name)).pubkey)


def _is_unsettled(directory: Path, chain: bytes, key: bytes) -> bool:
    """Whether the journal there has never voted: begun by the amnesia rule, or under another key as an observer."""
    try:
        journal = Journal.open(directory, chain, key)
    except VoteStateLost:
        return False
    journal.close()
    return journal.header.valid_from_epoch == UNSETTLED


def _read(source: Path) -> bytes:
    try:
        with source.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise VoteStateLost(why=f"{source} cannot be read ({error.strerror})") from None
    if len(content) > MAX_FILE_BYTES:
        raise VoteStateLost(why=f"{source} is larger than any export of votes")
    return content


def _write_new(path: Path, content: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        directory = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except FileExistsError:
        raise VoteStateLost(why=f"{path} exists already; an export is never overwritten") from None
    except OSError as error:
        raise DiskFailed(why=f"{error.strerror} at {path}") from error
