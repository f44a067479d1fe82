"""The named cast of a test network: who they are, and how they come onto the ledger.

Everybody has a key of the `test` keyring in DIR/wallets. `enrol` brings a fresh network to the point where the cast can
act: registered, and the operators accredited by the governance keys of the validators, which lie beside.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from node.client import NodeClient
    from node.keystore import PrivateKey
    from state.transaction import Action

TERM_S = 5 * 365 * 86_400  # of the roles of a test network


@dataclass(frozen=True)
class Member:
    """`key` is the name of the key in DIR/wallets/keys, `role` an accreditation of the ledger or empty."""

    key: str
    name: str
    country: str
    part: str
    role: str = ""


CAST = (
    Member("sun-owner", "Golden Sun Plants", "US", "owns the two solar plants"),
    Member("wind-owner", "Haute Borne Wind", "FR", "owns the wind turbine"),
    Member("cheat", "Twin Hill Sun", "US", "owns the plant whose readings are tampered with"),
    Member("trader", "Meridian Trading", "DE", "buys and sells"),
    Member("consumer", "Harbour Steel", "DK", "retires what it consumes"),
    Member("payment", "Clearing Bank", "DE", "takes deposits and pays out", "payment_operator"),
    Member("market", "Power Market Operator", "DE", "opens auctions", "market_operator"),
    Member("auditor", "Green Auditors", "NL", "checks everything and moves nothing", "auditor"),
    Member("authority", "Energy Authority", "CN", "the regulator, answers objections", "authority"),
)
GATEWAY_KEY = "gateway"  # signs readings for the plants of the cast


def make_wallets(directory: Path, chain: str) -> dict[str, str]:
    """Keys of the whole cast and of the gateway; public keys by name. The directory is a home of its own."""
    from node.keystore import generate_key, save_key

    purposes = {member.key: "wallet" for member in CAST} | {GATEWAY_KEY: "gateway"}
    publics = {}
    for name, purpose in purposes.items():
        key = generate_key(purpose, chain)
        save_key(directory / "keys", name, key, None, "test")
        publics[name] = key.public.hex()
    return publics


def enrol(directory: Path, client: "NodeClient", say: Callable[[str], None]) -> dict[str, int]:
    """Participant id by key name, after everybody is registered and the operators are accredited. Can be repeated."""
    from node.keystore import unlock

    wallets = {member.key: unlock(directory / "wallets" / "keys" / f"{member.key}.json") for member in CAST}
    _register(client, wallets)
    ids = {}
    for name, key in wallets.items():
        found = client.participant_of_key(key.public)
        assert found is not None, "final, so it is found"
        ids[name] = int(found["id"])
    say(f"{len(ids)} participants are registered")
    missing = [member for member in CAST if member.role and not _has_role(client, ids[member.key], member.role)]
    if missing:
        _accredit(directory, client, wallets, {member.key: (ids[member.key], member.role) for member in missing})
        say("accredited by the validators: " + ", ".join(f"{m.name} ({m.role.replace('_', ' ')})" for m in missing))
    return ids


def _register(client: "NodeClient", wallets: "dict[str, PrivateKey]") -> None:
    from state.transaction import Register

    pending = [
        (Register(wallets[member.key].public, member.name, member.country, b""), [wallets[member.key]])
        for member in CAST
        if client.participant_of_key(wallets[member.key].public) is None
    ]
    _send_all(client, pending)


def _has_role(client: "NodeClient", participant: int, role: str) -> bool:
    roles = client.participant(participant).get("roles", [])
    return any(item["role"] == role and int(item["until"]) > 0 for item in roles)


def _accredit(
    directory: Path,
    client: "NodeClient",
    wallets: "dict[str, PrivateKey]",
    wanted: dict[str, tuple[int, str]],
) -> None:
    """Propose each role and let every validator organisation of this machine approve it."""
    from node.keystore import unlock
    from state.transaction import Propose, RoleContent, Vote

    until = int(time.time()) + TERM_S
    proposals = _send_all(
        client,
        [
            (Propose(participant, RoleContent(participant, role, until)), [wallets[name]])
            for name, (participant, role) in wanted.items()
        ],
    )
    numbers = [
        int(event["proposal"]) for answer in proposals for event in answer["events"] if event["kind"] == "proposed"
    ]
    governance = [unlock(path) for path in sorted(directory.glob("node*/keys/governance.json"))]
    by_key = {item["governance_key"]: int(item["index"]) for item in client.get("/v1/validators")["validators"]}
    quorum = len(by_key) - (len(by_key) - 1) // 3
    votes: list[tuple[Action, list[PrivateKey]]] = [
        (Vote(number, by_key[key.public.hex()], True, ""), [key])
        for number in numbers
        for key in governance[:quorum]  # later approvals would meet a closed proposal
    ]
    _send_all(client, votes)


def _send_all(client: "NodeClient", actions: "Sequence[tuple[Action, list[PrivateKey]]]") -> list[dict[str, Any]]:
    """One transaction each, all final."""
    from node.wallet import build_body, raw_and_id, sign_transaction

    if not actions:
        return []
    status = client.status()
    chain, tip = bytes.fromhex(status["chain_id"]), int(status["height"])
    ids = []
    for action, keys in actions:
        raw, _ = raw_and_id(sign_transaction(build_body(chain, [key.public for key in keys], [action], tip), keys))
        ids.append(client.submit(raw))
    return [client.wait_final(txid) for txid in ids]
