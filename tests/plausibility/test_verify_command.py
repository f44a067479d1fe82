"""`wattest verify`: the file contract, and files that are broken in every way."""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from harness.plants import FIRST_DAY, TURBINE, wind_days

from cli.verify import verify
from verifier.intake import MISSING
from verifier.reading import decimal_text

HEADER = "timestamp,id,pwr_avg,wind_spd,t,insolation"
COUNT = 34
DEVICE = {
    "id": "T",
    "technology": "wind",
    "nameplate_kw": 2000,
    "latitude": 48.0,
    "longitude": 5.0,
    "coordinates_estimated": False,
    "interval_s": 600,
    "climate": ["era5.csv.gz"],
    "commissioning": {"from": FIRST_DAY * 86_400, "to": (FIRST_DAY + 30) * 86_400},
}


def rows() -> list[str]:
    return [
        f"{day.day * 86_400 + slot * TURBINE.interval_s},T,{decimal_text(int(day.power_w[slot]), 3)},"
        f"{decimal_text(int(day.wind_mm_s[slot]), 3)},{decimal_text(int(day.temperature_centi_c[slot]), 2)},"
        for day in wind_days(COUNT)
        for slot in range(TURBINE.slots)
        if day.power_w[slot] != MISSING
    ]


ROWS = rows()


def run(folder: Path, texts: dict[str, list[str]], *options: str, device: dict[str, object] = DEVICE) -> Result:
    (folder / "devices.json").write_text(json.dumps({"devices": [device]}))
    arguments = ["--devices", str(folder / "devices.json"), *options]
    for name, lines in texts.items():
        data = "\n".join([HEADER, *lines, ""]).encode("utf-8", "surrogateescape")
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        arguments += ["--readings", str(folder / name)]
    return CliRunner().invoke(verify, arguments)


def test_json_lines_keep_their_contract(tmp_path: Path) -> None:
    result = run(tmp_path, {"all.csv": ROWS}, "--json")
    assert result.exit_code == 0
    *days, summary = (json.loads(line) for line in result.stdout.splitlines())
    assert [line["day"] for line in days] == ["2016-08-17", "2016-08-18", "2016-08-19", "2016-08-20"]
    assert list(days[0]) == [
        *("device", "day", "verdict", "energy_wh", "accepted_wh", "prompt_wh", "withheld_wh", "refused_wh", "reasons")
    ]
    assert all(line["prompt_wh"] == line["energy_wh"] * 9 // 10 for line in days)
    assert all(line["accepted_wh"] + line["withheld_wh"] + line["refused_wh"] == line["energy_wh"] for line in days)
    assert list(summary) == ["device", "summary", "baseline"]
    assert summary["summary"]["days"] == summary["summary"]["accept"] == 4
    assert summary["summary"]["energy_wh"] == sum(line["energy_wh"] for line in days)
    assert list(summary["baseline"]) == ["from", "to", "days_used", "days_excluded", "days_noted", "profile_hash"]
    assert summary["baseline"]["from"] == DEVICE["commissioning"]["from"]  # type: ignore[index]
    assert len(summary["baseline"]["profile_hash"]) == 64


def test_order_and_split_of_files_change_nothing(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    shuffled = [*ROWS]
    random.Random(seed).shuffle(shuffled)
    whole = run(tmp_path, {"all.csv": ROWS}, "--json").stdout
    assert run(tmp_path, {"b.csv.gz": shuffled[2_000:], "a.csv": shuffled[:2_000]}, "--json").stdout == whole


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("{time},T,1_900,5,,", "bad_number"),
        ("{time},T,nan,5,,", "bad_number"),
        ("{time},T,9e9,5,,", "bad_number"),
        ("{time},T,1900", "truncated"),
        ("{time},T,1900,5,,,", "truncated"),
        ("{time},T,1900,5,,\udcff", "bad_number"),
    ],
)
def test_broken_lines_are_counted_and_never_raise_energy(tmp_path: Path, line: str, code: str) -> None:
    time = (FIRST_DAY + 31) * 86_400 + 60_000
    kept = [row for row in ROWS if not row.startswith(f"{time},")]
    honest = lines_of(run(tmp_path, {"all.csv": kept}, "--json"))["2016-08-18"]
    broken = lines_of(run(tmp_path, {"all.csv": [*kept, line.format(time=time)]}, "--json"))["2016-08-18"]
    assert code in broken["reasons"]
    assert broken["energy_wh"] == honest["energy_wh"]
    assert broken["accepted_wh"] <= honest["accepted_wh"]


