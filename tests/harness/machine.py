"""What this machine permits a test to do to it: mounts, a tracer. A test that may not says so and is skipped.

`WATTEST_REQUIRE=tmpfs,strace` turns such a skip into a failure, for machines that are known to permit it.
"""

import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache

import pytest


def need(name: str, permitted: bool) -> None:
    """Skip with a printed reason unless `permitted`; fail where WATTEST_REQUIRE names it."""
    if permitted:
        return
    reason = f"this machine permits no {name}"
    print(reason, file=sys.stderr)
    if name in os.environ.get("WATTEST_REQUIRE", "").split(","):
        pytest.fail(f"{reason}, but WATTEST_REQUIRE asks for it")
    pytest.skip(reason)


@cache
def may_mount() -> bool:
    """Whether a mount namespace with a tmpfs in it can be made."""
    return _said(["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt && echo done"]) == "done\n"


@cache
def may_split() -> bool:
    """Whether network namespaces can be made, joined and cut."""
    name = f"wtprobe{os.getpid()}"
    make = f"ip netns add {name} && ip -n {name} rule add from 10.0.0.1 pref 10 blackhole && echo done"
    return _said(["sh", "-c", f"{make}; ip netns del {name}"]) == "done\n"


@cache
def may_trace() -> bool:
    """Whether strace may make a system call fail."""
    probe = """
import os
try:
    os.fdatasync(os.memfd_create("probe"))
except OSError as error:
    print(error.errno)
"""
    command = ["strace", "-f", "-o", "/dev/null", "-e", "inject=fdatasync:error=EIO", sys.executable, "-c", probe]
    return _said(command).strip() == str(errno.EIO)


def _said(command: Sequence[str]) -> str:
    """What it prints; nothing where it cannot run or fails."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return ""
    return ran.stdout if ran.returncode == 0 else ""
