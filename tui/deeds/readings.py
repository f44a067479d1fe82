"""Sending a record of readings as a plant's own meter, signed with its key of this home, until a node has it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from state.units import DAY_S
from tui.deeds.deed import Deed, Mistake
from tui.deeds.form import Field, Form, Values
from tui.texts import counted, t
from tui.words import date

if TYPE_CHECKING:
    from node.client import NodeClient
    from node.keystore import PrivateKey
    from tui.account import Account
    from verifier.reading import Reading

MOST_BYTES = 256 * 1024 * 1024  # of a file: larger ones are for the command line


def readings_form(plant: dict[str, Any], home: Path, meter: "Account") -> Form:
    """`plant`: the API's device. `meter`: the key of the home that its credential names."""
    name = str(plant["facts"]["name"])

    def make(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
        found = _read(values["file"].strip(), t("file"))
        first, last = found[0].timestamp // DAY_S, found[-1].timestamp // DAY_S
        shut = values["end"] == ENDS[0]
        meter.name = t("the meter of {plant}", plant=name)
        notes = (
            t("send {readings} of {plant}, {first} to {last}", readings=counted(len(found), "reading"), plant=name,
              first=date(first), last=date(last)),
            t("what was sent before is not sent again; readings of days that the meter has closed are left out"),
            t("{date} is closed: nothing can be added to it", date=date(last)) if shut else
            t("{date} stays open until a reading of the next day comes", date=date(last)),
        )  # fmt: skip
        return Deed(t("Send readings"), (), notes, meter, _carrier(plant, home, found, shut))

    return Form(
        "readings",
        t("Send readings of {plant}", plant=name),
        (
            Field("file", t("file"), hint=t("csv or csv.gz: timestamp,id,pwr_avg,wind_spd,t,insolation")),
            Field("end", t("its last day"), ENDS[0], choices=ENDS),
        ),
        make,
        t("A record of 14 whole days gives a baseline; each day after it is judged when it is closed."),
    )


ENDS = ("is whole: close it", "goes on: leave it open")


def _read(text: str, label: str) -> "list[Reading]":
    """In the order of time. RecordUnusable says which line is no reading."""
    from node.recordfile import readings_of_one_plant

    path = Path(text).expanduser()
    if not path.is_file():
        raise Mistake(t("{label}: there is no file {path}.", label=label, path=path))
    if path.stat().st_size > MOST_BYTES:
        raise Mistake(t("{label}: it is too large for a form; `wattest meter send` takes it.", label=label))
    return sorted(readings_of_one_plant(path), key=lambda reading: reading.timestamp)


def _carrier(
    plant: dict[str, Any], home: Path, readings: "list[Reading]", shut: bool
) -> "Callable[[NodeClient, PrivateKey, Callable[[str], None]], list[str]]":
    def carry(client: "NodeClient", key: "PrivateKey", say: Callable[[str], None]) -> list[str]:
        from node.homemeter import HomeMeter, Manner, deliver

        chain = bytes.fromhex(client.status()["chain_id"])
        meter = HomeMeter(home, int(plant["id"]), int(plant["facts"]["interval_s"]), key, chain)

        def told(sent_seq: int, waiting: int) -> None:
            say(t("the node has readings up to number {sent}; {waiting} wait", sent=f"{sent_seq:,}", waiting=waiting))

        became = deliver(meter, readings, [client.url], Manner(close_last=shut, told=told))
        return [
            t("{readings} signed, and a node has them", readings=counted(became["accepted"], "reading")),
            t("{known} known already, {late} too late", known=became["duplicates"], late=became["late"]),
        ]

    return carry
