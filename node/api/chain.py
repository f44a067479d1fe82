"""The handler that gives the whole chain away, so that anybody can audit it."""

import asyncio

from aiohttp import web

from node.api.access import HEADER, reader_of
from node.api.calls import Call
from node.api.refusals import AuditorNeeded, Busy
from node.auditing.chain_file import chain_bytes, chain_records, final_height
from node.queries.access import Sight

AT_ONCE = 2  # each reads every block from the disk
CHUNK_BYTES = 256 * 1024


class Chains:
    """How many are being read now."""

    def __init__(self) -> None:
        self.count = 0


CHAINS: web.AppKey[Chains] = web.AppKey("chains", Chains)


async def chain(call: Call) -> web.StreamResponse:
    """The whole chain as a file, for auditors and authorities: all that `wattest audit FILE` needs."""
    reader = reader_of(call.store, call.services.chain, call.request.headers.get(HEADER))
    if reader.sight < Sight.AUDITOR:
        raise AuditorNeeded()  # references of money stand in the signed bytes and cannot be taken out
    chains = call.request.app[CHAINS]
    if chains.count >= AT_ONCE:
        raise Busy(limit=AT_ONCE, what="readers of the whole chain", retry_after_s=5)
    chains.count += 1
    try:
        return await _stream(call)
    finally:
        chains.count -= 1


async def _stream(call: Call) -> web.StreamResponse:
    height = final_height(call.store)
    response = web.StreamResponse(
        headers={
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f'attachment; filename="{call.services.chain.hex()[:8]}-{height}.chain"',
            "X-Ledger-Height": str(height),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
    )
    pieces = chain_bytes(chain_records(call.store, call.services.genesis, height))
    waiting = [next(pieces), next(pieces)]  # a node that cannot begin refuses before it answers
    await response.prepare(call.request)
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= CHUNK_BYTES:
            await response.write(b"".join(waiting))
            waiting, size = [], 0
        await asyncio.sleep(0)
    await response.write(b"".join(waiting))
    await response.write_eof()
    return response
