"""Handlers of the registry: participants, devices, certificates, proposals, statements."""

import asyncio

from aiohttp import web

from node.api.calls import Answer, Call
from node.api.parameters import write_cursor
from node.api.readings import batch_body, close_body
from node.api.refusals import BadParameter
from node.proof import build_proof
from node.queries import certificates, consumption, registry, statements
from node.queries.pages import Page

LAST_DAY = 2**32 - 1
OUTPOINT_BYTES = 34


def paged(name: str, page: Page) -> dict[str, object]:
    """The items under their own name, and the cursor of the next page, null at the end."""
    items, position = page
    return {name: items, "cursor": write_cursor(position) if position is not None else None}


async def participants(call: Call) -> Answer:
    """Participants by id; with `key`, the one whose current key it is."""
    if "key" in call.given:
        return paged("participants", ([registry.participant_of_key(call.store, call["key"])], None))
    return paged("participants", registry.participants_page(call.store, *call.page))


async def participant(call: Call) -> Answer:
    """One participant with the roles it is accredited for."""
    return registry.participant_dict(call.store, call["id"])


async def outputs(call: Call) -> Answer:
    """What a participant holds now: live outputs with their outpoints."""
    cursor, limit = call.page
    if cursor is not None and len(cursor) != OUTPOINT_BYTES:
        raise BadParameter(name="cursor", why="not a cursor that this list handed out")
    return paged("outputs", registry.outputs_page(call.store, call["id"], call.get("kind", ""), cursor, limit))


async def devices(call: Call) -> Answer:
    """Accredited devices; with `owner`, those of one participant."""
    return paged("devices", registry.devices_page(call.store, call.get("owner"), *call.page))


async def device(call: Call) -> Answer:
    """One device: facts, baseline profile, credential of its readings, energy account of each month."""
    return registry.device_dict(call.store, call["id"])


async def days(call: Call) -> Answer:
    """The verdicts of a device's days: accept, hold or reject, with reasons and energy."""
    first, last = call.get("from", 0), call.get("to", LAST_DAY)
    return paged("days", registry.days_page(call.store, call["id"], first, last, *call.page))


async def appeals(call: Call) -> Answer:
    """Objections to verdicts on the days of a device, with the authority's answers."""
    return paged("appeals", registry.appeals_page(call.store, call["id"], *call.page))


async def all_appeals(call: Call) -> Answer:
    """Objections of every device; with `status`, only those."""
    return paged("appeals", registry.all_appeals_page(call.store, call.get("status"), *call.page))


async def readings(call: Call) -> Answer:
    """The raw readings of one UTC day as this node holds them."""
    registry.device_dict(call.store, call["id"])
    return {
        "device": call["id"],
        "day": call["day"],
        "readings": list(call.services.readings_of_day(call["id"], call["day"])),
    }


async def curve(call: Call) -> Answer:
    """A UTC day for a chart: measured, expected and allowed watts of each interval, by this node's own verifier."""
    registry.device_dict(call.store, call["id"])
    return {"device": call["id"], "day": call["day"], **await call.services.curve(call["id"], call["day"])}


async def head(call: Call) -> Answer:
    """Where the chain of a device's readings stands at this node, and how many days it let go."""
    registry.device_dict(call.store, call["id"])
    at, dropped_days = call.services.head_of_device(call["id"])
    return {
        "device": call["id"],
        "last_seq": str(at.last_seq),
        "hash": at.hash.hex(),
        "day": at.day,
        "register_wh": None if at.register_wh is None else str(at.register_wh),
        "closed_seq": str(at.held_seq),
        "closed_day": at.held_day,
        "closed_days": at.held_days,
        "dropped_days": dropped_days,
    }


async def evidence(call: Call) -> Answer:
    """A UTC day as its meter signed it: the batches that hold it and its close; whoever has them can check the day."""
    registry.device_dict(call.store, call["id"])
    close, batches = await asyncio.to_thread(call.services.evidence_of_day, call["id"], call["day"])
    return {
        "device": call["id"],
        "day": call["day"],
        "close": None if close is None else close_body(close),
        "batches": [batch_body(batch) for batch in batches],
    }


async def profile(call: Call) -> Answer:
    """The baseline profile that this node computes from its own readings of a window; compare before you approve."""
    registry.device_dict(call.store, call["id"])
    if call["from"] >= call["to"]:
        raise BadParameter(name="from", why="the window ends before it begins")
    return {"device": call["id"], **await call.services.profile(call["id"], call["from"], call["to"])}


async def consumption_meters(call: Call) -> Answer:
    """Accredited meters of consumption."""
    return paged("meters", consumption.meters_page(call.store, *call.page))


async def consumption_days(call: Call) -> Answer:
    """What a consumption meter reported; the hours are for its owner, auditors and the authority."""
    first, last = call["from"], call["to"]
    return {"meter": call["id"], "days": consumption.reports(call.store, call["id"], first, last)}


async def consumption_match(call: Call) -> Answer:
    """Hours of a meter against certificates of the same hour: retired by its owner, and held by it."""
    if call["to"] < call["from"]:
        raise BadParameter(name="to", why="it is before the first day")
    return await asyncio.to_thread(consumption.match_dict, call.store, call["id"], call["from"], call["to"])


async def certificate(call: Call) -> Answer:
    """Where a certificate (or each part of a range) is now, and its whole life."""
    return certificates.certificate_dict(call.store, call["number"])


async def live_certificates(call: Call) -> Answer:
    """Live ranges of certificates, by holder and device if wanted."""
    cursor, limit = call.page
    holder = call.get("holder")
    if holder is not None and cursor is not None and len(cursor) != OUTPOINT_BYTES:
        raise BadParameter(name="cursor", why="not a cursor that this list handed out")
    page = certificates.certificates_page(call.store, holder, call.get("device"), cursor, limit)
    return paged("certificates", page)


async def proposals(call: Call) -> Answer:
    """Accreditation proposals and their votes; with `status`, only those."""
    return paged("proposals", registry.proposals_page(call.store, call.get("status"), *call.page))


async def proposal(call: Call) -> Answer:
    """One proposal: what it asks for and who approved."""
    return registry.proposal_dict(call.store, call["id"])


async def live_statements(call: Call) -> Answer:
    """Retirement statements; with `holder`, those of one participant."""
    return paged("statements", statements.statements_page(call.store, call.get("holder"), *call.page))


async def statement(call: Call) -> Answer:
    """One retirement statement with every fact that its hash on chain vouches for."""
    return statements.statement_dict(call.store, call["id"], call.services.emissions)


async def proof(call: Call) -> Answer:
    """The statement's proof file: verifiable offline with cli/verify_statement.py."""
    return web.Response(
        body=build_proof(call.store, call["id"]),
        content_type="application/msgpack",
        headers={"Content-Disposition": f'attachment; filename="statement-{call["id"].hex()}.proof"'},
    )
