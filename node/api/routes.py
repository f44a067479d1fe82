"""The table of everything that this API answers. OpenAPI, the router and docs/API.md are checked against it."""

from node.api import chain, ledger, market, probes, public, readings, registry, search, streams
from node.api.calls import Body, Route
from node.api.parameters import (
    BLOCK,
    BLOCKS,
    CHAIN_PREFIX,
    COUNTRY,
    CURSOR,
    DAY,
    FLAG,
    HASH,
    HEIGHT,
    ID,
    LANGUAGE,
    PAGE,
    SECONDS,
    STATEMENT_ID,
    TECHNOLOGY,
    TEXT,
    Parameter,
    choice,
)
from node.api.requests import JSON, MSGPACK
from node.queries.exports import FORMATS
from node.queries.foreign_codes import SOURCES
from node.queries.groups import BY
from node.queries.ranges import STATUSES
from node.queries.search import SORTS
from state.units import MAX_TX_BYTES

HTML = "text/html"
PLAIN = "text/plain"
PYTHON = "text/x-python"
SCRIPT = "text/javascript"

PHASES = ("announced", "open", "opening", "closed", "settled", "void")
KINDS_OF_OUTPUT = (
    *("bundle", "funds", "offer", "bid", "sealed_offer", "sealed_bid", "listing", "purse"),
    *("delivery", "reserved", "guarantee", "pending", "payout_request", "handed", "security"),
)
PAGED = (
    Parameter("limit", PAGE, "items of this page, at most 200"),
    Parameter("cursor", CURSOR, "`cursor` of the page before"),
)


def names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FILTERS = (
    Parameter("source", choice(*SOURCES), "energy source"),
    Parameter("technology", TECHNOLOGY, "EECS technology code or its beginning"),
    Parameter("device", ID, "plant"),
    Parameter("zone", TEXT, "market zone of the plant"),
    Parameter("country", COUNTRY, "country of the plant"),
    Parameter("scheme", ID, "scheme"),
    Parameter("from", DAY, "first day of production"),
    Parameter("to", DAY, "last day of production"),
    Parameter("status", choice("live", *STATUSES), "live = active, locked or reserved"),
    Parameter("holder", ID, "participant; of what has ended, the last one"),
    Parameter("statement", STATEMENT_ID, "what this statement retired"),
)
SORTED = (
    Parameter("sort", choice(*SORTS), "by number, if not given"),
    Parameter("order", choice("up", "down"), "up, if not given"),
)
BY_ID = (Parameter("id", ID, "sequence number given by the ledger"),)
BY_NUMBER = (Parameter("number", TEXT, "certificate number, one or a range, with its check digits"),)
BY_STATEMENT = (Parameter("id", STATEMENT_ID, "first 16 bytes of the statement hash"),)
LANG = (Parameter("lang", LANGUAGE, "language of the page; without it, what Accept-Language prefers"),)
TOLD_IN = (Parameter("lang", LANGUAGE, "language of the sentences; English, if not given"),)
DAYS = (Parameter("from", DAY, "first day", required=True), Parameter("to", DAY, "last day", required=True))
AT = (Parameter("at", HEIGHT, "as it was after this block; as it is now, if not given"),)
VERBOSE = (Parameter("verbose", FLAG, "one line per check"),)

TRANSACTION = Body((MSGPACK, JSON), 2 * MAX_TX_BYTES + 64, 'signed bytes, or {"transaction": hex}')
BATCH = Body((MSGPACK,), ledger.MAX_BATCH_BYTES, "MessagePack array of 1 to 1,000 byte strings")
READINGS = Body((JSON,), readings.MAX_READINGS_BYTES, '{"readings": [text, ...], "signature": hex, "key": hex}')
CLOSE = Body(
    (JSON,),
    readings.MAX_CLOSE_BYTES,
    '{"close": [device, day, last_seq, count, head_hash, readings_root], "signature": hex, "key": hex}',
)

# What the listener of the public pages answers beside the pages: what they load, and what they offer for download.
BESIDE_PAGES = frozenset(
    {
        "/verify_statement.py",
        "/verify_statement.js",
        "/page_check.js",
        "/genesis.json",
        "/v1/openapi.json",
        "/v1/status",
        "/v1/supply",
        "/v1/search/export",
        "/v1/statements/{id}/proof",
    }
)

