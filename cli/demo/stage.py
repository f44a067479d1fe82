"""The network as the demo's people use it: their keys, clients of the nodes, and transactions that become final."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.session import Session
from cli.settings import resolve
from node.client import NodeClient
from node.keystore import PrivateKey, unlock
from node.wallet import build_body, raw_and_id, sign_transaction
from state.transaction import Action, ProposalContent, Propose, Vote

FINAL_S = 60.0

Answer = dict[str, Any]


@dataclass
class Stage:
    """`ids` maps a key name of the cast to its participant; organisations sign with their governance keys."""

    directory: Path
    clients: list[NodeClient]
    urls: list[str]
    chain: bytes
    keys: dict[str, PrivateKey]
    governance: list[PrivateKey]
    session: Session  # of the cast's common home, as a command would have it
    ids: dict[str, int] = field(default_factory=dict)

    @property
    def client(self) -> NodeClient:
        """Of the first node; the one that the demo never kills."""
        return self.clients[0]

    @property
    def quorum(self) -> int:
        count = len(self.governance)
        return count - (count - 1) // 3

    def send(self, *actions: Action, by: Sequence[str]) -> Answer:
        """One transaction of the named people, final. Refusals raise as the client raises them."""
        return self.send_each([(actions, [self.keys[name] for name in by])])[0]

    def send_each(self, wanted: Sequence[tuple[Sequence[Action], list[PrivateKey]]]) -> list[Answer]:
        """Several transactions at once; all final on return."""
        tip = int(self.client.status()["height"])
        txids = []
        for actions, keys in wanted:
            body = build_body(self.chain, [key.public for key in keys], actions, tip)
            txids.append(self.client.submit(raw_and_id(sign_transaction(body, keys))[0]))
        return [self.client.wait_final(txid, FINAL_S) for txid in txids]

    def accredit(self, contents: Sequence[tuple[str, ProposalContent]]) -> list[int]:
        """Propose each for its proposer and let a quorum of organisations approve; the ids of what was enacted."""
        proposed = self.send_each(
            [((Propose(self.ids[name], content),), [self.keys[name]]) for name, content in contents]
        )
        proposals = [int(found(answer, "proposed")["proposal"]) for answer in proposed]
        return self.approve(proposals)

    def approve(self, proposals: Sequence[int]) -> list[int]:
        votes = [
            ((Vote(proposal, index, True, ""),), [key])
            for proposal in proposals
            for index, key in enumerate(self.governance[: self.quorum])
        ]
        enacted = {
            int(event["proposal"]): int(event["created"])
            for answer in self.send_each(votes)
            for event in answer["events"]
            if event["kind"] == "enacted"
        }
        return [enacted[proposal] for proposal in proposals]


def found(answer: Answer, kind: str) -> Answer:
    """The event of that kind among what a transaction announced."""
    for event in answer["events"]:
        if event["kind"] == kind:
            assert isinstance(event, dict)
            return event
    raise LookupError(f"no {kind} among {[event['kind'] for event in answer['events']]}")


def open_stage(directory: Path, urls: list[str], chain: bytes, names: Sequence[str]) -> Stage:
    """Unlock the `test` keyring of the cast (DIR/wallets) and of the organisations (DIR/node*)."""
    home = directory / "wallets"
    wallets = home / "keys"
    return Stage(
        directory=directory,
        clients=[NodeClient(url) for url in urls],
        urls=urls,
        chain=chain,
        keys={name: unlock(wallets / f"{name}.json") for name in names},
        governance=[unlock(path) for path in sorted(directory.glob("node*/keys/governance.json"))],
        session=Session(resolve({"home": str(home), "node": urls[0], "quiet": True, "yes": True})),
    )
