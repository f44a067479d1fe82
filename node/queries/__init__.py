"""What can be asked of a ledger: pure reads over a store, each answering in values that JSON can carry.

Nothing here waits, writes or knows HTTP: the API, the feed and the public pages all answer from these functions.
"""