BLOCK_FIELDS = names(
    "version epoch height parent_hash timestamp_ms proposer tx_root state_root validators_hash next_validators_hash "
    "hash view signers transactions bytes"
)
TRANSACTION_FIELDS = names(
    "txid status height index time_ms signers actions content events code message params action_index"
)
STATUS_FIELDS = names(
    "chain_id name height hash state_root time_ms epoch view leader validators peers mempool syncing version node_index"
    " public_url sync"
)
VALIDATORS_FIELDS = names("epoch last_height validators waiting")
PARTICIPANT_FIELDS = names("id key name country recovery_key registered_at roles key_changes pending_recovery")
DEVICE_FIELDS = names(
    "id owner scheme facts until next_serial profile_hash profile_from profile_to scheme_name credential months "
    "neighbours debt credits pledges standing"
)
CERTIFICATE_FIELDS = names(
    "number device start end status holder holder_name statement beneficiary registry issuance facts scheme ranges "
    "history history_from codes energytag"
)
AUCTION_FIELDS = names(
    "id operator title lot_class currency floor ceiling opened_at opened_height closes_at orders status seed price "
    "quantity result_root terms phase_height phase_at settled_height forfeited results live_orders"
)
PROPOSAL_FIELDS = names(
    "id proposer content proposed_at proposed_height lapses_height approvals refusals status enacted_id"
)
STATEMENT_FIELDS = names(
    "id status holder holder_name txid action_index statement_hash quantity retired_at code emissions height time_ms "
    "facts amendment remarks"
)

