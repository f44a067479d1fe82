"""consumption: what an accredited meter of a consumer measured, hour by hour, once for each day.

The counterpart of production: certificates of one hour are matched with what was used in that hour
(`contracts/matching.py`). A report is signed by the meter's key, so it is a machine action that anybody may send; the
raw readings stay with their owner, and the report carries their root. Hours in Wh, 24 a UTC day.
"""

from contracts.calendar import LAST_SECOND, day_start
from contracts.context import Context
from contracts.countries import require_country
from contracts.events import Consumed
from contracts.keys import require_fresh
from contracts.register import require_line, require_text
from contracts.schemes import HOURS
from state.crypto import signed_bytes, verify
from state.errors import AlreadyExists, BadField, BadSignature, TermOver
from state.keyspace import consumption_key, consumption_meter_key
from state.overlay import Snapshot
from state.records import Consumption, ConsumptionMeter
from state.spoken import Said, format_day
from state.transaction import ConsumptionMeterContent, ReportConsumption
from state.units import DAY_S

TAG = "wattest/consumed"
MAX_HOUR_WH = 10**15  # a hundred times the largest country, so that no sum leaves a u64


# --- the meter, by proposal


def check_content(context: Context, content: ConsumptionMeterContent, proposer: int) -> None:
    if content.owner != proposer:
        raise BadField(field="owner", why="a consumption meter is proposed by its owner")
    require_fresh(context, content.key)
    require_text("name", content.name)
    require_line("zone", content.zone)
    require_country("country", content.country)
    if content.until > LAST_SECOND:
        raise BadField(field="until", why="after the year 9999")


def enact(context: Context, content: ConsumptionMeterContent) -> int:
    number = context.next_number("consumption meter")
    context.overlay.put(
        consumption_meter_key(number),
        ConsumptionMeter(
            number, content.owner, content.key, content.name, content.country, content.zone, content.until
        ),
    )
    return number


# --- its report of a day


def report_bytes(chain: bytes, meter: int, day: int, hours_wh: tuple[int, ...], readings_root: bytes) -> bytes:
    """What the meter's key signs."""
    return signed_bytes(TAG, chain, (meter, day, hours_wh, readings_root))


def check(context: Context, action: ReportConsumption) -> None:
    environment = context.environment
    key = consumption_meter_key(action.meter)
    meter = context.record(key, ConsumptionMeter, "consumption meter", action.meter)
    if not environment.before(meter.until):
        raise TermOver(what="consumption meter", id=meter.id, until=meter.until, now=environment.time_s)
    if day_start(action.day + 1) > environment.time_s:
        raise BadField(field="day", why="it has not ended")
    if len(action.hours_wh) != HOURS:
        raise BadField(field="hours_wh", why=f"{HOURS} hours a day")
    if max(action.hours_wh) > MAX_HOUR_WH:
        raise BadField(field="hours_wh", why=f"at most {MAX_HOUR_WH} Wh an hour")
    if context.overlay.get(consumption_key(action.meter, action.day)) is not None:
        raise AlreadyExists(what="the consumption of day", id=action.day)
    message = report_bytes(environment.chain, action.meter, action.day, action.hours_wh, action.readings_root)
    if not verify(meter.key, message, action.signature):
        raise BadSignature(index=0)


def apply(context: Context, action: ReportConsumption) -> None:
    meter = context.record(consumption_meter_key(action.meter), ConsumptionMeter, "consumption meter", action.meter)
    context.overlay.put(
        consumption_key(action.meter, action.day),
        Consumption(action.meter, action.day, meter.owner, action.hours_wh, action.readings_root, context.txid),
    )
    context.announce(Consumed(action.meter, action.day, meter.owner, action.readings_root))


def describe(action: ReportConsumption) -> Said:
    return Said(
        "report what consumption meter {meter} measured on {day}", meter=action.meter, day=format_day(action.day)
    )


def consumption_between(state: Snapshot, meter: int, first: int, last: int) -> list[Consumption]:
    """Reports of the days first..last, oldest first."""
    low, high = consumption_key(meter, first), consumption_key(meter, last) + b"\x00"
    return [entry for _, entry in state.scan(low, high) if isinstance(entry, Consumption)]


def hours_of(reports: list[Consumption]) -> list[tuple[int, int]]:
    """(start of the hour in s, Wh) of every reported hour, in order."""
    size = DAY_S // HOURS
    return [
        (day_start(report.day) + hour * size, energy_wh)
        for report in reports
        for hour, energy_wh in enumerate(report.hours_wh)
    ]
