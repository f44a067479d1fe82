"""What an operator does about a node that does not start, or starts and does not vote: the lines behind the error.

An error says what is wrong and in which file. Here stands what to do about it, as a command to copy, and what must
never be done: most of all to vote without the record of one's own votes. What helps hangs on whether other validators
hold the same data: they do where there are several, and nobody does where there is one.
"""

import errno
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from node.config import Config, ConfigError, KeyNotNamed
from node.failures import KeyFileUnusable, WrongPassphrase
from node.genesis import read_genesis
from node.journal import FIRST_SEGMENT
from node.salvage import free_name
from state.errors import (
    DiskFailed,
    ExecutionDiffers,
    GenesisInvalid,
    HomeInUse,
    OtherNetwork,
    RolledBack,
    StoreError,
    StoreMismatch,
    VotesElsewhere,
    WattestError,
)

KEEP_THE_JOURNAL = (
    "delete, empty or put back an older data/journal: it is the record of this validator's own votes, and a validator "
    "that forgets them may contradict itself and lose its seat"
)
FULL = (os.strerror(errno.ENOSPC).lower(), os.strerror(errno.EDQUOT).lower())


@dataclass(frozen=True)
class Remedy:
    """`never` is empty where nothing can be made worse."""

    do: str
    never: str = ""

    def lines(self) -> str:
        """As they follow an error on stderr."""
        return f"do:    {self.do}" + (f"\nnever: {self.never}" if self.never else "")


def remedy_of(error: WattestError, config: Config) -> Remedy | None:
    """For an error that ended the node of a home; None where its own sentence says all."""
    match error:
        case HomeInUse():
            return Remedy(
                "stop that process, or leave it running: a home has one node",
                "delete data/lock or a LOCK file: two processes with one vote key are what validators lose a seat for",
            )
        case OtherNetwork():
            return Remedy(
                f"put the network's own {config.genesis} back, the same bytes as at every other validator; or name the "
                "home that belongs to this genesis with --home",
                "delete data/ to make it start: it belongs to the other network, with the votes that were made there",
            )
        case VotesElsewhere():
            return Remedy(
                f"run the validator where its votes went; or bring them back: {_wattest(config, 'import-votes FILE')}",
                "remove keys/vote.moved by hand: the validator would vote at two places",
            )
        case RolledBack():
            return Remedy(
                f"look for the folder that held the later blocks (data/state-damaged-N), put it back as data/state and "
                f"run {_wattest(config, 'salvage')} && {_start(config)}. {_copy_back(config.data / 'state')}",
                KEEP_THE_JOURNAL,
            )
        case StoreMismatch():
            return _damaged(config.data / Path(str(error.params.get("path", "state"))).name, config)
        case DiskFailed() | StoreError():
            return _disk(error, config)
        case ExecutionDiffers():
            return Remedy(
                "keep everything as it is and compare the version, this state root and the dump with the other "
                "validators: it is a bug or a bad machine",
                "restart it until it goes through: what it would serve is not what the others hold",
            )
        case GenesisInvalid():
            return Remedy(
                f"copy the network's own genesis to {config.genesis}: every other validator has the same bytes (of a "
                "network of `wattest testnet init` it lies in the folder above)",
                "mend it by hand: another byte is another network",
            )
        case WrongPassphrase():
            return Remedy("start it again with the passphrase that sealed the key, or put the key file's backup back")
        case KeyFileUnusable():
            return Remedy(
                f"mend what is said of the file, or put it back from your backup of {config.keys}, mode 0600 in a "
                "directory of 0700",
                "make a new vote or node key under the same name: the ledger names the old one and knows no other",
            )
        case KeyNotNamed():
            return Remedy(
                f"bring {config.keys} and {config.genesis} of one network together: from your backup, or the home that "
                "these keys belong to with --home"
            )
        case ConfigError() if "config.toml" in str(error):
            return Remedy(
                f"mend it by {_base(config)} config set NAME VALUE, or put {config.home / 'config.toml'} back from "
                "your backup"
            )
    return None


