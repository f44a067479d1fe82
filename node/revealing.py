"""Opening by hand what a home has sealed: by a command, by the next command that sends anything, by a dashboard.

Where owners open a book only they hold the openings, and half of what stands behind an order is lost without one. That
must not hang on somebody thinking of it in time, so whatever of the wallet runs then does it. No key is needed.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from node.client import NodeClient
from node.failures import RefusedByNode
from node.openings import FOLDER, Opening, kept
from node.wallet import build_body, raw_and_id
from state.transaction import Transaction

OPEN_BY_NOW = ("opening_wrong", "auction_phase", "conflict", "duplicate")  # what is told when another one was first


def still_shut(client: NodeClient, auction: int, openings: Iterable[Opening]) -> list[tuple[Opening, int]]:
    """(opening, number of its order) of those that nobody has opened yet."""
    by_commitment = {opening.commitment.hex(): opening for opening in openings}
    found = []
    for participant in sorted({opening.participant for opening in by_commitment.values()}):
        path = f"/v1/auctions/{auction}/orders"
        for order in client.pages(path, "orders", participant=participant):
            opening = by_commitment.get(order.get("commitment", ""))
            if opening is not None:
                found.append((opening, int(order["order"])))
    return found


def reveal(client: NodeClient, opening: Opening, order: int) -> str:
    """Hand the opening in; the id of its transaction. RefusedByNode, with a code of OPEN_BY_NOW where it is open."""
    tip = int(client.status()["height"])
    body = build_body(bytes.fromhex(opening.chain), (), [opening.reveal(order)], tip)
    raw, txid = raw_and_id(Transaction(body, ()))
    client.submit(raw)
    return txid


def reveal_kept(home: Path, client: NodeClient) -> list[tuple[int, int]]:
    """Hand in what only this home can open and is due: (auction, order) of each; asks nothing where none is."""
    if not any((home / FOLDER).glob("*.json")):
        return []
    openings = [each for each in kept(home, bytes.fromhex(client.status()["chain_id"])) if not each.envelope]
    handed_in = []
    for auction in _being_opened(client) if openings else []:
        number = int(auction["id"])
        for opening, order in still_shut(client, number, [each for each in openings if each.auction == number]):
            try:
                reveal(client, opening, order)
            except RefusedByNode as refused:
                if refused.reason not in OPEN_BY_NOW:
                    raise
            else:
                handed_in.append((number, order))
    return handed_in


def _being_opened(client: NodeClient) -> list[dict[str, Any]]:
    return list(client.pages("/v1/auctions", "auctions", status="opening"))
