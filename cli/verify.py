"""`wattest verify`: verdicts over files of readings, without a node, on this machine's processors or a cluster's."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from verifier.batch import Part, PartResult
    from verifier.file_run import DeviceEntry

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
# Below this many bytes of files the processes would cost more than they save.
WORTH_BYTES = 4_000_000


@click.command()
@click.option("--devices", "devices_path", required=True, type=FILE, help="The devices file (JSON).")
@click.option("--readings", "readings_paths", required=True, multiple=True, type=FILE, help="CSV or CSV.gz; repeats.")
@click.option(
    "--climate", "climate_paths", multiple=True, type=FILE, help="Independent climate, CSV or CSV.gz; repeats."
)
@click.option("--processes", type=click.IntRange(1, 256), help="Processes of the pool; else one for each core.")
@click.option("--dask", "scheduler", metavar="ADDRESS", help="Judge on a Dask cluster, tcp://HOST:8786.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines: one for each day, then one for each device.")
def verify(
    devices_path: Path,
    readings_paths: tuple[Path, ...],
    climate_paths: tuple[Path, ...],
    processes: int | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Judge every production day of the plants in a devices file by their readings.

    Plants that share no file and are no neighbours are judged apart, on every core of this machine or on the workers
    of a Dask cluster that have wattest installed. The verdicts are the same bytes either way.
    """
    from state.errors import WattestError
    from verifier.batch import names_in, parts_of
    from verifier.file_run import parse_devices

    started = time.monotonic()
    try:
        entries = parse_devices(devices_path.read_bytes())
    except WattestError as error:
        raise click.UsageError(f"{devices_path.name}: {error}") from None
    climates = _climates(entries, climate_paths)
    raws = [_bytes(path) for path in readings_paths]
    with _runner(scheduler, processes, sum(len(raw) for raw in raws)) as run:
        named = _each(run, names_in, raws, "files", [path.name for path in readings_paths])
        parts = parts_of(entries, list(zip(raws, named, strict=True)), climates)
        done = _judge(run, parts)
    _print(done, as_json)
    _figures(done, time.monotonic() - started)


class _Here:
    """One process, this one."""

    def __enter__(self) -> _Here:
        return self

    def __exit__(self, *_: object) -> None: ...

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        return map(function, items)


class _Pool(_Here):
    """The processors of this machine."""

    def __init__(self, processes: int) -> None:
        from concurrent.futures import ProcessPoolExecutor

        self._pool = ProcessPoolExecutor(processes)

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        return self._pool.map(function, items)


class _Cluster(_Here):
    """The workers of a Dask cluster. Parts travel as they are, packed files packed."""

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise click.UsageError('--dask needs the extra "dask": pip install "wattest[dask]"') from None
        try:
            self._client = Client(address, timeout=10, set_as_default=False)
        except (OSError, ValueError) as error:
            raise click.UsageError(f"no Dask scheduler answers at {address}: {error}") from None

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        for future in self._client.map(function, items, pure=False):
            yield future.result()


def _runner(scheduler: str | None, processes: int | None, size: int) -> _Here:
    if scheduler is not None:
        return _Cluster(scheduler)
    count = processes or (os.cpu_count() or 1 if size >= WORTH_BYTES else 1)
    return _Pool(count) if count > 1 else _Here()


def _each(
    run: _Here, function: Callable[[Any], Any], items: Sequence[Any], label: str, names: Sequence[str]
) -> list[Any]:
    """The answers in order, with a bar where somebody watches; a file that cannot be read is named."""
    answers: list[Any] = []
    with click.progressbar(length=len(items), label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        try:
            for answer in run.map(function, items):
                answers.append(answer)
                bar.update(1)
        except OSError as error:
            raise click.UsageError(f"{names[len(answers)]} cannot be read: {error}") from None
    return answers


def _judge(run: _Here, parts: Sequence[Part]) -> list[PartResult]:
    from verifier.batch import judge_part

    return _each(run, judge_part, parts, "plants", [" ".join(one.id for one in part.entries) for part in parts])


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{path.name} cannot be read: {error}") from None


def _climates(entries: Sequence[DeviceEntry], paths: Iterable[Path]) -> dict[str, bytes]:
    """Files by base name; one that no device names, or that holds no wind, is a mistake worth saying."""
    from verifier.batch import lines_of
    from verifier.climate import parse_climate

    named = {name for entry in entries for name in entry.climate}
    climates = {}
    for path in paths:
        if path.name not in named:
            click.echo(f"{path.name} is in no device's climate list and is not used.", err=True)
            continue
        raw = _bytes(path)
        try:
            climate = parse_climate(lines_of(raw))
        except OSError as error:
            raise click.UsageError(f"{path.name} cannot be read: {error}") from None
        if climate is None:
            click.echo(f"{path.name} has no columns timestamp and wind_spd_...; it is not used.", err=True)
        else:
            climates[path.name] = raw
    return climates


def _print(done: Sequence[PartResult], as_json: bool) -> None:
    plants = sorted((plant for part in done for plant in part.plants), key=lambda plant: plant.id)
    for plant in plants:
        for line in plant.days if as_json else plant.table:
            click.echo(line)
    for plant in plants if as_json else ():
        click.echo(plant.summary)
    unplaced = sum(part.unplaced for part in done)
    if unplaced and not as_json:
        click.echo(f"{unplaced} lines could not be read at all and were left out.", err=True)


def _figures(done: Sequence[PartResult], seconds: float) -> None:
    readings, plants = sum(part.readings for part in done), sum(len(part.plants) for part in done)
    days = sum(len(plant.days) for part in done for plant in part.plants)
    if readings:
        click.echo(
            f"{readings:,} readings of {plants:,} plants, {days:,} verdicts in {seconds:.1f} s: "
            f"{seconds * 1_000_000 / readings:.1f} s a million readings",
            err=True,
        )
