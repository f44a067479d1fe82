"""Deeds of a plant's owner: propose a plant for accreditation, object to a verdict."""

import time
from typing import TYPE_CHECKING

from tui.deeds.deed import Deed, Mistake
from tui.deeds.form import Field, Form, Values, scaled, signed_in, whole

if TYPE_CHECKING:
    from node.client import NodeClient
    from tui.account import Account

TERM_S = 5 * 365 * 86_400
TECHNOLOGIES = {  # EECS technology, fuel and the channels that such a plant measures
    "solar roof or field (T010100)": ("T010100", "F01040100", 6),
    "wind onshore (T020001)": ("T020001", "F01050100", 3),
}
INTERVALS = ("300", "600", "900", "3600")


def appeal_form(device: int, plant: str, day: int, date: str) -> Form:
    def make(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
        from state.transaction import FileAppeal

        me = signed_in(given).id
        return Deed("Object to a verdict", (FileAppeal(me, device, day, 0, 0, values["reason"].strip(), b""),))

    return Form(
        "appeal",
        f"Object to the verdict on {date} of {plant}",
        (Field("reason", "why the verdict is wrong", hint="goes on record; the authority answers within its term"),),
        make,
        "Evidence stays with you; `wattest device appeal --evidence FILE` puts its hash on record.",
    )


def plant_form() -> Form:
    return Form(
        "plant",
        "Register a plant",
        (
            Field("name", "name of the plant"),
            Field("scheme", "scheme", hint="name or number, such as SOLAR-KWH"),
            Field("technology", "technology", choices=tuple(TECHNOLOGIES)),
            Field("country", "country", hint="ISO 3166-1, two letters"),
            Field("location", "place in words", required=False),
            Field("zone", "bidding zone", hint="such as DK1", required=False),
            Field("capacity", "nameplate power in kW", hint="such as 6 or 2050.5"),
            Field("interval", "seconds between readings", "900", choices=INTERVALS),
            Field("latitude", "latitude, degrees north", hint="such as 39.7407"),
            Field("longitude", "longitude, degrees east", hint="such as -105.1686"),
        ),
        _propose,
        "The validators decide; facts cannot be changed later. More facts: `wattest device propose --help`.",
    )


def _propose(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
    from state.records import DeviceFacts
    from state.transaction import DeviceContent, Propose

    me = signed_in(given).id
    technology, fuel, channels = TECHNOLOGIES[values["technology"]]
    facts = DeviceFacts(
        name=values["name"].strip(),
        country=values["country"].strip().upper(),
        zone=values["zone"].strip(),
        location=values["location"].strip(),
        capacity_w=scaled(values["capacity"], 3, "nameplate power"),
        technology=technology,
        fuel=fuel,
        commissioned_day=0,
        interval_s=whole(values, "interval", "seconds between readings", least=1),
        channels=channels,
        latitude_udeg=scaled(values["latitude"], 6, "latitude"),
        longitude_udeg=scaled(values["longitude"], 6, "longitude"),
        coordinates_estimated=False,
        tilt_udeg=-1,
        azimuth_udeg=-1,
        hub_height_cm=0,
        insolation_source="pyranometer" if technology.startswith("T01") else "none",
        gsrn="",
        support="",
    )
    content = DeviceContent(me, _scheme(client, values["scheme"]), facts, int(time.time()) + TERM_S)
    return Deed("Register a plant", (Propose(me, content),), ("a quorum of validators has to approve it",))


def _scheme(client: "NodeClient", text: str) -> int:
    found = client.get("/v1/schemes")["schemes"]
    wanted = text.strip().casefold()
    for item in found:
        if wanted in (str(item["id"]), str(item["name"]).casefold()):
            return int(item["id"])
    raise Mistake(f"scheme: there are {', '.join(str(item['name']) for item in found)}, not {text!r}.")
