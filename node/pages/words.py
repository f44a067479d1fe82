"""Words of the pages for what the ledger says in codes."""

ACTION_WORDS = {
    "issue": "issued",
    "transfer": "transferred",
    "offer": "offered in an auction",
    "cancel": "offer taken back",
    "settle": "sold in an auction",
    "deliver": "delivered to the buyer",
    "retire": "retired",
    "expire": "expired",
}

PURPOSE_WORDS = {
    "voluntary": "voluntary claim",
    "compliance": "compliance",
    "own_consumption": "own consumption",
}
