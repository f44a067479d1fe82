"""The data directory of a node: one process at a time, on the machine where its votes were written.

HOME/data/lock         held by the running process, whose pid stands in it
HOME/data/host         which machine and directory the journal was written on
HOME/data/running      there while the node runs: found at start, it was not stopped but died
HOME/keys/vote.started beside the vote key: a journal was begun for it. Without that journal it must not vote again
HOME/keys/vote.moved   its votes were exported to another home: it votes there, and never here
"""

import fcntl
import os
import socket
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

from node.config import Config
from node.faults import RealDisk
from state.errors import HomeInUse

MACHINE_ID = Path("/etc/machine-id")


def unsettle(config: Config) -> None:
    """The next start counts as one after a move: its validator listens before it votes."""
    (config.data / "host").unlink(missing_ok=True)
    RealDisk().sync_directory(config.data)


class DataDirectory:
    """Held exclusively between `enter` and `leave`."""

    def __init__(self, config: Config, working: bool = True) -> None:
        """`working`: a node runs in it. A command that only looks or moves leaves the mark of its last stop alone."""
        self.path = config.data
        self._working = working
        self._started = config.keys / "vote.started"
        self._moved = config.keys / "vote.moved"
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            why = f"another process{self._holder()} runs the node of {config.home}; stop it first"
            os.close(self._lock)
            raise HomeInUse(why=why) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, b"%d\n" % os.getpid(), 0)
        self.was_killed = (self.path / "running").exists()
        self.had_state = (self.path / "state").exists()  # before this start
        if working:
            (self.path / "running").touch(mode=0o600)

    def __enter__(self) -> "DataDirectory":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """After a failure the mark stays, so that the next start audits the state."""
        if kind is None and self._working:
            (self.path / "running").unlink(missing_ok=True)
        os.close(self._lock)

    @property
    def moved(self) -> bool:
        """Whether the directory was last used on another machine or under another inode: copied or restored.

        A state without the mark counts as moved too: every node leaves the mark at its first start.
        """
        try:
            return (self.path / "host").read_bytes() != self._host().encode()
        except FileNotFoundError:
            return self.had_state

    def settle(self) -> None:
        """From now on this machine and directory are the ones."""
        (self.path / "host").write_text(self._host())

    @property
    def vote_key_started(self) -> bool:
        return self._started.exists()

    def mark_vote_key_started(self) -> None:
        if not self._started.exists():
            self._started.touch(mode=0o600)
            self._sync_keys()

    @property
    def votes_exported(self) -> bool:
        return self._moved.exists()

    def mark_votes_exported(self) -> None:
        self._moved.touch(mode=0o600)
        self._sync_keys()

    def unmark_votes_exported(self) -> None:
        self._moved.unlink(missing_ok=True)
        self._sync_keys()

    def _holder(self) -> str:
        """As the holder itself wrote it: in a container it may be another number outside."""
        text = os.pread(self._lock, 20, 0).strip()
        return f" (pid {int(text)})" if text.isdigit() else ""

    def _sync_keys(self) -> None:
        """A mark that a power cut takes back would let a key vote that must not."""
        RealDisk().sync_directory(self._started.parent)

    def _host(self) -> str:
        machine = MACHINE_ID.read_text() if MACHINE_ID.exists() else ""
        found = self.path.stat()
        text = f"{machine or socket.gethostname()} {found.st_dev} {found.st_ino}"
        return blake2b(text.encode(), digest_size=16).hexdigest()
