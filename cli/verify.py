"""`wattest verify`: verdicts over files of readings, without a node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verifier.climate import Climate
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
    climates = _climates(entries, climate_paths)
    records = _load(readings_paths)
    if as_json:
        _print_json(entries, records, climates)
        return
    for entry, _, judged in judge_files(entries, records, climates):
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


def _climates(entries: list[DeviceEntry], paths: tuple[Path, ...]) -> dict[str, Climate]:
    """Files by base name; one that no device names, or that holds no wind, is a mistake worth saying."""
    from verifier.climate import parse_climate

    named = {name for entry in entries for name in entry.climate}
    climates = {}
    for path in paths:
        if path.name not in named:
            click.echo(f"{path.name} is in no device's climate list and is not used.", err=True)
            continue
        try:
            climate = parse_climate(_lines(path))
        except (OSError, EOFError) as error:
            raise click.UsageError(f"{path.name} cannot be read: {error}") from None
        if climate is None:
            click.echo(f"{path.name} has no columns timestamp and wind_spd_...; it is not used.", err=True)
        else:
            climates[path.name] = climate
    return climates


def _print_json(entries: list[DeviceEntry], records: Records, climates: dict[str, Climate]) -> None:
    from verifier.file_run import judge_files
    from verifier.report import day_line, summary_line

    summaries = []
    for entry, profile, judged in judge_files(entries, records, climates):
        for day, verdict in judged:
            click.echo(json.dumps(day_line(entry, day, verdict)))
        summaries.append(summary_line(entry, profile, judged))
    for summary in summaries:
        click.echo(json.dumps(summary))


def _print_table(entry: DeviceEntry, judged: Judged) -> None:
    """Certified at once, certified or open since, held, refused; then every day that is not accepted, and why."""
    from verifier.finding import HOLD, MODEL, PHYSICS, WINDOWS, WITNESS
    from verifier.report import day_text
    from verifier.words import explain_finding

    verdicts = [verdict for _, verdict in judged]
    click.echo(f"\n{entry.id}  {entry.facts.technology}  {entry.facts.nameplate_w // 1000:,} kW")
    for name in ("accept", "hold", "reject"):
        chosen = [verdict for verdict in verdicts if verdict.verdict == name]
        energy_wh = sum(verdict.energy_wh for verdict in chosen)
        click.echo(f"  {name:<7}{len(chosen):>5} days {energy_wh // 1000:>14,} kWh")
    prompt_wh = sum(v.prompt_wh for v in verdicts)
    later_wh = sum(v.accepted_wh for v in verdicts) - prompt_wh
    held_wh, refused_wh = sum(v.withheld_wh for v in verdicts), sum(v.refused_wh for v in verdicts)
    click.echo(
        f"  certified within a week {prompt_wh // 1000:,} kWh, later {later_wh // 1000:,} kWh; "
        f"held {held_wh // 1000:,} kWh, refused {refused_wh // 1000:,} kWh"
    )
    open_days = [verdict for verdict in verdicts if verdict.open_until and verdict.verdict == "accept"]
    if open_days:
        review_wh = sum(verdict.accepted_wh - verdict.prompt_wh for verdict in open_days)
        until = day_text(max(verdict.open_until for verdict in open_days))
        click.echo(f"  in review {review_wh // 1000:,} kWh of it, until {until}: windows of 90 days are still open")
    counting = HOLD | MODEL | PHYSICS | WINDOWS | WITNESS
    for day, verdict in judged:
        if verdict.verdict == "accept":
            continue
        click.echo(f"  {day_text(day.day)}  {verdict.verdict}  {verdict.energy_wh // 1000:,} kWh")
        for finding in verdict.findings:
            if not finding.info and finding.code in counting:
                click.echo(f"      {explain_finding(finding)}")