def lines_of(result: Result) -> dict[str, dict[str, Any]]:
    assert result.exit_code == 0
    parsed = [json.loads(line) for line in result.stdout.splitlines()]
    return {line["day"]: line for line in parsed if "day" in line}


def test_lines_without_time_or_device_stop_nothing(tmp_path: Path) -> None:
    noise = ["", ",", "x,T,1,1,1,1", "99999999999,T,1,1,1,1", "\x00\x00", "1e9,T,1,,,", HEADER]
    result = run(tmp_path, {"all.csv": [*noise, *ROWS]})
    assert result.exit_code == 0
    assert "5 lines could not be read" in result.stderr


def test_table_tells_the_reasons_in_words(tmp_path: Path) -> None:
    time = (FIRST_DAY + 31) * 86_400
    lifted = [*(row for row in ROWS if not row.startswith(f"{time},")), f"{time},T,2600,9,,"]
    result = run(tmp_path, {"all.csv": lifted})
    assert result.exit_code == 0
    assert "2016-08-18  reject" in result.stdout
    assert "At 00:00 UTC it claimed 2.6 MW; its nameplate is 2.0 MW." in result.stdout


def test_a_plant_without_readings_or_verdict_days_gets_a_summary_of_nothing(tmp_path: Path) -> None:
    for lines in ([], ROWS[: 20 * 144]):
        result = run(tmp_path, {"all.csv": lines}, "--json")
        assert result.exit_code == 0
        (summary,) = [json.loads(line) for line in result.stdout.splitlines()]
        assert summary["summary"]["days"] == summary["summary"]["accepted_wh"] == 0


def test_table_tells_what_is_certified_in_review_and_refused(tmp_path: Path) -> None:
    result = run(tmp_path, {"all.csv": ROWS})
    assert "certified within a week" in result.stdout
    assert "in review" in result.stdout
    assert "until 2016-11-17: windows of 90 days are still open" in result.stdout


def test_climate_files_are_matched_by_base_name(tmp_path: Path) -> None:
    text = "timestamp,wind_spd_100m,t2m_k,density\n1471392000,8.1,288.1,1.2\n1471395600,8.2,288.1,1.2\n"
    (tmp_path / "era5.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "other.csv").write_text(text)
    result = run(
        tmp_path, {"all.csv": ROWS}, "--json", *(f"--climate={tmp_path / n}" for n in ("era5.csv.gz", "other.csv"))
    )
    assert result.exit_code == 0
    assert "other.csv is in no device's climate list" in result.stderr
    assert "era5" not in result.stderr


def test_a_climate_file_without_wind_is_said_and_not_used(tmp_path: Path) -> None:
    (tmp_path / "era5.csv.gz").write_bytes(gzip.compress(b"timestamp,ghi\n1471392000,8.1\n"))
    result = run(tmp_path, {"all.csv": ROWS}, "--json", f"--climate={tmp_path / 'era5.csv.gz'}")
    assert result.exit_code == 0
    assert "era5.csv.gz has no columns timestamp and wind_spd_" in result.stderr


@pytest.mark.parametrize(
    "changes",
    [
        {"technology": "coal"},
        {"nameplate_kw": 0},
        {"nameplate_kw": None},
        {"interval_s": 700},
        {"latitude": "north"},
        {"latitude": 91},
        {"commissioning": None},
        {"commissioning": {"from": 1}},
        {"climate": "era5.csv"},
        {"neighbours": "T2"},
        {"id": None},
    ],
    ids=str,
)
def test_refuses_a_devices_file_it_cannot_judge_by(tmp_path: Path, changes: dict[str, object]) -> None:
    result = run(tmp_path, {"all.csv": ROWS[:10]}, device={**DEVICE, **changes})
    assert result.exit_code == 2
    assert "devices.json" in result.stderr


def test_refuses_files_that_are_no_gzip_or_missing(tmp_path: Path) -> None:
    (tmp_path / "bad.csv.gz").write_bytes(b"\x1f\x8b plain")
    assert run(tmp_path, {"all.csv": ROWS[:10]}, "--readings", str(tmp_path / "bad.csv.gz")).exit_code == 2
    assert run(tmp_path, {}, "--readings", str(tmp_path / "none.csv")).exit_code == 2
    assert run(tmp_path, {}).exit_code == 2
