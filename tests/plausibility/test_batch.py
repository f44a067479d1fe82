"""Parts of a long run: what belongs together stays together, and a pool or a real Dask cluster says the same bytes."""

import gzip
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from harness.plants import COMMISSIONING, FIRST_DAY, TURBINE, wind_days

from cli.verify import verify
from verifier.batch import judge_part, lines_of, names_in, parts_of
from verifier.file_run import DeviceEntry
from verifier.reading import decimal_text

HEADER = "timestamp,id,pwr_avg,wind_spd,t,insolation"
FROM, TO = FIRST_DAY * 86_400, (FIRST_DAY + COMMISSIONING) * 86_400


def rows(name: str, seed: int) -> list[str]:
    return [
        f"{day.day * 86_400 + slot * TURBINE.interval_s},{name},{decimal_text(int(day.power_w[slot]), 3)},"
        f"{decimal_text(int(day.wind_mm_s[slot]), 3)},12,"
        for day in wind_days(COMMISSIONING + 3, seed)
        for slot in range(TURBINE.slots)
    ]


def packed(*listed: list[str]) -> bytes:
    return gzip.compress("\n".join([HEADER, *(line for lines in listed for line in lines), ""]).encode())


def entry(name: str, neighbours: tuple[str, ...] = ()) -> DeviceEntry:
    return DeviceEntry(name, TURBINE, FROM, TO, (), neighbours)


def fields(name: str) -> dict[str, object]:
    window = {"from": FROM, "to": TO}
    return {"id": name, "technology": "wind", "nameplate_kw": 2000, "interval_s": 600, "commissioning": window}


def farm(folder: Path) -> list[str]:
    """Three plants in two files; two of them share one."""
    files = {"a.csv.gz": packed(rows("A", 1), rows("B", 2)), "c.csv": gzip.decompress(packed(rows("C", 3)))}
    for name, raw in files.items():
        (folder / name).write_bytes(raw)
    (folder / "devices.json").write_text(json.dumps({"devices": [fields(name) for name in "ABC"]}))
    listed = [part for name in files for part in ("--readings", str(folder / name))]
    return ["--devices", str(folder / "devices.json"), *listed]


def split(entries: list[DeviceEntry], files: list[bytes]) -> list[set[str]]:
    parts = parts_of(entries, [(raw, names_in(raw)) for raw in files], {})
    return [{one.id for one in part.entries} for part in parts]


def test_plants_of_one_file_and_neighbours_stay_together_and_others_part() -> None:
    line = [f"{FROM},A,1,1,1,", f"{FROM},B,1,1,1,"]
    assert split([entry("A"), entry("B"), entry("C")], [packed(line)]) == [{"A", "B"}, {"C"}]
    assert split([entry("A", ("C",)), entry("B"), entry("C")], [packed(line)]) == [{"A", "B", "C"}]
    assert split([entry("A", ("nobody",)), entry("B"), entry("C")], []) == [{"A"}, {"B"}, {"C"}]


def test_lines_of_a_file_without_a_known_plant_are_counted_all_the_same() -> None:
    strange = packed(["rubbish", "more,rubbish"])
    parts = parts_of([entry("A")], [(strange, names_in(strange))], {})
    assert [judge_part(part).unplaced for part in parts] == [0, 2]


def test_a_packed_file_that_was_cut_is_an_error_and_plain_bytes_are_not() -> None:
    with pytest.raises(OSError):
        lines_of(packed(rows("A", 1))[:-20])
    assert lines_of(b"a\xff,b")[0].startswith("a")


def test_a_pool_of_processes_says_the_same_bytes(tmp_path: Path) -> None:
    arguments = [*farm(tmp_path), "--json"]
    alone = CliRunner().invoke(verify, [*arguments, "--processes", "1"])
    pooled = CliRunner().invoke(verify, [*arguments, "--processes", "2"])
    assert alone.exit_code == pooled.exit_code == 0
    assert alone.stdout == pooled.stdout
    assert [json.loads(line)["device"] for line in alone.stdout.splitlines()[-3:]] == ["A", "B", "C"]
    assert "14,256 readings of 3 plants, 9 verdicts" in pooled.stderr
    assert "a million readings" in pooled.stderr


def test_a_dask_cluster_says_the_same_bytes(tmp_path: Path) -> None:
    """A scheduler and a worker that talk over TCP."""
    distributed = pytest.importorskip("distributed", reason="needs the extra dask: pip install 'wattest[dask]'")
    arguments = [*farm(tmp_path), "--json"]
    started = time.monotonic()
    options = {"n_workers": 1, "processes": False, "dashboard_address": None, "protocol": "tcp"}
    with distributed.LocalCluster(**options, local_directory=str(tmp_path)) as cluster:
        clustered = CliRunner().invoke(verify, [*arguments, "--dask", cluster.scheduler_address])
    print(f"{time.monotonic() - started:.1f} s")
    assert clustered.exit_code == 0, clustered.output
    assert clustered.stdout == CliRunner().invoke(verify, [*arguments, "--processes", "1"]).stdout


def test_refuses_a_cluster_that_does_not_answer(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="needs the extra dask: pip install 'wattest[dask]'")
    refused = CliRunner().invoke(verify, [*farm(tmp_path), "--dask", "nonsense://nowhere:1"])
    assert refused.exit_code == 2
    assert "no Dask scheduler answers" in refused.stderr
