"""A network made up for pictures and tests: the demo's story as a list of messages, shaped as nodes send them.

Nothing is measured here. Curves are drawn by a fixed seed, so that every run shows the same.
"""

import math
from collections.abc import Iterator
from random import Random
from typing import Any

from state.units import DAY_S, MICRO
from tui.feed import Freshness
from tui.model import NetworkModel
from tui.story import ProductionTime, StoryState

Message = dict[str, Any]

CHAIN = "7d1f0c2ab94e5d6633c1aa0897e2f4c05b6d1e8f9a3c7724d05e6b81f2a94c3e"
START_MS = 1_795_350_000_000
VALIDATORS = 4
SUN, WIND, CHEAT, TRADER, CONSUMER, BANK, MARKET = range(5, 12)
PEOPLE = {
    SUN: "Golden Sun Plants",
    WIND: "Haute Borne Wind",
    CHEAT: "Twin Hill Sun",
    TRADER: "Meridian Trading",
    CONSUMER: "Harbour Steel",
    BANK: "Clearing Bank",
    MARKET: "Power Market Operator",
}
SCHEMES = [
    {"id": 1, "name": "WIND-MWH", "unit": "MWh", "face_value": "1000000", "serial_digits": 9},
    {"id": 2, "name": "SOLAR-KWH", "unit": "kWh", "face_value": "1000", "serial_digits": 12},
]
# device: name, country, technology, owner, scheme, first production day, days played, nameplate W, interval s
PLANTS = {
    1: ("SERF East roof", "US", "T010100", SUN, 2, 17_045, 26, 6_000, 900),
    2: ("RSF II roof", "US", "T010100", SUN, 2, 18_998, 1, 408_000, 900),
    3: ("La Haute Borne R80711", "FR", "T020001", WIND, 1, 16_161, 22, 2_050_000, 600),
    4: ("Twin roof", "US", "T010100", CHEAT, 2, 17_045, 8, 6_000, 900),
}
WIND_ISSUE = 2  # the second issue of the first day is the turbine's
BAD_DAYS = {  # (device, day since the first): verdict, reasons
    (2, 0): (1, ["baseline_poor"]),
    (3, 6): (1, ["climate_missing"]),
    (4, 3): (2, ["night_power"]),
    (4, 5): (2, ["power_replay"]),
}
CAPTION = "Harbour Steel retired 3 certificates: they are gone for good, and the QR code leads anybody to the statement"
SECOND_TERMINAL = ".venv/bin/wattest --home demo/wallets certificate list --from trader"


def names() -> dict[str, list[Message]]:
    """The API's lists by their name."""
    devices = [
        {"id": number, "owner": owner, "scheme": scheme, "facts": {"name": name, "country": land, "technology": code}}
        for number, (name, land, code, owner, scheme, *_) in PLANTS.items()
    ]
    people = [{"id": number, "name": name} for number, name in PEOPLE.items()]
    return {"schemes": SCHEMES, "participants": people, "devices": devices}


def status(node: int, block: Message | None, down: int | None = None) -> Message:
    """The answer of a node whose last final block is `block`."""
    height = block["height"] if block is not None else 0
    others = [index for index in range(VALIDATORS) if index not in (node, down)]
    return {
        "chain_id": CHAIN,
        "name": "wattest test network",
        "height": height,
        "state_root": block["state_root"] if block is not None else "0" * 64,
        "time_ms": block["time_ms"] if block is not None else START_MS,
        "epoch": 0,
        "view": height + 1,
        "leader": (height + 1) % VALIDATORS,
        "validators": [
            {
                "index": index,
                "name": f"Validator {index}",
                "last_signed_height": height,
                "connected": index in others,
                "height": height,
            }
            for index in range(VALIDATORS)
        ],
        "peers": len(others),
        "mempool": 3,
        "syncing": False,
        "node_index": node,
    }


def story(killed: int | None = None) -> list[Message]:
    """Blocks and live messages in the order in which a node sends them; `killed` signs nothing at the end."""
    return list(_Player(killed).play())


