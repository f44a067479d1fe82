"""Who sits at the dashboard: a wallet key of the home, and the participant whose key it is.

An account is locked until its passphrase opens the key file; what it may only look at needs no passphrase. The seed
stays in this object and is gone with the process.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from state.errors import WattestError

if TYPE_CHECKING:
    from node.client import NodeClient
    from node.keystore import KeyFile, PrivateKey

OWNER, HOLDER = "owner", "holder"  # what no accreditation gives: plants and certificates do


@dataclass
class Account:
    """`id` is 0 while the ledger does not know the key."""

    key_name: str
    path: Path
    file: "KeyFile"
    id: int = 0
    name: str = ""
    country: str = ""
    roles: tuple[str, ...] = ()
    owns: bool = False  # a plant
    key: "PrivateKey | None" = field(default=None, repr=False)

    @property
    def locked(self) -> bool:
        return self.key is None

    @property
    def public(self) -> bytes:
        return bytes.fromhex(self.file.pubkey)

    def needs_passphrase(self) -> bool:
        return self.key is None and self.file.needs_passphrase

    def unlock(self, passphrase: str) -> "PrivateKey":
        """The key, opened at most once. WrongPassphrase, KeyFileUnusable. Takes most of a second: for a thread."""
        from node.keystore import open_key_file

        if self.key is None:
            self.key = open_key_file(self.file, passphrase.encode() if self.file.needs_passphrase else None, self.path)
        return self.key

    def meet(self, found: dict[str, Any] | None) -> None:
        """What the ledger says of the key: the API's participant, or None."""
        self.id = int(found["id"]) if found else 0
        self.name = str(found["name"]) if found else ""
        self.country = str(found["country"]) if found else ""
        self.roles = tuple(item["role"] for item in found["roles"] if int(item["until"]) > 0) if found else ()


def accounts_in(home: Path, purpose: str = "wallet") -> list[Account]:
    """Keys of a home with that purpose, by name; none where the home has no keys."""
    from node.keystore import key_path, list_keys

    keys = home / "keys"
    try:
        found = list_keys(keys)
    except (WattestError, OSError):
        return []
    return [Account(name, key_path(keys, name), file) for name, file in found if file.purpose == purpose]


def governance_keys(home: Path) -> list[Account]:
    """Keys that vote for an organisation: of this home, and of the nodes that a test network has beside it."""
    homes = [home]
    if (home.parent / "testnet.json").is_file():
        homes += sorted(path for path in home.parent.glob("node*") if path.is_dir())
    return [account for each in homes for account in accounts_in(each, "governance")]


def introduce(client: "NodeClient", account: Account) -> Account:
    """Ask the ledger who that is. NodeUnreachable."""
    found = client.participant_of_key(account.public)
    account.meet(client.participant(int(found["id"])) if found else None)
    account.owns = bool(account.id and client.get("/v1/devices", owner=account.id, limit=1)["devices"])
    return account
