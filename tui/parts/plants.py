"""Readings as they arrive, attestations as they gather, days as they are judged."""

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from tui.parts.names import Names
from tui.pictures import (
    ACCEPT,
    PENDING,
    REVIEW,
    DayPicture,
    Gathering,
    JudgedDay,
    PlantPicture,
    PlantsPicture,
)
from tui.texts import reason
from tui.words import year_of

POWERS = 96  # readings of a plant's curve
LIVE_S = 2 * 86_400  # a record older than this is shown with the year it was recorded in
VERDICTS = {"accept": 0, "hold": 1, "reject": 2}


@dataclass
class Plant:
    timestamp: int = 0
    power_w: int | None = None
    powers: deque[int | None] = field(default_factory=lambda: deque(maxlen=POWERS))
    readings: int = 0
    days: dict[int, DayPicture] = field(default_factory=dict)
    ordered: tuple[DayPicture, ...] | None = ()  # None = to be ordered again
    attested: dict[int, dict[int, int]] = field(default_factory=dict)  # day -> validator -> verdict
    newest: int = -1  # the day whose attestations are shown
    issued: int = 0


class Plants:
    def __init__(self, names: Names) -> None:
        self._names = names
        self._plants: dict[int, Plant] = {}
        self._latest: JudgedDay | None = None
        self._refused: JudgedDay | None = None

    # --- what comes in

    def apply_reading(self, message: dict[str, Any]) -> None:
        """One live message may stand for many readings: `count` of them, the last one described."""
        plant = self._of(message["device"])
        plant.timestamp = int(message["timestamp"])
        watts = message.get("power_w")
        plant.power_w = None if watts is None else int(watts)
        plant.powers.append(plant.power_w)
        plant.readings = max(plant.readings + int(message.get("count", 1)), int(message.get("seq", 0)))

    def apply_attestation(self, message: dict[str, Any]) -> None:
        plant, day = self._of(message["device"]), int(message["day"])
        verdict = VERDICTS.get(message["verdict"], PENDING)
        plant.attested.setdefault(day, {})[int(message["validator"])] = verdict
        plant.newest = max(plant.newest, day)
        known = plant.days.get(day)
        if known is None or known.verdict == REVIEW:
            plant.days[day], plant.ordered = DayPicture(day, PENDING), None

    def apply_review(self, message: dict[str, Any]) -> None:
        """The node's own verdict is good, and the week around the day is not over yet."""
        plant, day = self._of(message["device"]), int(message["day"])
        if day not in plant.days:
            plant.days[day], plant.ordered = DayPicture(day, REVIEW, review_until=int(message["until"])), None

    def apply_verdict(self, event: dict[str, Any]) -> None:
        device, day = event["device"], int(event["day"])
        plant = self._of(device)
        verdict, reasons = int(event["verdict"]), event["reasons"]
        before = plant.days.get(day)
        if event.get("step") and before is not None and verdict == ACCEPT:
            more = before.release_wh + int(event["release_wh"])
            later = replace(before, release_wh=more, review_until=int(event["review_until"]))
            plant.days[day], plant.ordered = later, None
            return
        judged = DayPicture(
            day=day,
            verdict=verdict,
            energy_wh=int(event["energy_wh"]),
            release_wh=int(event["release_wh"]) + (before.release_wh if event.get("step") and before else 0),
            review_until=int(event.get("review_until", 0)),
            sentence="" if verdict == ACCEPT else " ".join(reason(code) for code in reasons if code != "single_source"),
        )
        plant.days[day], plant.ordered = judged, None
        plant.attested[day] = dict.fromkeys(event["validators"], verdict)
        plant.newest = max(plant.newest, day)
        for old in [known for known in plant.attested if known < plant.newest - 40]:
            del plant.attested[old]
        shown = JudgedDay(device, self._names.device(device).name, judged, len(event["validators"]))
        self._latest = shown
        if verdict > ACCEPT and (self._refused is None or verdict >= self._refused.day.verdict):
            self._refused = shown

    def apply_issued(self, event: dict[str, Any]) -> None:
        self._of(event["device"]).issued += int(event["end"]) - int(event["start"]) + 1

    def _of(self, device: int) -> Plant:
        return self._plants.setdefault(device, Plant())

    # --- the picture

    def picture(self, validators: int, ledger_s: int) -> PlantsPicture:
        known = sorted({*self._plants, *self._names.devices})
        plants = tuple(self._picture(device, self._of(device), validators, ledger_s) for device in known)
        return PlantsPicture(plants, self._renamed(self._latest), self._renamed(self._refused))

    def _renamed(self, judged: JudgedDay | None) -> JudgedDay | None:
        """The name may have become known since."""
        if judged is None:
            return None
        return JudgedDay(judged.device, self._names.device(judged.device).name, judged.day, judged.signatures)

    def _picture(self, device: int, plant: Plant, validators: int, ledger_s: int) -> PlantPicture:
        if plant.ordered is None:
            plant.ordered = tuple(plant.days[day] for day in sorted(plant.days))
        found = self._names.device(device)
        old = plant.timestamp and ledger_s - plant.timestamp > LIVE_S
        return PlantPicture(
            device=device,
            name=found.name,
            technology=found.technology,
            recorded=year_of(plant.timestamp) if old else 0,
            timestamp=plant.timestamp,
            power_w=plant.power_w,
            powers=tuple(plant.powers),
            readings=plant.readings,
            days=plant.ordered,
            gathering=_gathering(plant, validators),
            issued=plant.issued,
            unit=self._names.unit_of(device),
        )


def _gathering(plant: Plant, validators: int) -> Gathering | None:
    signed = plant.attested.get(plant.newest)
    if not signed:
        return None
    return Gathering(plant.newest, len(signed), max(validators, len(signed)), max(signed.values()))