def _damaged(path: Path, config: Config) -> Remedy:
    if path.name.startswith("readings"):
        return _readings_damaged(config)
    aside, alone = f"{_aside(path)} && {_start(config)}", _is_alone(config)
    if not alone:
        return Remedy(
            f"{aside} -- the node executes again what its journal holds, fetches the rest from the other validators, "
            "and serves nothing before it is complete",
            KEEP_THE_JOURNAL,
        )
    if (config.data / "journal" / FIRST_SEGMENT).exists():
        return Remedy(f"{aside} -- the journal reaches back to block 1, the node executes it again", KEEP_THE_JOURNAL)
    return Remedy(
        f"{_wattest(config, 'salvage')} && {_start(config)} -- every block that can still be read is executed again, "
        f"and the journal leads on. {_copy_back(path)}",
        KEEP_THE_JOURNAL,
    )


def _copy_back(path: Path) -> str:
    return (
        f"Where that is not enough, put back a copy of {path} that was made while the node was stopped, and of nothing "
        "else. Without one nobody has the blocks, and the way out is a new genesis (docs/GOVERNANCE.md)"
    )


def _readings_damaged(config: Config) -> Remedy:
    """The readings, or the file that says how far they had come: both go, and both come again."""
    readings, reached = config.data / "readings", config.data / "readings-reached"
    moves = " && ".join(_aside(path) for path in (readings, reached) if path.exists())
    aside = f"{moves} && {_start(config)}" if moves else _start(config)
    never = f"delete or exchange single files of {readings}: the days would no longer be those that were closed"
    if not _is_alone(config):
        return Remedy(f"{aside} -- the node fetches the readings again from the other validators", never)
    return Remedy(
        f"put back a copy of {readings} that was made while the node was stopped. Without one: {aside} -- and start "
        "each plant's gateway once with --resend: it hands in again what its own log still holds; no other validator "
        "has these readings",
        never,
    )


def _disk(error: WattestError, config: Config) -> Remedy:
    if any(words in str(error).lower() for words in FULL):
        return Remedy(
            f"{_wattest(config, 'free-reserve')} -- then make more room on that disk, and {_start(config)}",
            "delete anything else below data/ to make room",
        )
    return Remedy(
        f"look at the disk and at who may read it (df, dmesg, ls -l {shlex.quote(str(config.data))}), then "
        f"{_start(config)}; after a change of disk move the whole home",
        KEEP_THE_JOURNAL,
    )


def votes_unknown(lost: str, aside: Path | None, epoch_length: int, needed: int, started: bool) -> tuple[str, Remedy]:
    """What is said of a validator that does not know its own votes, and the remedy.

    `aside` holds what is left of the journal, `needed` other validators must report before it votes again, `started`
    that this key is known to have voted.
    """
    kept = "" if aside is None else f" What is left of it is kept in {aside}."
    what = f"This validator does not vote, it only follows: {lost}.{kept}"
    if not needed:
        do = (
            "its ledger can still be read here, but with this key it will never vote again on this network, and no "
            "other validator exists: the network stands, and the way out is a new genesis from the last final state "
            "(docs/GOVERNANCE.md)"
        )
    elif epoch_length:
        do = f"let it run: it votes again two epochs above the highest that {needed} other validators report"
    else:
        do = (
            "let it run and follow: with this key it will never vote again on this network (epoch_length is 0, one "
            "epoch for ever). The others go on while a quorum of them is left; with too few the way out is a new "
            "genesis from the last final state (docs/GOVERNANCE.md)"
        )
    if aside is not None:
        do += ". If the undamaged journal turns up, on a disk that was not mounted, stop the node, put it back, start"
    if not started:
        do += ". If the key has never voted on any machine, stop the node and run `wattest node begin-votes` once"
    return what, Remedy(do, KEEP_THE_JOURNAL)


def _is_alone(config: Config) -> bool:
    """Whether this network began with one validator; what the ledger says of it now may not be readable."""
    try:
        genesis, _ = read_genesis(config.genesis)
    except GenesisInvalid:
        return False
    return len(genesis.validators) == 1


def _aside(path: Path) -> str:
    return f"mv {shlex.quote(str(path))} {shlex.quote(str(free_name(path)))}"


def _base(config: Config) -> str:
    return f"wattest --home {shlex.quote(str(config.home))}"


def _start(config: Config) -> str:
    return _wattest(config, "start")


def _wattest(config: Config, verb: str) -> str:
    return f"{_base(config)} node {verb}"
