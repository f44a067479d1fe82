"""`wattest verify`: verdicts over files of readings, without a node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verifier.file_run import DeviceEntry, Records
    from verifier.report import Judged

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--devices", "devices_path", required=True, type=FILE, help="The devices file (JSON).")
@click.option("--readings", "readings_paths", required=True, multiple=True, type=FILE, help="CSV or CSV.gz; repeats.")
@click.option(
    "--climate", "climate_paths", multiple=True, type=FILE, help="Independent climate, CSV or CSV.gz; repeats."
)
@click.option("--json", "as_json", is_flag=True, help="JSON lines: one for each day, then one for each device.")
def verify(
    devices_path: Path, readings_paths: tuple[Path, ...], climate_paths: tuple[Path, ...], as_json: bool
) -> None:
    """Judge every production day of the plants in a devices file by their readings."""
    from state.errors import WattestError
    from verifier.file_run import judge_files, parse_devices

    try:
        entries = parse_devices(devices_path.read_bytes())
    except WattestError as error:
        raise click.UsageError(f"{devices_path.name}: {error}") from None
    _check_climate(entries, climate_paths)
    records = _load(readings_paths)
    if as_json:
        _print_json(entries, records)
        return
    for entry, _, judged in judge_files(entries, records):
        _print_table(entry, judged)
    if records.unplaced:
        click.echo(f"{records.unplaced} lines could not be read at all and were left out.", err=True)


def _load(paths: Iterable[Path]) -> Records:
    from verifier.file_run import Records

    records = Records()
    for path in paths:
        try:
            records.add_csv(_lines(path))
        except (OSError, EOFError) as error:
            raise click.UsageError(f"{path.name} cannot be read: {error}") from None
    return records


def _lines(path: Path) -> Iterable[str]:
    """Undecodable bytes become characters that no grammar takes, so they break their own line only."""
    import gzip
    import zlib

    raw = path.read_bytes()
    if path.suffix == ".gz":
        try:
            raw = gzip.decompress(raw)
        except zlib.error as error:
            raise OSError(str(error)) from None
    return raw.decode("utf-8", "replace").split("\n")


def _check_climate(entries: list[DeviceEntry], paths: tuple[Path, ...]) -> None:
    """Files are matched by base name; a file that no device names is a mistake worth saying."""
    named = {name for entry in entries for name in entry.climate}
    for path in paths:
        if path.name not in named:
            click.echo(f"{path.name} is in no device's climate list and is not used.", err=True)
    if paths:
        click.echo("Independent climate is not yet compared; verdicts use each plant's own readings.", err=True)


def _print_json(entries: list[DeviceEntry], records: Records) -> None:
    from verifier.file_run import judge_files
    from verifier.report import day_line, summary_line

    summaries = []
    for entry, profile, judged in judge_files(entries, records):
        for day, verdict in judged:
            click.echo(json.dumps(day_line(entry, day, verdict)))
        summaries.append(summary_line(entry, profile, judged))
    for summary in summaries:
        click.echo(json.dumps(summary))


def _print_table(entry: DeviceEntry, judged: Judged) -> None:
    from verifier.report import day_text
    from verifier.words import explain_finding

    click.echo(f"\n{entry.id}  {entry.facts.technology}  {entry.facts.nameplate_w // 1000:,} kW")
    for name in ("accept", "hold", "reject"):
        chosen = [verdict for _, verdict in judged if verdict.verdict == name]
        energy_wh = sum(verdict.energy_wh for verdict in chosen)
        click.echo(f"  {name:<7}{len(chosen):>5} days {energy_wh // 1000:>14,} kWh")
    for day, verdict in judged:
        if verdict.verdict == "accept":
            continue
        click.echo(f"  {day_text(day.day)}  {verdict.verdict}  {verdict.energy_wh // 1000:,} kWh")
        for finding in verdict.findings:
            if not finding.info and finding.code not in ("single_source", "gap", "duplicate"):
                click.echo(f"      {explain_finding(finding)}")
