"""The plants of the demo: what is known of them, and their records as raw posts in the seed form.

Units 1 to 3 are real records and are never altered. Unit 4 is an honest twin of unit 1 until its owner cheats: on one
day a diesel runs through the night, on another the best day so far is played again.
"""

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from state.records import Channel, DeviceFacts
from state.units import DAY_S

DATA = Path(__file__).resolve().parents[1] / "demo_data"
CHANNELS = {"wind_spd": Channel.WIND, "t": Channel.TEMPERATURE, "insolation": Channel.INSOLATION}
CHANNEL_NAMES = {"wind_spd": "wind", "t": "temperature", "insolation": "insolation"}
DIESEL_DAY, REPLAY_DAY, REPLAYED_DAY, TWIN_DAYS = 3, 5, 1, 16  # production days of the twin, counted from 0
DIESEL_W = (2_380, 2_420, 2_395, 2_410, 2_372, 2_431)  # what a small set delivers, with its ripple

Row = dict[str, str]


@dataclass(frozen=True)
class Unit:
    """`owner` names a key of the cast, `scheme` a scheme of the reference genesis."""

    id: str
    name: str
    owner: str
    scheme: int
    recorded: int  # the year that every screen names
    facts: DeviceFacts
    columns: tuple[str, ...]
    window_from: int  # commissioning, s
    window_to: int
    file: str
    twin: bool = False

    @cached_property
    def rows(self) -> list[Row]:
        """The record in its own order; the twin's already tampered with."""
        with gzip.open(DATA / self.file, "rt", encoding="ascii", newline="") as lines:
            rows = list(csv.DictReader(lines))
        return self._tampered(rows) if self.twin else rows

    def commissioning(self) -> list[Row]:
        return [row for row in self.rows if int(row["timestamp"]) < self.window_to]

    def production(self) -> list[Row]:
        return [row for row in self.rows if int(row["timestamp"]) >= self.window_to]

    def first_day(self) -> int:
        """The first full UTC day at or after the commissioning window."""
        return -(-self.window_to // DAY_S)

    def post(self, row: Row) -> bytes:
        """One raw post: exactly the recorded digits; what the unit does not measure is left out."""
        fields = [f'"timestamp": {row["timestamp"]}', f'"id": {self.id}', f'"pwr_avg": {row["pwr_avg"] or "null"}']
        fields += [f'"{column}": {row[column] or "null"}' for column in self.columns]
        return ("{" + ", ".join(fields) + "}").encode("ascii")

    def tampered_days(self) -> dict[int, str]:
        """UTC day -> what the owner did on it."""
        first = self.first_day()
        return {first + DIESEL_DAY: "diesel at night", first + REPLAY_DAY: "a day replayed"} if self.twin else {}

    def _tampered(self, rows: list[Row]) -> list[Row]:
        first = self.first_day()
        end = (first + TWIN_DAYS) * DAY_S
        replayed = {
            int(row["timestamp"]) % DAY_S: row["pwr_avg"]
            for row in rows
            if int(row["timestamp"]) // DAY_S == first + REPLAYED_DAY
        }
        return [self._tamper(row, first, replayed) for row in rows if int(row["timestamp"]) < end]

    def _tamper(self, row: Row, first: int, replayed: dict[int, str]) -> Row:
        day, second = divmod(int(row["timestamp"]), DAY_S)
        if day == first + REPLAY_DAY:
            return {**row, "pwr_avg": replayed[second]}
        if day == first + DIESEL_DAY and not Decimal(row["insolation"] or "0"):
            power = Decimal(DIESEL_W[second // self.facts.interval_s % len(DIESEL_W)]) / 1000
            return {**row, "pwr_avg": str(power)}
        return row


def demo_units() -> list[Unit]:
    """The three real units of the data folder, and the twin."""
    content = json.loads((DATA / "devices.json").read_text("ascii"), parse_float=Decimal)
    known = {device["id"]: device for device in content["devices"]}
    one = _unit(
        known["1"], "SERF East roof", "sun-owner", 2, "unit1_solar_serf_east_2016.csv.gz", ("t", "insolation"), 2016
    )
    return [
        one,
        _unit(
            known["2"],
            "RSF II roof",
            "sun-owner",
            2,
            "unit2_solar_rsf2_2022.csv.gz",
            ("wind_spd", "t", "insolation"),
            2022,
        ),
        _unit(
            known["3"], "La Haute Borne R80711", "wind-owner", 1, "unit3_wind_lhb_2014.csv.gz", ("wind_spd", "t"), 2014
        ),
        _unit(
            {**known["1"], "id": "4"},
            "Twin roof",
            "cheat",
            2,
            "unit1_solar_serf_east_2016.csv.gz",
            ("t", "insolation"),
            2016,
            twin=True,
        ),
    ]


def batches(rows: list[Row], size: int) -> Iterator[list[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _unit(
    known: dict[str, Any],
    name: str,
    owner: str,
    scheme: int,
    file: str,
    columns: tuple[str, ...],
    recorded: int,
    twin: bool = False,
) -> Unit:
    window = known["commissioning"]
    return Unit(
        id=known["id"],
        name=name,
        owner=owner,
        scheme=scheme,
        recorded=recorded,
        facts=_facts(known, name, columns),
        columns=columns,
        window_from=window["from"],
        window_to=window["to"],
        file=file,
        twin=twin,
    )


PLACES = {"1": "Golden, Colorado", "2": "Golden, Colorado", "3": "La Haute Borne, Meuse", "4": "Golden, Colorado"}
INSOLATION = {"1": "satellite", "2": "plane", "3": "none", "4": "satellite"}


def _facts(known: dict[str, Any], name: str, columns: tuple[str, ...]) -> DeviceFacts:
    wind = known["technology"] == "wind"
    return DeviceFacts(
        name=name,
        gsrn="",
        country="FR" if wind else "US",
        zone="FR" if wind else "US-CO",
        location=PLACES[known["id"]],
        fuel="F01050100" if wind else "F01040100",
        technology="T020001" if wind else "T010100",
        capacity_w=int(Decimal(known["nameplate_kw"]) * 1000),
        commissioned_day=known["commissioning"]["from"] // DAY_S,
        interval_s=known["interval_s"],
        channels=sum(CHANNELS[column] for column in columns),
        latitude_udeg=_micro(known["latitude"]),
        longitude_udeg=_micro(known["longitude"]),
        coordinates_estimated=known["coordinates_estimated"],
        tilt_udeg=_micro(known.get("tilt")),
        azimuth_udeg=_micro(known.get("azimuth")),
        hub_height_cm=int(known.get("hub_height_m", 0) * 100),
        insolation_source=INSOLATION[known["id"]],
        support="",
    )


def _micro(degrees: Decimal | int | None) -> int:
    """Millionths of a degree; -1 where unknown."""
    return -1 if degrees is None else int(Decimal(degrees) * 1_000_000)
