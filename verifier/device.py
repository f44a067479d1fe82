"""What the verifier must know about a plant: integers from its ledger record or from a devices file."""

from typing import Annotated, Literal

from msgspec import Meta

from state.codec import Wire
from state.errors import ReadingRefusal
from state.units import DAY_S

WIND_CHANNEL, TEMPERATURE_CHANNEL, INSOLATION_CHANNEL = 1, 2, 4  # bits of `channels`

UNKNOWN_PLANE, HORIZONTAL, IN_PLANE = 0, 1, 2  # how the irradiance sensor lies; unknown lets the baseline decide
OWN_CLIMATE, INDEPENDENT_CLIMATE = 0, 1  # who measures wind or insolation: the plant's owner, or somebody else

NO_COORDINATE = 2**31 - 1
NO_ANGLE = -1


class DeviceFacts(Wire, frozen=True):
    """The facts that a verdict depends on; whatever is unknown has a value that says so."""

    technology: Literal["wind", "solar"]
    nameplate_w: Annotated[int, Meta(ge=1, le=10**12)]
    interval_s: Annotated[int, Meta(ge=60, le=3_600)]
    latitude_udeg: int = NO_COORDINATE  # millionths of a degree, north and east positive
    longitude_udeg: int = NO_COORDINATE
    coordinates_estimated: bool = False
    tilt_deg: int = NO_ANGLE  # of the modules, from horizontal
    azimuth_deg: int = NO_ANGLE  # of the modules, clockwise from north
    channels: int = WIND_CHANNEL | TEMPERATURE_CHANNEL | INSOLATION_CHANNEL
    plane: int = UNKNOWN_PLANE
    climate_source: int = OWN_CLIMATE
    hub_height_m: int = -1
    rotor_m: int = -1

    @property
    def slots(self) -> int:
        """Intervals of a UTC day."""
        return DAY_S // self.interval_s

    @property
    def located(self) -> bool:
        return self.latitude_udeg != NO_COORDINATE and self.longitude_udeg != NO_COORDINATE

    @property
    def plane_known(self) -> bool:
        return self.tilt_deg != NO_ANGLE and self.azimuth_deg != NO_ANGLE


def require_usable(device: DeviceFacts) -> None:
    """ReadingRefusal for facts no verdict can be made from; checked where a device enters, never in a verdict."""
    if DAY_S % device.interval_s:
        raise ReadingRefusal(why=f"an interval of {device.interval_s} s does not divide a day")
    if device.technology == "solar" and not device.located:
        raise ReadingRefusal(why="a solar plant needs its coordinates")
    if device.located and not (abs(device.latitude_udeg) <= 90_000_000 and abs(device.longitude_udeg) <= 180_000_000):
        raise ReadingRefusal(why="the coordinates are not on the globe")
    if not (device.tilt_deg <= 90 and device.azimuth_deg < 360 and min(device.tilt_deg, device.azimuth_deg) >= -1):
        raise ReadingRefusal(why="the plane of the modules is not a plane: tilt 0..90, azimuth 0..359")
