"""Deeds of a plant's owner: propose a plant, its meter, its baseline; object to a verdict."""

import time
from datetime import datetime
from typing import TYPE_CHECKING

from tui.deeds.deed import Deed, Mistake
from tui.deeds.form import Field, Form, Values, scaled, signed_in, whole
from tui.deeds.sessions import scheme_named
from tui.texts import t

if TYPE_CHECKING:
    from node.client import NodeClient
    from tui.account import Account

TERM_S = 5 * 365 * 86_400
TECHNOLOGIES = {  # EECS technology, fuel and the channels that such a plant measures
    "solar roof or field (T010100)": ("T010100", "F01040100", 6),
    "wind onshore (T020001)": ("T020001", "F01050100", 3),
}
SUNLIGHT = ("pyranometer", "plane", "satellite")  # a plant's own instrument is held to tighter bounds
KEY_DIGITS = 64
DAY_S = 86_400
INTERVALS = ("300", "600", "900", "3600")


def appeal_form(device: int, plant: str, day: int, date: str) -> Form:
    def make(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
        from state.transaction import FileAppeal

        me = signed_in(given).id
        return Deed(t("Object to a verdict"), (FileAppeal(me, device, day, 0, 0, values["reason"].strip(), b""),))

    return Form(
        "appeal",
        t("Object to the verdict on {date} of {plant}", date=date, plant=plant),
        (
            Field(
                "reason", t("why the verdict is wrong"), hint=t("goes on record; the authority answers within its term")
            ),
        ),
        make,
        t("Evidence stays with you; `wattest device appeal --evidence FILE` puts its hash on record."),
    )


def plant_form() -> Form:
    return Form(
        "plant",
        t("Register a plant"),
        (
            Field("name", t("name of the plant")),
            Field("scheme", t("scheme"), hint=t("name or number, such as SOLAR-KWH")),
            Field("technology", t("technology"), choices=tuple(TECHNOLOGIES)),
            Field("country", t("country"), hint=t("ISO 3166-1, two letters")),
            Field("location", t("place in words"), required=False),
            Field("zone", t("bidding zone"), hint=t("such as DK1"), required=False),
            Field("capacity", t("nameplate power in kW"), hint=t("such as 6 or 2050.5")),
            Field("interval", t("seconds between readings"), "900", choices=INTERVALS),
            Field("latitude", t("latitude, degrees north"), hint=t("such as 39.7407")),
            Field("longitude", t("longitude, degrees east"), hint=t("such as -105.1686")),
            Field("sun", t("solar: sunlight is told by"), SUNLIGHT[0], choices=SUNLIGHT),
            Field(
                "tilt",
                t("solar: tilt of the modules, degrees"),
                hint=t("such as {example}", example="45"),
                required=False,
            ),
            Field(
                "azimuth",
                t("solar: they face, degrees from north"),
                hint=t("such as {example}", example="180"),
                required=False,
            ),
        ),
        _propose,
        t("The validators decide; facts cannot be changed later. More facts: `wattest device propose --help`."),
    )


def _propose(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
    from state.records import DeviceFacts
    from state.transaction import DeviceContent, Propose

    me = signed_in(given).id
    technology, fuel, channels = TECHNOLOGIES[values["technology"]]
    solar = technology.startswith("T01")
    facts = DeviceFacts(
        name=values["name"].strip(),
        country=values["country"].strip().upper(),
        zone=values["zone"].strip(),
        location=values["location"].strip(),
        capacity_w=scaled(values["capacity"], 3, t("nameplate power")),
        technology=technology,
        fuel=fuel,
        commissioned_day=0,
        interval_s=whole(values, "interval", t("seconds between readings"), least=1),
        channels=channels,
        latitude_udeg=scaled(values["latitude"], 6, t("latitude")),
        longitude_udeg=scaled(values["longitude"], 6, t("longitude")),
        coordinates_estimated=False,
        tilt_udeg=_angle(values, "tilt", t("solar: tilt of the modules, degrees")) if solar else -1,
        azimuth_udeg=_angle(values, "azimuth", t("solar: they face, degrees from north")) if solar else -1,
        hub_height_cm=0,
        insolation_source=values["sun"] if solar else "none",
        gsrn="",
        support="",
    )
    content = DeviceContent(me, int(scheme_named(client, values["scheme"])["id"]), facts, int(time.time()) + TERM_S)
    place = t(
        "at latitude {latitude}, longitude {longitude}, a reading every {seconds} s; scheme {scheme}",
        latitude=values["latitude"].strip(),
        longitude=values["longitude"].strip(),
        seconds=facts.interval_s,
        scheme=values["scheme"].strip().upper(),
    )
    notes = (place, t("a quorum of validators has to approve it"))
    return Deed(t("Register a plant"), (Propose(me, content),), notes)


def meter_form(device: int, plant: str) -> Form:
    def make(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
        from state.transaction import MeterContent, Propose

        me, text = signed_in(given).id, values["signer"].strip().lower()
        own = len(text) == KEY_DIGITS and all(letter in "0123456789abcdef" for letter in text)
        gateway = 0 if own else whole({"signer": text}, "signer", t("who signs"), least=1)
        content = MeterContent(device, bytes.fromhex(text) if own else b"", gateway, int(time.time()) + TERM_S)
        return Deed(t("Name the meter"), (Propose(me, content),), (t("a quorum of validators has to approve it"),))

    return Form(
        "meter",
        t("Who signs the readings of {plant}", plant=plant),
        (
            Field(
                "signer",
                t("who signs"),
                hint=t("number of a gateway, such as 1; or the meter's own public key, 64 digits"),
            ),
        ),
        make,
        t("A meter makes its key by `wattest keys add NAME --purpose device`; a gateway's operator knows its number."),
    )


def baseline_form(device: int, plant: str) -> Form:
    def make(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
        from state.transaction import ProfileContent, Propose

        me = signed_in(given).id
        begins, ends = _midnight(values, "from", t("first day")), _midnight(values, "to", t("last day")) + DAY_S
        path = f"/v1/devices/{device}/profile"
        computed = str(client.get(path, from_=begins, to=ends)["profile_hash"])
        content = ProfileContent(device, bytes.fromhex(computed), begins, ends)
        notes = (
            t("this node computes it from its own readings; so does each validator before it approves"),
            t("a quorum of validators has to approve it"),
        )
        return Deed(t("Propose the baseline"), (Propose(me, content),), notes)

    return Form(
        "baseline",
        t("The baseline of {plant}", plant=plant),
        (
            Field("from", t("first day"), hint=t("such as {example}", example="2026-03-01")),
            Field("to", t("last day"), hint=t("such as {example}; at least 14 whole days", example="2026-05-31")),
        ),
        make,
        t("What the plant gives in which weather is learnt from these days; later days are held against it."),
    )


def _midnight(values: Values, name: str, label: str) -> int:
    try:
        return int(datetime.fromisoformat(values[name].strip() + "T00:00:00+00:00").timestamp())
    except ValueError:
        raise Mistake(t("{label}: a day such as 2026-03-01, not {text!r}.", label=label, text=values[name])) from None


def _angle(values: Values, name: str, label: str) -> int:
    """In millionths of a degree; -1 where it is not known."""
    return scaled(values[name], 6, label) if values[name].strip() else -1
