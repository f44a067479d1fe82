"""The data directory of a node: one process at a time, on the machine where its votes were written.

HOME/data/lock             held by the running process
HOME/data/host             which machine and directory the journal was written on
HOME/data/running          there while the node runs: found at start, it was not stopped but died
HOME/keys/vote-….started  beside the vote key: a journal was begun for it. Without that journal it must not vote again
"""

import fcntl
import os
import socket
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

from node.config import Config
from state.errors import StoreError

MACHINE_ID = Path("/etc/machine-id")


class DataDirectory:
    """Held exclusively between `enter` and `leave`."""

    def __init__(self, config: Config) -> None:
        self.path = config.data
        self._keys = config.keys
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise StoreError(why=f"another process runs the node of {config.home}; stop it first") from None
        self.was_killed = (self.path / "running").exists()
        (self.path / "running").touch(mode=0o600)

    def __enter__(self) -> "DataDirectory":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """After a failure the mark stays, so that the next start audits the state."""
        if kind is None:
            (self.path / "running").unlink(missing_ok=True)
        os.close(self._lock)

    @property
    def moved(self) -> bool:
        """Whether the directory was last used on another machine or under another inode: copied or restored."""
        try:
            return (self.path / "host").read_text() != self._host()
        except FileNotFoundError:
            return False

    def settle(self) -> None:
        """From now on this machine and directory are the ones."""
        (self.path / "host").write_text(self._host())

    def vote_key_started(self, public: bytes) -> bool:
        return self._mark(public).exists()

    def mark_vote_key_started(self, public: bytes) -> None:
        self._mark(public).touch(mode=0o600)

    def _mark(self, public: bytes) -> Path:
        return self._keys / f"vote-{public.hex()[:16]}.started"

    def _host(self) -> str:
        machine = MACHINE_ID.read_text() if MACHINE_ID.exists() else ""
        found = self.path.stat()
        text = f"{machine or socket.gethostname()} {found.st_dev} {found.st_ino}"
        return blake2b(text.encode(), digest_size=16).hexdigest()
