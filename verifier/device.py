"""What the verifier must know about a plant: integers from its ledger record or from a devices file."""

from typing import Annotated, Literal

from msgspec import Meta

from state import records
from state.codec import Wire
from state.errors import ReadingRefusal
from state.records import Channel
from state.units import DAY_S

WIND_CHANNEL, TEMPERATURE_CHANNEL, INSOLATION_CHANNEL = Channel.WIND, Channel.TEMPERATURE, Channel.INSOLATION

UNKNOWN_PLANE, HORIZONTAL, IN_PLANE = 0, 1, 2  # how the irradiance sensor lies; unknown lets the baseline decide
OWN_CLIMATE, INDEPENDENT_CLIMATE = 0, 1  # who measures wind or insolation: the plant's owner, or somebody else

NO_COORDINATE = 2**31
NO_ANGLE = -1

SOLAR_CODES, WIND_CODES = "T01", "T02"  # EECS technology codes begin so
SOURCES = {  # where insolation comes from -> how the sensor lies, whose it is
    "none": (UNKNOWN_PLANE, OWN_CLIMATE),
    "pyranometer": (UNKNOWN_PLANE, OWN_CLIMATE),
    "plane": (IN_PLANE, OWN_CLIMATE),
    "satellite": (HORIZONTAL, INDEPENDENT_CLIMATE),
}


class DeviceFacts(Wire, frozen=True):
    """The facts that a verdict depends on; whatever is unknown has a value that says so."""

    technology: Literal["wind", "solar"]
    nameplate_w: Annotated[int, Meta(ge=1, le=10**12)]
    interval_s: Annotated[int, Meta(ge=60, le=3_600)]
    latitude_udeg: int = NO_COORDINATE  # millionths of a degree, north and east positive
    longitude_udeg: int = NO_COORDINATE
    coordinates_estimated: bool = False
    tilt_udeg: int = NO_ANGLE  # of the modules, from horizontal
    azimuth_udeg: int = NO_ANGLE  # of the modules, clockwise from north
    channels: int = 7
    plane: int = UNKNOWN_PLANE
    climate_source: int = OWN_CLIMATE

    @property
    def slots(self) -> int:
        """Intervals of a UTC day."""
        return DAY_S // self.interval_s

    @property
    def located(self) -> bool:
        return self.latitude_udeg != NO_COORDINATE and self.longitude_udeg != NO_COORDINATE

    @property
    def plane_known(self) -> bool:
        return self.tilt_udeg != NO_ANGLE and self.azimuth_udeg != NO_ANGLE


def facts_of_record(record: records.DeviceFacts) -> DeviceFacts:
    """What the verifier takes from a device's ledger record; ReadingRefusal where it can never judge the plant."""
    technology = record.technology[:3]
    if technology not in (SOLAR_CODES, WIND_CODES):
        raise ReadingRefusal(why=f"the verifier knows wind and solar, not technology {record.technology}")
    solar = technology == SOLAR_CODES
    plane, source = SOURCES.get(record.insolation_source, SOURCES["none"]) if solar else SOURCES["none"]
    facts = DeviceFacts(
        technology="solar" if solar else "wind",
        nameplate_w=record.capacity_w,
        interval_s=record.interval_s,
        latitude_udeg=record.latitude_udeg,
        longitude_udeg=record.longitude_udeg,
        coordinates_estimated=record.coordinates_estimated,
        tilt_udeg=record.tilt_udeg,
        azimuth_udeg=record.azimuth_udeg,
        channels=record.channels,
        plane=plane,
        climate_source=source,
    )
    require_usable(facts)
    return facts


def require_usable(device: DeviceFacts) -> None:
    """ReadingRefusal for facts no verdict can be made from; checked where a device enters, never in a verdict."""
    if not (1 <= device.nameplate_w <= 10**12 and 60 <= device.interval_s <= 3_600):
        raise ReadingRefusal(why="nameplate or interval is out of range")
    if DAY_S % device.interval_s:
        raise ReadingRefusal(why=f"an interval of {device.interval_s} s does not divide a day")
    if device.technology == "solar" and not device.located:
        raise ReadingRefusal(why="a solar plant needs its coordinates")
    if device.located and not (abs(device.latitude_udeg) <= 90_000_000 and abs(device.longitude_udeg) <= 180_000_000):
        raise ReadingRefusal(why="the coordinates are not on the globe")
    tilt, azimuth = device.tilt_udeg, device.azimuth_udeg
    if not (tilt <= 90_000_000 and azimuth < 360_000_000 and min(tilt, azimuth) >= NO_ANGLE):
        raise ReadingRefusal(why="the plane of the modules is not a plane: tilt 0..90, azimuth below 360 degrees")
