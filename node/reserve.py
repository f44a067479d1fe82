"""Room on the disk that a node holds back for itself, so that a full disk can be recovered from.

LevelDB and the journal must write before they can be opened at all, so a node that stopped on a full disk (exit 70)
could not even start to be repaired. `wattest node free-reserve` deletes HOME/data/reserve; the node then starts, and
takes the room back as soon as there is enough of it again.
"""

import errno
import os
import shutil
from pathlib import Path

from state.errors import DiskFailed

NAME = "reserve"
MIB = 1024 * 1024
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def hold(data: Path, size_bytes: int) -> bool:
    """Hold `size_bytes` in `data`, or give up what is held beyond; False where the disk has not got them twice over.

    A reserve is never made out of the last room there is: what it is kept for would then be what it prevents.
    """
    path = data / NAME
    held = path.stat().st_blocks * 512 if path.exists() else 0
    try:
        if size_bytes == 0:
            path.unlink(missing_ok=True)
        elif held < size_bytes:
            if shutil.disk_usage(data).free < 2 * (size_bytes - held):
                return False
            _allocate(path, size_bytes)
        elif path.stat().st_size > size_bytes:
            os.truncate(path, size_bytes)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise DiskFailed(why=f"{error.strerror} at {path}") from error
        path.unlink(missing_ok=True)
        return False
    return True


def free(data: Path) -> int:
    """Give the reserve back to the disk; how many bytes that were, 0 where none was held."""
    path = data / NAME
    try:
        freed = path.stat().st_blocks * 512
        path.unlink()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise DiskFailed(why=f"{error.strerror} at {path}") from error
    return freed


def _allocate(path: Path, size_bytes: int) -> None:
    """Blocks of its own, not a hole in a file: only they are missing for others."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size_bytes)
    finally:
        os.close(descriptor)
