"""Searching and exporting from the command line, against the real API."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode


@pytest.fixture
def retired(act) -> str:  # type: ignore[no-untyped-def]
    """The statement of the retirement of number 1."""
    ran = act("retire", "--quantity", 1, "--from", "owner", "--beneficiary", "Bakery Dupont", "--json")
    return str(ran.json["events"][0]["statement"])


def numbers(ran) -> list[str]:  # type: ignore[no-untyped-def]
    return [item["number"] for item in ran.json["certificates"]]


def test_search_without_filters_finds_everything_live_and_dead(act, retired: str) -> None:  # type: ignore[no-untyped-def]
    ran = act("certificate", "search", "--json")
    assert (ran.json["total"], ran.json["quantity"]) == ("2", "3")
    assert [item["status"] for item in ran.json["certificates"]] == ["retired", "active"]
    shown = act("certificate", "search").out
    assert "2 ranges, 3 certificates, 3.000 MWh" in shown


@pytest.mark.parametrize(
    ("options", "quantity"),
    [
        (("--source", "wind"), "3"),
        (("--source", "solar"), "0"),
        (("--technology", "t02", "--country", "fr", "--zone", "FR"), "3"),
        (("--status", "live"), "2"),
        (("--status", "retired", "--holder", "owner"), "1"),
        (("--holder", "trader"), "0"),
        (("--from", "owner", "--status", "active"), "2"),
        (("--produced-from", "2014-04-02", "--produced-to", "2014-04-02"), "3"),
        (("--produced-from", "2014-04-03"), "0"),
        (("--device", 1, "--scheme", 1), "3"),
        (("--device", 9), "0"),
    ],
)
def test_filters_combine(act, retired: str, options: tuple[object, ...], quantity: str) -> None:  # type: ignore[no-untyped-def]
    ran = act("certificate", "search", *options, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["quantity"] == quantity


def test_statement_finds_what_it_retired(act, retired: str) -> None:  # type: ignore[no-untyped-def]
    ran = act("certificate", "search", "--statement", retired, "--json")
    assert [(item["start"], item["statement"]) for item in ran.json["certificates"]] == [("1", retired)]


def test_pages_lead_through_everything_once(act, retired: str) -> None:  # type: ignore[no-untyped-def]
    first = act("certificate", "search", "--limit", 1, "--down", "--json")
    assert first.json["total"] == "2"
    second = act("certificate", "search", "--limit", 1, "--down", "--cursor", first.json["cursor"], "--json")
    assert second.json["cursor"] is None
    assert numbers(first) + numbers(second) == numbers(act("certificate", "search", "--json"))[::-1]


def test_refuses_what_cannot_be_asked(act, retired: str) -> None:  # type: ignore[no-untyped-def]
    for options, code in (
        (("--technology", "wind"), "bad_parameter"),
        (("--produced-from", "2014-04-03", "--produced-to", "2014-04-02"), "bad_parameter"),
        (("--produced-from", "yesterday"), "bad_parameter"),
        (("--statement", "0" * 32), "unknown"),
        (("--cursor", "AAAA"), "bad_parameter"),
    ):
        ran = act("certificate", "search", *options)
        assert ran.code == 1, options
        assert f"[{code}]" in ran.err, options
    assert act("certificate", "search", "--holder", "owner", "--from", "owner").code == 2


# --- files


def test_csv_and_json_hold_everything_under_energytags_names(act, retired: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ran = act("certificate", "export", tmp_path / "all.csv", "--json")
    assert (ran.code, ran.json["ranges"]) == (0, "2"), ran.err
    rows = list(csv.DictReader(io.StringIO((tmp_path / "all.csv").read_text())))
    assert [row["certificate_bundle_status"] for row in rows] == ["Claimed", "Active"]
    assert [row["beneficiary"] for row in rows] == ["Bakery Dupont", ""]
    assert {row["irec_technology"] for row in rows} == {"TC210"}
    assert {row["mrets"] for row in rows} == {"WND"}
    assert act("certificate", "export", tmp_path / "all.json").code == 0
    lines = [json.loads(line) for line in (tmp_path / "all.json").read_text().splitlines()]
    assert [line["number"] for line in lines] == [row["number"] for row in rows]
    assert [line["statement"] for line in lines] == [retired, None]


def test_export_takes_the_filters_of_the_search(act, retired: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert act("certificate", "export", tmp_path / "some.json", "--status", "retired").code == 0
    assert len((tmp_path / "some.json").read_text().splitlines()) == 1
    assert act("certificate", "export", tmp_path / "none.csv", "--source", "solar").code == 0
    assert len((tmp_path / "none.csv").read_text().splitlines()) == 1  # its head


def test_parquet_has_typed_columns(act, retired: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    parquet = pytest.importorskip("pyarrow.parquet")
    assert act("certificate", "export", tmp_path / "all.parquet").code == 0
    table = parquet.read_table(tmp_path / "all.parquet").to_pylist()
    assert [row["bundle_quantity"] for row in table] == [1, 2]
    assert table[0]["production_starting_interval"].isoformat() == "2014-04-02T00:00:00+00:00"
    assert act("certificate", "export", tmp_path / "none.parquet", "--source", "solar").code == 0
    assert parquet.read_table(tmp_path / "none.parquet").num_rows == 0


def test_without_pyarrow_parquet_says_what_to_install(  # type: ignore[no-untyped-def]
    act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "cli.parquet", raising=False)
    ran = act("certificate", "export", tmp_path / "all.parquet")
    assert ran.code == 2
    assert "wattest[export]" in ran.err


def test_refuses_a_file_without_a_format(act, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert act("certificate", "export", tmp_path / "all").code == 2
    assert act("certificate", "export", tmp_path / "nowhere" / "all.csv").code == 2


def test_export_that_broke_off_leaves_no_file(  # type: ignore[no-untyped-def]
    act, node: AnsweringNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.api.search.Lines.__iter__", lambda self: iter(()))
    ran = act("certificate", "export", tmp_path / "all.json")
    assert ran.code == 3
    assert "broke off after 0 of 1" in ran.err
    assert list(tmp_path.glob("all*")) == []
