"""The seam at which tests make a process die: every durable write passes a counted crash point before and after it.

With `WATTEST_CRASH_AT=n` in the environment the process ends at the n-th crash point as `kill -9` would end it:
no buffers written, no clean-up, exit code 137. Without it nothing happens.
"""

import os

CRASH_EXIT_CODE = 137

_crash_at = int(os.environ.get("WATTEST_CRASH_AT", "0"))
_passed = 0


def crash_point() -> None:
    """Count one; end the process if its number has come."""
    global _passed
    _passed += 1
    if _passed == _crash_at:
        os._exit(CRASH_EXIT_CODE)
