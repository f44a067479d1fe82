"""The HTTP API of a node: a table of routes, one file of handlers per noun, and what guards them.

    routes      the table: every method, path, parameter, limit and answer; the OpenAPI document is made from it
    services    what the API may ask of the node that it stands in front of
    parameters  one parser per kind of path and query parameter
    requests    bodies: length, time, media type, strict JSON
    refusals    what HTTP itself refuses, and the status of every refusal of the ledger
    limits      token buckets per address, caps
    guard       the middleware: request id, buckets, refusals to JSON
    server      the aiohttp application

Reads answer from the committed store alone, so what they say is final and never retracted. Writes are decoded and
admitted, nobody waits for a block.
"""
