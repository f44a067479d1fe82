"""Hostile input from honest input: one seed, any number of mutations of a corpus of valid encodings."""

import os
import random
import time
from collections.abc import Callable, Sequence

from state.errors import WattestError

SLOWEST_S = 0.050
INTERESTING: tuple[bytes, ...] = (
    b"\x00",
    b"\x7f",
    b"\x80",
    b"\x90",
    b"\xc0",
    b"\xc1",
    b"\xcb" + b"\x00" * 8,
    b"\xdf\xff\xff\xff\xff",
)
INTERESTING += (b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xff", b"\x91" * 40)


def seeded() -> random.Random:
    seed = int(os.environ.get("WATTEST_SEED", "20261122"))
    print(f"seed {seed}")
    return random.Random(seed)


def mutated(random_: random.Random, corpus: Sequence[bytes]) -> bytes:
    """One to four changes to a member of the corpus, or, one time in twenty, bytes of no meaning at all."""
    if random_.random() < 0.05:
        return random_.randbytes(random_.randrange(200))
    data = bytearray(random_.choice(corpus))
    for _ in range(random_.randrange(1, 5)):
        at = random_.randrange(len(data) + 1)
        match random_.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << random_.randrange(8)
            case 1:
                data[at : at + 1] = random_.choice(INTERESTING)
            case 2:
                del data[at : at + random_.randrange(1, 40)]
            case 3:
                data[at:at] = random_.randbytes(random_.randrange(1, 20))
            case 4:
                other = random_.choice(corpus)
                start = random_.randrange(len(other) + 1)
                data[at : at + random_.randrange(40)] = other[start : start + random_.randrange(80)]
            case _:
                data[at : at + 8] = random_.choice((0, 1, 2**31, 2**32, 2**63, 2**64 - 1)).to_bytes(8, "big")
    return bytes(data)


class Refused(AssertionError):
    """An input that was not simply taken or refused; it says which, so that it can be tried again."""


def attack(
    name: str, take: Callable[[bytes], object], corpus: Sequence[bytes], count: int, random_: random.Random
) -> tuple[int, float]:
    """Give `take` the corpus, all of which it must accept, and then `count` mutations of it.

    How many of those it refused, and the slowest one in seconds. Only the project's own errors may come out, and no
    input may take longer than 50 ms of the processor (twice over: a collection of garbage may fall into one).
    """
    for data in corpus:
        take(data)
    refused, slowest = 0, 0.0
    for _ in range(count):
        data = mutated(random_, corpus)
        seconds, error = _tried(take, data)
        if seconds > SLOWEST_S:
            seconds, _ = _tried(take, data)
        slowest = max(slowest, seconds)
        refused += error is not None
        if error is not None and not isinstance(error, WattestError):
            raise Refused(f"{name}: {error!r} on {data.hex()}") from error
        if seconds > SLOWEST_S:
            raise Refused(f"{name}: {seconds * 1000:.0f} ms on {data.hex()[:2_000]}")
    return refused, slowest


def _tried(take: Callable[[bytes], object], data: bytes) -> tuple[float, Exception | None]:
    began = time.thread_time()  # of this thread alone: a busy machine must not count
    try:
        take(data)
    except Exception as error:
        return time.thread_time() - began, error
    return time.thread_time() - began, None