class _Player:
    def __init__(self, killed: int | None) -> None:
        self._killed = killed
        self._random = Random(11)
        self._height = 0
        self._down: int | None = None
        self._issuance = 0
        self._serials = dict.fromkeys(PLANTS, 1)
        self._readings = dict.fromkeys(PLANTS, 0)

    def play(self) -> Iterator[Message]:
        people = [
            _event("registered", participant=number, name=name, country="DE", key=f"{number:064x}")
            for number, name in PEOPLE.items()
        ]
        yield self._block(people)
        yield self._block([_event("enacted", proposal=n, content="device", created=n) for n in PLANTS])
        yield self._block([_event("enacted", proposal=9, content="profile", created=3)])
        money = {"operator": BANK, "currency": "EUR", "amount": str(100 * MICRO)}
        yield self._block([_event("deposited", to=who, reference=f"SEPA {who}", **money) for who in (TRADER, CONSUMER)])
        for step in range(max(days for *_, days, _, _ in PLANTS.values())):
            yield from self._day(step)
            if step == 12:
                yield from self._auction()
            if step == 16:
                yield from self._afterlife()
        yield from self._running_auction()

    # --- plants

    def _day(self, step: int) -> Iterator[Message]:
        events: list[Message] = []
        for device, (_, _, _, owner, scheme, first, days, nameplate, interval) in PLANTS.items():
            if step >= days:
                continue
            day = first + step
            yield from self._curve(device, day, nameplate, interval)
            for validator in range(VALIDATORS):
                yield self._attestation(device, day, validator, step)
            events += self._judged(device, day, step, nameplate, owner, scheme)
        yield self._block(events)
        yield {"kind": "view", "epoch": 0, "view": self._height + 1, "leader": (self._height + 1) % VALIDATORS}

    def _curve(self, device: int, day: int, nameplate: int, interval: int) -> Iterator[Message]:
        for slot in range(0, DAY_S, interval):
            self._readings[device] += 1
            yield {
                "kind": "reading",
                "device": device,
                "count": 1,
                "seq": self._readings[device],
                "timestamp": day * DAY_S + slot,
                "power_w": self._power(device, slot, nameplate),
            }

    def _power(self, device: int, second: int, nameplate: int) -> int:
        if device == 3:
            swing = math.sin(second / 9_000) + math.sin(second / 2_300 + self._height)
            return max(-12_000, int(nameplate * (0.35 + 0.2 * swing) + self._random.randint(-60_000, 60_000)))
        noon = math.sin((second - 13 * 3_600) / DAY_S * 2 * math.pi)  # Colorado's sun in UTC
        return int(nameplate * 0.7 * noon * self._random.uniform(0.85, 1)) if noon > 0 else 0

    def _attestation(self, device: int, day: int, validator: int, step: int) -> Message:
        verdict, reasons = BAD_DAYS.get((device, step), (0, []))
        word = ("accept", "hold", "reject")[verdict]
        return {
            "kind": "attestation",
            "device": device,
            "day": day,
            "validator": validator,
            "verdict": word,
            "reasons": reasons,
        }

    def _judged(self, device: int, day: int, step: int, nameplate: int, owner: int, scheme: int) -> list[Message]:
        verdict, reasons = BAD_DAYS.get((device, step), (0, []))
        energy = nameplate * self._random.randint(40, 70) // 10
        judged = _event(
            "verdict",
            device=device,
            day=day,
            step=0,
            verdict=verdict,
            reasons=reasons,
            energy_wh=str(energy),
            release_wh=str(0 if verdict else energy),
            validators=[0, 1, 2] if step % 3 else [0, 1, 2, 3],
        )
        if verdict:
            return [judged]
        count = max(1, energy // (1_000_000 if scheme == 1 else 1_000))
        start = self._serials[device]
        self._serials[device] += count
        self._issuance += 1
        month = 201_404 if device == 3 else 201_609
        return [judged, _event("issued", **self._range(device, start, count), scheme=scheme, month=month, holder=owner)]

    def _range(self, device: int, start: int, count: int, issuance: int | None = None) -> Message:
        number = self._issuance if issuance is None else issuance
        return {"issuance": str(number), "device": device, "start": str(start), "end": str(start + count - 1)}

    # --- the market and after

    def _auction(self) -> Iterator[Message]:
        lot = self._range(3, 1, 9, WIND_ISSUE)
        yield self._block([self._opened(1, "Wind, 1 MWh", 1, "T02", 4)])
        yield self._block([_event("offered", auction=1, seller=WIND, outpoint="a1", limit="2500000", **lot)])
        bids = ((TRADER, 6, 4_200_000), (CONSUMER, 5, 3_100_000))
        yield self._block([self._bid(1, who, count, limit) for who, count, limit in bids])
        yield self._block([_event("auction_closed", auction=1, orders=3)])
        result = {"price": "3100000", "quantity": "9", "technology": "T02", "buyers": 2, "sellers": 1}
        pieces = ((TRADER, 1, 6), (CONSUMER, 7, 3))
        delivered = [self._delivered(who, start, count) for who, start, count in pieces]
        yield self._block([_event("settled", auction=1, currency="EUR", **result), *delivered])

    def _delivered(self, buyer: int, start: int, count: int) -> Message:
        lot = self._range(3, start, count, WIND_ISSUE)
        amount = str(count * 3_100_000)
        return _event("delivered", auction=1, seller=WIND, buyer=buyer, currency="EUR", amount=amount, **lot)

    def _afterlife(self) -> Iterator[Message]:
        yield self._block([_event("transferred", sender=TRADER, to=CONSUMER, **self._range(3, 1, 2, WIND_ISSUE))])
        ended = {"statement": "c4fe21a09be477d1a8356f0e92d7bb10", "holder": CONSUMER, "beneficiary": "Harbour Steel"}
        yield self._block([_event("retired", **ended, **self._range(3, 7, 3, WIND_ISSUE))])

    def _running_auction(self) -> Iterator[Message]:
        self._down = self._killed
        yield self._block([self._opened(2, "Solar, 1 kWh", 2, "T01", 6)])
        lot = self._range(1, 1, 40, 1)
        yield self._block([_event("offered", auction=2, seller=SUN, outpoint="b1", limit="20000", **lot)])
        bids = ((TRADER, 30, 50_000), (CONSUMER, 20, 30_000))
        yield self._block([self._bid(2, who, count, limit) for who, count, limit in bids])
        for _ in range(3):
            yield self._block([])

    def _opened(self, auction: int, title: str, scheme: int, technology: str, seconds: int) -> Message:
        return _event(
            "auction_opened",
            auction=auction,
            operator=MARKET,
            title=title,
            scheme=scheme,
            technology=technology,
            currency="EUR",
            closes_at=str(self._time_ms() // 1_000 + seconds),
        )

    def _bid(self, auction: int, who: int, count: int, limit: int) -> Message:
        point = f"{auction}-{who}"
        return _event("bid_placed", auction=auction, buyer=who, outpoint=point, quantity=str(count), limit=str(limit))

    # --- blocks

    def _time_ms(self) -> int:
        return START_MS + self._height * 850

    def _block(self, events: list[Message]) -> Message:
        self._height += 1
        proposer = self._height % VALIDATORS
        if proposer == self._down:
            proposer = (proposer + 1) % VALIDATORS
        for event in events:
            event["txid"] = f"{self._random.getrandbits(256):064x}"
        return {
            "kind": "block",
            "height": self._height,
            "hash": f"{self._random.getrandbits(256):064x}",
            "time_ms": self._time_ms(),
            "proposer": proposer,
            "epoch": 0,
            "validators": [f"Validator {index}" for index in range(VALIDATORS)],
            "view": self._height,
            "signers": [index for index in range(VALIDATORS) if index != self._down],
            "state_root": f"{self._random.getrandbits(256):064x}",
            "transactions": len(events),
            "events": events,
        }


def _event(kind: str, **fields: Any) -> Message:
    return {"kind": kind, "txid": "", "action_index": 0, **fields}


def last_block(messages: list[Message]) -> Message:
    return next(message for message in reversed(messages) if message["kind"] == "block")


class Recording:
    """A source that plays messages at once. `down` names a validator that does not answer."""

    def __init__(self, model: NetworkModel, messages: list[Message], down: int | None = None) -> None:
        self._model, self._messages, self._down = model, messages, down

    async def run(self) -> None:
        self.play()

    def play(self) -> None:
        for kind, items in names().items():
            self._model.apply_names(kind, items)
        for message in self._messages:
            (self._model.apply_block if message["kind"] == "block" else self._model.apply_live)(message)
        tip = last_block(self._messages) if self._messages else None
        for node in range(VALIDATORS):
            self._model.apply_status(node, None if node == self._down else status(node, tip, self._down))

    def freshness(self) -> Freshness:
        return Freshness("live", False)

    def answering(self) -> str:
        return ""


class StillStory:
    """A story that stands still: what the demo's driver would say, with the knobs written down."""

    def __init__(self, caption: str = CAPTION, down: bool = False) -> None:
        self.pressed: list[str] = []
        self._caption, self._down, self._paused = caption, down, False

    def state(self) -> StoryState:
        played = tuple(
            ProductionTime(device, plant[0], 2014 if device == 3 else 2016, (plant[5] + plant[6]) * DAY_S)
            for device, plant in PLANTS.items()
        )
        return StoryState(self._caption, SECOND_TERMINAL, "1 post a second a unit", self._paused, played, self._down)

    def faster(self) -> None:
        self.pressed.append("faster")

    def slower(self) -> None:
        self.pressed.append("slower")

    def toggle_pause(self) -> None:
        self._paused = not self._paused
        self.pressed.append("pause")

    def toggle_validator(self) -> None:
        self._down = not self._down
        self.pressed.append("validator")
