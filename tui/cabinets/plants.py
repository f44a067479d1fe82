"""The plant owner's cabinet: each plant today, each day against its weather, what became of its energy, and why."""

from dataclasses import dataclass
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input

from node.client import NodeClient
from state.errors import WattestError
from state.units import DAY_S
from tui.account import OWNER
from tui.deeds.plants import appeal_form, baseline_form, meter_form, plant_form
from tui.deeds.readings import readings_form
from tui.directory import Cabinet
from tui.parts.names import Names
from tui.pictures import ACCEPT, HOLD, PENDING, REJECT, REVIEW, DayPicture, PlantPicture
from tui.screens.cabinet import CabinetScreen, Keys
from tui.texts import counted, kind_word, t, word
from tui.widgets.calendar import strip
from tui.widgets.chart import ChartPanel, CurvePicture
from tui.widgets.columns import BAD, GOOD, QUIET, STRONG, WARN, Part
from tui.widgets.scrubber import Scrubber
from tui.widgets.sheet import Column, Line, Sheet
from tui.widgets.texts import TextPanel
from tui.words import clock, date, energy, moment, money, power

COLUMNS = (
    Column("plant", 20),
    Column("last reading", 12),
    Column("power", 7, right=True),
    Column("newest day", 15),
    Column("certified", 9, right=True),
    Column("in review", 9, right=True),
    Column("held", 9, right=True),
    Column("refused", 9, right=True),
    Column("stock", 9, right=True),
)
WORD = {
    ACCEPT: ("accepted", "good"),
    HOLD: ("held", "warn"),
    REJECT: ("refused", "bad"),
    PENDING: ("attested", "quiet"),
    REVIEW: ("in review", "good"),
}
SOURCE = "CLIMATE"  # technology of a device that tells weather and gives no power
ABOUT = {"meter": "meter of {plant}", "profile": "baseline of {plant}"}
STYLE = {ACCEPT: GOOD, HOLD: WARN, REJECT: BAD, PENDING: QUIET, REVIEW: GOOD}


@dataclass(frozen=True)
class Question:
    """What the next reading is about. `day` is None where the plant has no day yet."""

    me: int
    device: int
    day: int | None


@dataclass(frozen=True)
class Answer:
    about: Question
    curve: dict[str, Any] | None
    stock: dict[int, int]
    proposals: tuple[dict[str, Any], ...]
    appeals: tuple[dict[str, Any], ...]
    facts: dict[str, Any] | None = None  # what the ledger holds of the chosen plant


