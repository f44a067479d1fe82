"""Who and what the ids of events are: participants, devices, schemes, and certificate numbers made of them.

Names come from the node's lists (`apply`) and from registrations as they happen. Until a name is known an id speaks for
itself, and `wanted` says that the lists should be asked for again.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from state.errors import BadNumber
from state.numbering import CertificateNumber, format_number
from tui.texts import t

TECHNOLOGIES = {"T01": "solar", "T02": "wind", "T03": "hydro", "T04": "marine"}


@dataclass(frozen=True)
class DeviceName:
    name: str
    country: str
    technology: str
    scheme: int
    owner: int = 0


@dataclass(frozen=True)
class SchemeName:
    name: str
    unit: str
    serial_digits: int


@dataclass
class Names:
    registry: str = "WAT"
    participants: dict[int, str] = field(default_factory=dict)
    devices: dict[int, DeviceName] = field(default_factory=dict)
    schemes: dict[int, SchemeName] = field(default_factory=dict)
    wanted: bool = True  # the lists are to be asked for

    def apply(self, kind: str, items: list[dict[str, Any]]) -> None:
        """A list of the node's API: `participants`, `devices` or `schemes`."""
        for item in items:
            match kind:
                case "participants":
                    self.participants[item["id"]] = item["name"]
                case "schemes":
                    self.schemes[item["id"]] = SchemeName(item["name"], item["unit"], int(item["serial_digits"]))
                case "devices":
                    facts = item["facts"]
                    self.devices[item["id"]] = DeviceName(
                        facts["name"],
                        facts["country"],
                        TECHNOLOGIES.get(facts["technology"][:3], facts["technology"]),
                        item["scheme"],
                        int(item.get("owner", 0)),
                    )

    def participant(self, number: int) -> str:
        if number not in self.participants:
            self.wanted = True
        return self.participants.get(number) or t("participant {number}", number=number)

    def device(self, number: int) -> DeviceName:
        if number not in self.devices:
            self.wanted = True
        return self.devices.get(number, DeviceName(t("device {number}", number=number), "", "", 0))

    def scheme(self, number: int) -> SchemeName:
        """Its unit as the language writes it."""
        found = self.schemes.get(number)
        if found is None:
            return SchemeName(t("scheme {number}", number=number), "", 0)
        return replace(found, unit=t(found.unit, "unit"))

    def unit_of(self, device: int) -> str:
        return self.scheme(self.device(device).scheme).unit

    def number(self, device: int, scheme: int, month: int, start: int, end: int) -> str:
        """The certificate number as people type it, or the bare serials while its decoration is not known."""
        found = self.device(device)
        digits = self.scheme(scheme).serial_digits
        try:
            return format_number(CertificateNumber(self.registry, found.country, device, month, start, end, digits))
        except BadNumber:
            return (
                t("device {device}, {start} to {end}", device=device, start=start, end=end)
                if end > start
                else t("device {device}, {start}", device=device, start=start)
            )
