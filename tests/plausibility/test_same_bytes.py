"""The same readings give the same bytes: on any processor, in any order, under any hash seed, time zone and locale."""

import os
import random
import subprocess
import sys
from pathlib import Path

from harness.farm import DAYS, final, hourly
from harness.plants import ROOF, TURBINE, baseline, solar_days, wind_days
from numpy._core._multiarray_umath import __cpu_dispatch__

from state.codec import encode
from verifier.intake import MISSING, DayReadings
from verifier.profile import build_profile
from verifier.reading import Reading
from verifier.verdict import judge_day

ROOT = Path(__file__).resolve().parents[2]


def all_bytes() -> bytes:
    """Profiles and verdicts of the two made plants, and final verdicts of one beside a neighbour and reanalysis."""
    parts = []
    for device, days in ((TURBINE, wind_days(36)), (ROOF, solar_days(36))):
        profile = baseline(device, days)
        parts.append(encode(profile))
        parts += [encode(judge_day(device, profile, days[n].day, days[n], days[:n])) for n in range(30, 36)]
    parts += [encode(verdict) for verdict in final(DAYS, climates=[hourly(DAYS)]).values()]
    return b"".join(parts)


SCRIPT = """
import sys
sys.path[:0] = [".", "tests", "tests/plausibility"]
from hashlib import sha256
from test_same_bytes import all_bytes
print(sha256(all_bytes()).hexdigest())
"""


def digest(**changes: str) -> str:
    environment = {**os.environ, **changes}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def test_processor_hash_seed_time_zone_and_locale_change_no_byte() -> None:
    plain = digest(PYTHONHASHSEED="0", TZ="UTC")
    other = digest(
        PYTHONHASHSEED="12345",
        TZ="Asia/Kathmandu",
        LC_ALL="C",
        NPY_DISABLE_CPU_FEATURES=" ".join(__cpu_dispatch__),
    )
    assert plain == other
    assert len(plain) == 64


def test_order_of_readings_changes_no_byte_of_the_profile() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    readings = [reading for day in wind_days(20) for reading in readings_of(day)]
    first = encode(build_profile(TURBINE, readings))
    random.Random(seed).shuffle(readings)
    assert encode(build_profile(TURBINE, readings)) == first


def readings_of(day: DayReadings) -> list[Reading]:
    columns = (day.power_w, day.wind_mm_s, day.temperature_centi_c, day.insolation_mwh_m2)
    return [
        Reading(day.day * 86_400 + slot * day.interval_s, *(None if v == MISSING else int(v) for v in values))
        for slot, values in enumerate(zip(*columns, strict=True))
    ]


def test_nothing_in_the_verifier_computes_with_floats() -> None:
    """A guard against slips, not a proof: true division and float literals are how floats come in."""
    import ast

    for path in sorted((ROOT / "verifier").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div), f"{path.name}:{node.lineno}"
            assert not isinstance(node, ast.Constant) or not isinstance(node.value, float), f"{path.name}:{node.lineno}"
            assert not isinstance(node, ast.Name) or node.id != "float", f"{path.name}:{node.lineno}"
