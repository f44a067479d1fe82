"""Pages of a block and of a transaction: where every step of a certificate's life can be looked up by a person."""

from html import escape
from typing import Any

from node.pages.figures import moment
from node.pages.html import Frame, Safe, code, joined, page, pairs, paragraph, path_of
from node.pages.words import ACTION_WORDS, STANDINGS, worded
from node.texts import DEFAULT, TAGS, Texts

MOST_SHOWN = 200  # transactions of a block, and certificates of a transaction

Shown = dict[str, Any]


def block(frame: Frame, shown: Shown) -> str:
    """The page of `node.queries.ledger_pages.block_told`."""
    t = frame.t
    height = shown["height"]
    title = t("Block {height}", height=height)
    facts = [
        (t("Ledger time"), moment(t, shown["timestamp_ms"] // 1000)),
        (t("Proposed by"), shown["proposer_name"]),
        (t("Made final by"), ", ".join(shown["signer_names"]) or t("the votes for a later block")),
        (t("Epoch, view"), f"{shown['epoch']}, {shown['view'] if shown['view'] is not None else '-'}"),
        (t("Hash"), code(shown["hash"])),
        (t("Block before"), _link_to_block(frame, height - 1) if height else ""),
        (t("Block after"), _link_to_block(frame, height + 1) if shown["followed"] else ""),
        (t("State hash"), code(shown["state_root"])),
        (t("Hash of its transactions"), code(shown["tx_root"])),
    ]
    items = [_transaction_item(frame, item) for item in shown["told"]]
    listed = Safe(f'<ul class="list">{joined(items)}</ul>') if items else paragraph(t("None: the ledger's heartbeat."))
    more = len(shown["transactions"]) - len(items)
    return _page(frame, title, facts, t("Transactions"), joined([listed, _more(t, more)]))


def transaction(frame: Frame, shown: Shown) -> str:
    """The page of `node.queries.ledger_pages.transaction_told`."""
    t = frame.t
    facts = [
        (t("Transaction"), code(shown["txid"])),
        (t("Status"), worded(t, STANDINGS, shown["status"])),
        (t("Why"), shown["why"]),
        (t("Block"), _link_to_block(frame, shown["height"]) if shown["height"] is not None else ""),
        (t("Ledger time"), moment(t, shown["time_ms"] // 1000) if shown["time_ms"] else ""),
        (t("Signed by"), ", ".join(shown["signer_names"]) or t("nobody: what it does follows from the ledger")),
    ]
    numbers = shown["numbers"][:MOST_SHOWN]
    links = joined(Safe(f"<li>{frame.link(path_of(number), number)}</li>") for number in numbers)
    certificates = Safe("")
    if numbers:
        more = _more(t, len(shown["numbers"]) - len(numbers))
        certificates = Safe(
            f'<section><h2>{escape(t("Certificates"))}</h2><ul class="list">{links}</ul>{more}</section>'
        )
    actions = joined(_action(t, name, words) for name, words in shown["told"])
    heading = t("What it does")
    return _page(frame, t("Transaction {id}", id=shown["txid"][:12] + "…"), facts, heading, actions, certificates)


def _page(
    frame: Frame, title: str, facts: list[tuple[str, str]], heading: str, content: Safe, after: Safe | None = None
) -> str:
    body = (
        f"<h1>{escape(title)}</h1>"
        f'<section><table class="facts"><tbody>{pairs(facts)}</tbody></table></section>'
        f"<section><h2>{escape(heading)}</h2>{content}</section>{after or ''}"
    )
    return page(frame, title, Safe(body))


def _link_to_block(frame: Frame, height: int) -> Safe:
    return frame.link(f"/block/{height}", str(height))


def _transaction_item(frame: Frame, item: Shown) -> Safe:
    link = frame.link(f"/tx/{item['txid']}", item["txid"][:16] + "…")
    words = ", ".join(worded(frame.t, ACTION_WORDS, name) for name in dict.fromkeys(item["kinds"]))
    return Safe(f'<li>{link}<br><span class="soft">{escape(words)}</span></li>')


def _action(t: Texts, name: str, words: str) -> Safe:
    """The kind and the ledger's sentence in the reader's language; a sentence without translation is English."""
    kind = escape(worded(t, ACTION_WORDS, name))
    told = t.said(words)
    language = f' lang="{TAGS[DEFAULT]}"' if told == words else ""
    return Safe(f'<h3>{kind}</h3><p class="soft"{language}>{escape(told)}</p>')


def _more(t: Texts, count: int) -> Safe:
    return paragraph(t("And more: {count}", count=count), "soft") if count > 0 else Safe("")