ROUTES: tuple[Route, ...] = (
    # pages for people
    Route("GET", "/", public.home, query=LANG, produces=HTML),
    Route(
        "GET",
        "/search",
        public.search,
        query=(Parameter("q", TEXT, "a number, id or hash that names one thing"), *FILTERS, *SORTED, *PAGED, *LANG),
        produces=HTML,
    ),
    Route(
        "GET",
        "/statement/{id}",
        public.statement,
        where=BY_STATEMENT,
        query=(Parameter("c", CHAIN_PREFIX, "first 8 hexadecimal digits of the chain id"), *LANG),
        produces=HTML,
    ),
    Route("GET", "/certificate/{number}", public.certificate, where=BY_NUMBER, query=LANG, produces=HTML),
    Route("GET", "/trace/{number}", public.trace, where=BY_NUMBER, query=LANG, produces=HTML),
    Route(
        "GET",
        "/block/{block}",
        public.block,
        where=(Parameter("block", BLOCK, "height or hash"),),
        query=LANG,
        produces=HTML,
    ),
    Route(
        "GET",
        "/tx/{txid}",
        public.transaction,
        where=(Parameter("txid", HASH, "transaction id"),),
        query=LANG,
        produces=HTML,
    ),
    Route("GET", "/verify_statement.py", public.verifier, produces=PYTHON),
    Route("GET", "/verify_statement.js", public.verifier_script, produces=SCRIPT),
    Route("GET", "/page_check.js", public.page_script, produces=SCRIPT),
    Route("GET", "/genesis.json", public.genesis),
    # probes
    Route("GET", "/livez", probes.livez, query=VERBOSE, produces=PLAIN),
    Route("GET", "/readyz", probes.readyz, query=VERBOSE, produces=PLAIN),
    Route("GET", "/metrics", probes.metrics, produces=PLAIN),
    Route("GET", "/v1/openapi.json", probes.openapi),
    # the chain
    Route("GET", "/v1/status", ledger.status, "status/1", STATUS_FIELDS),
    Route("GET", "/v1/chain", chain.chain, produces="application/octet-stream"),
    Route("GET", "/v1/genesis", ledger.genesis, "genesis/1", ("chain_id", "genesis")),
    Route(
        "GET",
        "/v1/blocks",
        ledger.blocks,
        "blocks/1",
        ("blocks",),
        query=(Parameter("from", HEIGHT, "first height"), Parameter("count", BLOCKS, "at most 64, 20 by default")),
    ),
    Route(
        "GET",
        "/v1/blocks/{block}",
        ledger.block,
        "block/1",
        BLOCK_FIELDS,
        where=(Parameter("block", BLOCK, "height or hash"),),
    ),
    Route(
        "GET",
        "/v1/transactions/{txid}",
        ledger.transaction,
        "transaction/1",
        TRANSACTION_FIELDS,
        where=(Parameter("txid", HASH, "transaction id"),),
        query=TOLD_IN,
    ),
    Route("POST", "/v1/transactions", ledger.submit, "submitted/1", ("txid",), body=TRANSACTION, status=202),
    Route("POST", "/v1/transactions/batch", ledger.submit_batch, "batch/1", ("results",), body=BATCH, status=202),
    Route(
        "GET",
        "/v1/events",
        streams.events,
        query=(Parameter("from", HEIGHT, "first block of the replay; without it, the next one"),),
        status=101,
    ),
    Route(
        "GET",
        "/v1/search",
        search.search,
        "search/1",
        names("height total quantity energy_wh certificates cursor"),
        query=(*AT, *FILTERS, *SORTED, Parameter("limit", PAGE, "50, if not given; at most 200"), PAGED[1]),
    ),
    Route(
        "GET",
        "/v1/search/summary",
        search.summary,
        "search_summary/1",
        names("height by total quantity energy_wh groups"),
        query=(*AT, Parameter("by", choice(*BY), "property to add up by", required=True), *FILTERS),
    ),
    Route(
        "GET",
        "/v1/search/export",
        search.export,
        query=(*AT, Parameter("format", choice(*FORMATS), "json = one object a line", required=True), *FILTERS),
        produces="application/x-ndjson",
    ),
    Route("GET", "/v1/schemes", ledger.schemes, "schemes/1", ("schemes",), query=AT),
    Route("GET", "/v1/validators", ledger.validators, "validators/1", VALIDATORS_FIELDS, query=AT),
    Route("GET", "/v1/supply", ledger.supply, "supply/1", ("height", "schemes"), query=AT),
    # the registry
    Route(
        "GET",
        "/v1/participants",
        registry.participants,
        "participants/1",
        ("participants", "cursor"),
        query=(*AT, *PAGED, Parameter("key", HASH, "current public key")),
    ),
    Route(
        "GET", "/v1/participants/{id}", registry.participant, "participant/1", PARTICIPANT_FIELDS, where=BY_ID, query=AT
    ),
    Route(
        "GET",
        "/v1/participants/{id}/outputs",
        registry.outputs,
        "outputs/1",
        ("outputs", "cursor"),
        where=BY_ID,
        query=(
            *AT,
            *PAGED,
            Parameter(
                "kind",
                choice(*KINDS_OF_OUTPUT),
                "only these",
            ),
        ),
    ),
    Route(
        "GET",
        "/v1/devices",
        registry.devices,
        "devices/1",
        ("devices", "cursor"),
        query=(*AT, *PAGED, Parameter("owner", ID, "participant")),
    ),
    Route("GET", "/v1/devices/{id}", registry.device, "device/1", DEVICE_FIELDS, where=BY_ID, query=AT),
    Route(
        "GET",
        "/v1/devices/{id}/days",
        registry.days,
        "days/1",
        ("days", "cursor"),
        where=BY_ID,
        query=(*AT, *PAGED, Parameter("from", DAY, "first day"), Parameter("to", DAY, "last day")),
    ),
    Route(
        "GET",
        "/v1/devices/{id}/appeals",
        registry.appeals,
        "appeals/1",
        ("appeals", "cursor"),
        where=BY_ID,
        query=(*AT, *PAGED),
    ),
    Route(
        "GET",
        "/v1/appeals",
        registry.all_appeals,
        "appeals/1",
        ("appeals", "cursor"),
        query=(*AT, *PAGED, Parameter("status", choice("open", "upheld", "dismissed"), "only these")),
    ),
    Route(
        "GET",
        "/v1/devices/{id}/readings",
        registry.readings,
        "readings/1",
        ("device", "day", "readings"),
        where=BY_ID,
        query=(Parameter("day", DAY, "UTC day", required=True),),
    ),
    Route(
        "GET",
        "/v1/devices/{id}/curve",
        registry.curve,
        "curve/1",
        names("device day interval_s readings energy_wh measured_w expected_w allowed_w verdict reasons"),
        where=BY_ID,
        query=(Parameter("day", DAY, "UTC day", required=True),),
    ),
    Route(
        "GET",
        "/v1/devices/{id}/head",
        registry.head,
        "head/1",
        names("device last_seq hash day register_wh closed_seq closed_day closed_days dropped_days"),
        where=BY_ID,
    ),
    Route(
        "GET",
        "/v1/devices/{id}/evidence",
        registry.evidence,
        "evidence/1",
        ("device", "day", "close", "batches"),
        where=BY_ID,
        query=(Parameter("day", DAY, "UTC day", required=True),),
    ),
    Route(
        "GET",
        "/v1/devices/{id}/profile",
        registry.profile,
        "profile/1",
        ("device", "profile_hash"),
        where=BY_ID,
        query=(
            Parameter("from", SECONDS, "start of the window, s", required=True),
            Parameter("to", SECONDS, "end of the window, exclusive, s", required=True),
        ),
    ),
    Route(
        "GET",
        "/v1/consumption",
        registry.consumption_meters,
        "consumption_meters/1",
        ("meters", "cursor"),
        query=(*AT, *PAGED),
    ),
    Route(
        "GET",
        "/v1/consumption/{id}",
        registry.consumption_days,
        "consumption_days/1",
        ("meter", "days"),
        where=BY_ID,
        query=(*AT, *DAYS),
    ),
    Route(
        "GET",
        "/v1/consumption/{id}/match",
        registry.consumption_match,
        "consumption_match/1",
        ("meter", "owner", "hours", "total", "to_retire"),
        where=BY_ID,
        query=(*AT, *DAYS),
    ),
    Route(
        "GET",
        "/v1/certificates",
        registry.live_certificates,
        "certificates/1",
        ("certificates", "cursor"),
        query=(*AT, *PAGED, Parameter("holder", ID, "participant"), Parameter("device", ID, "device")),
    ),
    Route(
        "GET",
        "/v1/certificates/{number}",
        registry.certificate,
        "certificate/1",
        CERTIFICATE_FIELDS,
        where=BY_NUMBER,
        query=AT,
    ),
    Route(
        "GET",
        "/v1/proposals",
        registry.proposals,
        "proposals/1",
        ("proposals", "cursor"),
        query=(*AT, *PAGED, Parameter("status", choice("open", "enacted", "refused"), "only these")),
    ),
    Route("GET", "/v1/proposals/{id}", registry.proposal, "proposal/1", PROPOSAL_FIELDS, where=BY_ID, query=AT),
    Route(
        "GET",
        "/v1/statements",
        registry.live_statements,
        "statements/1",
        ("statements", "cursor"),
        query=(*AT, *PAGED, Parameter("holder", ID, "participant")),
    ),
    Route(
        "GET", "/v1/statements/{id}", registry.statement, "statement/1", STATEMENT_FIELDS, where=BY_STATEMENT, query=AT
    ),
    Route("GET", "/v1/statements/{id}/proof", registry.proof, where=BY_STATEMENT, produces=MSGPACK),
    # the market
    Route(
        "GET",
        "/v1/auctions",
        market.auctions,
        "auctions/1",
        ("auctions", "cursor"),
        query=(
            *AT,
            *PAGED,
            Parameter("status", choice(*PHASES), "only these"),
        ),
    ),
    Route("GET", "/v1/auctions/{id}", market.auction, "auction/1", AUCTION_FIELDS, where=BY_ID, query=AT),
    Route(
        "GET",
        "/v1/auctions/{id}/orders",
        market.orders,
        "orders/1",
        ("orders", "cursor"),
        where=BY_ID,
        query=(*AT, *PAGED, Parameter("participant", ID, "only of this one")),
    ),
    Route(
        "GET",
        "/v1/auctions/{id}/receipts",
        market.receipts,
        "receipts/1",
        ("auction", "title", "currency", "status", "receipts"),
        where=BY_ID,
        query=(
            *AT,
            *TOLD_IN,
            Parameter("participant", ID, "only of this one"),
        ),
    ),
    Route(
        "GET",
        "/v1/listings",
        market.listings,
        "listings/1",
        ("listings", "cursor"),
        query=(*AT, *PAGED, Parameter("participant", ID, "only of or for this one")),
    ),
    Route(
        "GET",
        "/v1/standing-bids",
        market.standing_bids,
        "standing_bids/1",
        ("standing_bids", "cursor"),
        query=(*AT, *PAGED, Parameter("participant", ID, "only of this one")),
    ),
    Route(
        "GET",
        "/v1/obligations",
        market.obligations,
        "obligations/1",
        ("obligations", "cursor"),
        query=(*AT, *PAGED, Parameter("participant", ID, "only of this buyer")),
    ),
    # meters and gateways
    Route("POST", "/v1/readings", readings.post_readings, "accepted/1", ("accepted", "duplicates"), body=READINGS),
    Route("POST", "/v1/days", readings.post_day, "accepted/1", ("accepted", "duplicates"), body=CLOSE),
)

PAGES = tuple(route for route in ROUTES if route.produces == HTML or route.path in BESIDE_PAGES)