class PlantsScreen(CabinetScreen):
    HEADING = "Plants"
    KEYS: ClassVar[Keys] = (
        ("↑↓", "plant"),
        ("←→", "day"),
        ("w", "why no certificate"),
        ("n", "new plant"),
        ("m", "its next step"),
        ("u", "send readings"),
        ("b", "object to the day"),
        ("/", "filter"),
        ("e", "export"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "day(1)", "Earlier day", show=False, priority=True),
        Binding("right", "day(-1)", "Later day", show=False, priority=True),
        Binding("h", "day(1)", "Earlier day", show=False),
        Binding("l", "day(-1)", "Later day", show=False),
        Binding("w", "why", "The next earlier day without a certificate, and why"),
        Binding("n", "plant", "Register a plant"),
        Binding("m", "step", "What the plant needs next: a meter, a baseline"),
        Binding("u", "readings", "Send readings of the plant from a file"),
        Binding("b", "appeal", "Object to the day's verdict"),
    ]

    def body(self) -> ComposeResult:
        yield Sheet(t("Plants"), COLUMNS, id="plants", empty=t("no plant is accredited yet: n registers one"))
        yield ChartPanel(id="chart")
        yield TextPanel(t("The day"), id="day")
        with Horizontal(id="below"):
            yield TextPanel(t("Applications"), id="applications")
            yield TextPanel(t("Account"), id="account")

    def on_mount(self) -> None:
        self._back = 0  # days back from the newest of the chosen plant
        self._answer: Answer | None = None
        super().on_mount()
        self.query_one("#plants", Sheet).focus_rows()

    # --- from the model

    def _plants(self) -> list[PlantPicture]:
        """Own ones; all of them for whoever is not signed in or owns none."""
        model = self.desk.model
        every = model.plants.picture(len(model.chain.validators), model.chain.time_ms // 1_000).plants
        owned = [plant for plant in every if model.names.device(plant.device).owner == self.desk.me]
        return owned or list(every)

    def _chosen(self) -> PlantPicture | None:
        key = self.query_one("#plants", Sheet).chosen
        return next((plant for plant in self._plants() if str(plant.device) == key), None)

    def _day(self, plant: PlantPicture | None) -> DayPicture | None:
        if plant is None or not plant.days:
            return None
        return plant.days[-1 - min(self._back, len(plant.days) - 1)]

    def paint(self) -> None:
        stock = self._answer.stock if self._answer is not None else {}
        plants = self._plants()
        certified = sum(day.release_wh for plant in plants for day in plant.days)
        sheet = self.query_one("#plants", Sheet)
        sheet.title = t("My plants") if any(self._mine(plant) for plant in plants) else t("All plants")
        sheet.show(
            [_line(plant, stock.get(plant.device)) for plant in plants],
            t("{plants}, {energy} certified", plants=counted(len(plants), "plant"), energy=energy(certified)),
        )
        plant = self._chosen()
        self._paint_day(plant, self._day(plant))
        self._paint_account()

    def _mine(self, plant: PlantPicture) -> bool:
        return bool(self.desk.me) and self.desk.model.names.device(plant.device).owner == self.desk.me

    def _paint_day(self, plant: PlantPicture | None, day: DayPicture | None) -> None:
        panel = self.query_one("#day", TextPanel)
        if plant is None or day is None:
            panel.border_title = t("The day")
            panel.picture = (
                ((t("No day of this plant was judged yet."), QUIET),),
                *(((text, ""),) for text in self._steps(plant)),
            )
            return
        panel.border_title = t("{name}: its days", name=plant.name)
        width = max(20, self.size.width - 6)
        rows: list[tuple[Part, ...]] = [tuple(strip(plant.days, width, day))]
        verdict = word(WORD[day.verdict][0])
        rows.append(((f"{date(day.day)}  ", STRONG), (verdict, STYLE[day.verdict]), *_split(day)))
        rows += [((text, ""),) for text in self._advice(plant, day)]
        panel.picture = tuple(rows)

    def _steps(self, plant: PlantPicture | None) -> list[str]:
        """What stands between an accredited plant and its first certificate."""
        facts = self._facts(plant)
        if plant is None or facts is None or not self._mine(plant):
            return []
        for item in self._answer.proposals if self._answer is not None else ():
            if item["status"] == "open" and item["content"].get("device") == plant.device:
                return [t("The validators decide on proposal {number}.", number=item["id"])]
        if facts["credential"] is None:
            return [t("Next: m names whose signature its readings carry, its own meter's or a gateway's.")]
        if facts["facts"]["technology"] == SOURCE:
            return [
                t("All is set: validators attest each whole day of weather when it closes; plants of others hear it.")
            ]
        if not facts["profile_hash"]:
            return [
                t("Next: readings of at least 14 whole days (u sends a file of them, or the gateway posts them); "
                  "then m proposes the baseline that they give."),
            ]  # fmt: skip
        return [t("All is set: each whole day after the baseline is judged when it closes, and certificates follow.")]

    def _facts(self, plant: PlantPicture | None) -> dict[str, Any] | None:
        answer = self._answer
        return (
            answer.facts if answer is not None and plant is not None and answer.about.device == plant.device else None
        )

    def _advice(self, plant: PlantPicture, day: DayPicture) -> list[str]:
        """Why, and what to do about it."""
        told = [day.sentence] if day.sentence else []
        found = next((item for item in self._objections(plant) if item["day"] == day.day), None)
        if found is not None:
            term = t("until {moment}", moment=moment(int(found["answer_until"])))
            late = t("the authority answers (overdue) {term}", term=term)
            due = late if found["overdue"] else t("the authority answers {term}", term=term)
            answer = found["answer"] or due
            told.append(
                t(
                    "Objection, {status}: {reason} - {answer}",
                    status=word(found["status"]),
                    reason=found["reason"],
                    answer=answer,
                )
            )
        elif day.verdict in (HOLD, REJECT) and self._mine(plant):
            told.append(
                t("If this is wrong: b objects to it, with your reason; the authority has to answer in its term.")
            )
        elif day.review_until:
            told.append(
                t("In review until the close of {date}: its windows must come out clean.", date=date(day.review_until))
            )
        return told

    def _objections(self, plant: PlantPicture) -> tuple[dict[str, Any], ...]:
        answer = self._answer
        return answer.appeals if answer is not None and answer.about.device == plant.device else ()

    def _paint_account(self) -> None:
        names, books = self.desk.model.names, self.desk.model.books
        panel = self.query_one("#account", TextPanel)
        me = self.desk.me
        if not me:
            panel.picture = (((t("Sign in with S to see your account."), QUIET),),)
            return
        panel.border_title = t("Account of {participant}", participant=names.participant(me))
        since = t("Nothing since block {first}.", first=self.desk.model.chain.first)
        panel.picture = tuple(_entry(entry) for entry in books.of(me)[:12]) or (((since, QUIET),),)

    # --- from the node

    def asked(self) -> Question:
        plant = self._chosen()
        day = self._day(plant)
        return Question(self.desk.me, plant.device if plant else 0, day.day if day else _today(plant))

    def read(self, client: NodeClient, asked: Question) -> Answer:
        curve = None
        if asked.device and asked.day is not None:
            try:
                curve = client.get(f"/v1/devices/{asked.device}/curve", day=asked.day)
            except WattestError:
                curve = None  # this node has no readings of that day
        live = client.get("/v1/search/summary", by="device", status="live", holder=asked.me or None)
        stock = {int(group["name"]): int(group["quantity"]) for group in live["groups"]}
        proposals = [item for item in client.pages("/v1/proposals", "proposals") if item["proposer"] == asked.me]
        path = f"/v1/devices/{asked.device}/appeals"
        appeals = tuple(client.pages(path, "appeals")) if asked.device else ()
        facts = client.get(f"/v1/devices/{asked.device}") if asked.device else None
        return Answer(asked, curve, stock, tuple(proposals[-8:]), appeals, facts)

    def show(self, found: Answer) -> None:
        self._answer = found
        plant = self._chosen()
        chart = self.query_one("#chart", ChartPanel)
        if plant is None or found.about.device != plant.device:
            self.refresh_soon()
            return
        chart.picture = _curve(found, plant)
        chart.border_title = chart.picture.heading
        self.query_one("#applications", TextPanel).picture = _applications(
            found.proposals, self.desk.me, self.desk.model.names
        )
        self.paint()

    # --- keys

    def on_sheet_chosen(self, message: Sheet.Chosen) -> None:
        if not isinstance(message, Sheet.Opened):
            self._back = 0
            self.refresh_soon()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In a field the arrows are the field's."""
        return action != "day" or not isinstance(self.focused, Input | Scrubber)

    def action_day(self, step: int) -> None:
        plant = self._chosen()
        if plant is not None:
            self._back = min(max(self._back + step, 0), max(0, len(plant.days) - 1))
            self.paint()
            self.refresh_soon()

    def action_plant(self) -> None:
        self.open_form(plant_form())

    def action_why(self) -> None:
        """From the day that is shown to the next earlier one that was held or refused, round and round."""
        plant = self._chosen()
        days = plant.days if plant is not None else ()
        back = [place for place in range(len(days)) if days[-1 - place].verdict in (HOLD, REJECT)]
        if not back:
            self.notify(t("No day of this plant was held or refused."), timeout=4)
            return
        self._back = next((place for place in back if place > self._back), back[0])
        self.paint()
        self.refresh_soon()

    def action_step(self) -> None:
        plant = self._chosen()
        facts = self._facts(plant)
        if plant is None or facts is None or not self._mine(plant):
            self.notify(t("Choose a plant of your own in the table first."), timeout=4)
        elif facts["credential"] is None:
            self.open_form(meter_form(plant.device, plant.name))
        elif not facts["profile_hash"]:
            self.open_form(baseline_form(plant.device, plant.name))
        else:
            self.notify(t("Nothing is missing: its meter and its baseline are accredited."), timeout=4)

    def action_readings(self) -> None:
        plant = self._chosen()
        facts = self._facts(plant)
        if self.in_the_past():
            return
        if plant is None or facts is None or not self._mine(plant):
            self.notify(t("Choose a plant of your own in the table first."), timeout=4)
        elif facts["credential"] is None:
            self.notify(t("Nobody may sign its readings yet: m names its meter."), timeout=4)
        elif facts["credential"]["gateway"]:
            self.notify(t("A gateway signs the readings of this plant, and sends them."), timeout=4)
        elif (meter := self.desk.meter(facts["credential"]["key"])) is None:
            self.notify(t("The key of its meter is not at hand here: `wattest meter send` where it lies."), timeout=6)
        else:
            assert self.desk.home is not None
            self.open_form(readings_form(facts, self.desk.home, meter))

    def action_appeal(self) -> None:
        plant = self._chosen()
        day = self._day(plant)
        if plant is None or day is None or day.verdict not in (HOLD, REJECT):
            self.notify(t("Choose a day that is held or refused: ← and → go through the days."), timeout=4)
            return
        self.open_form(appeal_form(plant.device, plant.name, day.day, date(day.day)))


def _today(plant: PlantPicture | None) -> int | None:
    return plant.timestamp // DAY_S if plant is not None and plant.timestamp else None


def _line(plant: PlantPicture, stock: int | None) -> Line:
    newest = plant.days[-1] if plant.days else None
    verdict, style = WORD[newest.verdict] if newest else ("no day yet", "quiet")
    certified = sum(day.release_wh for day in plant.days)
    review = sum(day.energy_wh - day.release_wh for day in plant.days if day.review_until and day.verdict == ACCEPT)
    held = sum(day.energy_wh for day in plant.days if day.verdict == HOLD)
    refused = sum(day.energy_wh for day in plant.days if day.verdict == REJECT)
    energies = (certified, review, held, refused)
    return Line(
        key=str(plant.device),
        cells=(
            plant.name,
            moment(plant.timestamp)[5:] if plant.timestamp else "–",
            power(plant.power_w) if plant.timestamp else "",
            f"{date(newest.day)[5:]} {word(verdict)}" if newest else t("no day yet"),
            *(energy(value) if value else "–" for value in energies),
            f"{stock:,} {plant.unit}" if stock else "–",
        ),
        sorts=(
            plant.name.casefold(),
            plant.timestamp,
            plant.power_w or 0,
            newest.day if newest else 0,
            *energies,
            stock or 0,
        ),
        styles=(
            "strong",
            "",
            "",
            style,
            "good" if certified else "",
            "",
            "warn" if held else "",
            "bad" if refused else "",
            "",
        ),
    )


def _split(day: DayPicture) -> list[Part]:
    """`  1.2 MWh measured: 1.1 MWh certified, 60 kWh in review`."""
    if day.verdict in (PENDING, REVIEW):
        return [("", "")]
    parts: list[Part] = [("   " + t("{energy} measured", energy=energy(day.energy_wh)), "")]
    rest = day.energy_wh - day.release_wh
    if day.release_wh:
        parts.append(("   " + t("{energy} certified", energy=energy(day.release_wh)), GOOD))
    if rest:
        became = {ACCEPT: word("in review") if day.review_until else t("not released"), HOLD: word("held")}.get(
            day.verdict, word("refused")
        )
        parts.append((f"   {energy(rest)} {became}", STYLE[day.verdict] if day.verdict != ACCEPT else QUIET))
    return parts


def _curve(found: Answer, plant: PlantPicture) -> CurvePicture:
    day = " " + t("on {date}", date=date(found.about.day)) if found.about.day is not None else ""
    heading = t("{name}{day}: power (bars) against what the weather allows (░)", name=plant.name, day=day)
    if found.curve is None and found.about.day is None:
        return CurvePicture(heading=plant.name, missing=t("No day of {plant} to show yet.", plant=plant.name))
    if found.curve is None:
        missing = t("No readings of this day at the node that answers{day}.", day=day)
        return CurvePicture(heading=f"{plant.name}{day}", missing=missing)
    midnight = (found.about.day or 0) * DAY_S
    return CurvePicture(tuple(found.curve["measured_w"]), tuple(found.curve["allowed_w"]), heading, midnight=midnight)


def _applications(proposals: tuple[dict[str, Any], ...], me: int, names: Names) -> tuple[tuple[Part, ...], ...]:
    if not me:
        return (((t("Sign in with S; then n registers a plant, and its accreditation is followed here."), QUIET),),)
    if not proposals:
        return (((t("No application of yours. n registers a plant."), QUIET),),)
    rows = []
    for item in reversed(proposals):
        style = {"open": WARN, "enacted": GOOD, "refused": BAD}[item["status"]]
        what = item["content"]
        name = what.get("facts", {}).get("name") or kind_word(what["kind"])
        if what["kind"] in ABOUT:
            name = t(ABOUT[what["kind"]], plant=names.device(int(what["device"])).name)
        votes = t(
            "{approvals} for, {refusals} against", approvals=len(item["approvals"]), refusals=len(item["refusals"])
        )
        rows.append(
            ((f"{item['id']:>4}  ", QUIET), (f"{word(item['status'])}  ", style), (f"{name}  ", ""), (votes, QUIET))
        )
    return tuple(rows)


def _entry(entry: Any) -> tuple[Part, ...]:
    parts: list[Part] = [(f"{clock(entry.time_ms)}  ", QUIET)]
    if entry.certificates:
        parts.append((f"{entry.certificates:+,} {entry.unit}  ", GOOD if entry.certificates > 0 else WARN))
    if entry.money:
        sign = "+" if entry.money > 0 else ""
        parts.append((f"{sign}{money(entry.money, entry.currency)}  ", GOOD if entry.money > 0 else WARN))
    parts.append((entry.what, ""))
    return tuple(parts)


CABINET = Cabinet("P", "Plants", 20, PlantsScreen, frozenset({OWNER}))
