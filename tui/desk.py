"""What every cabinet works at: the model that follows the network, a way to ask a node, and who is signed in."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tui.feed import Source
from tui.habits import Habits
from tui.model import NetworkModel
from tui.replay import Past, Replay
from tui.story import StoryControl

if TYPE_CHECKING:
    from node.client import NodeClient
    from tui.account import Account

ANSWER_S = 5.0
READ_S = 3_600  # how long a node takes a reader's signature for good


@dataclass
class Desk:
    """`model` and `source` are of now, or while `replay` is on, of an earlier block. `home` holds the keys that can
    sign in; `drafts` keeps what was typed into a form that was left.

    `sealed_only`: a key without a passphrase is nobody's here, because anybody may have opened the page.
    """

    model: NetworkModel
    source: Source
    story: StoryControl | None = None
    home: Path | None = None
    account: "Account | None" = None
    sealed_only: bool = False
    drafts: dict[str, dict[str, str]] = field(default_factory=dict)
    replay: Replay | None = None
    habits: Habits = field(default_factory=Habits)

    @property
    def at(self) -> int | None:
        """The height that nodes are asked about; None = the newest."""
        return self.model.chain.height if self.replay is not None else None

    @property
    def now(self) -> NetworkModel:
        """The model that follows the network, whatever is shown."""
        return self.model if self.replay is None else self.replay.live

    def begin_replay(self) -> Replay:
        self.replay = Replay(self.model)
        self.source = Past(self.source, self.replay)
        return self.replay

    def end_replay(self) -> None:
        if self.replay is not None and isinstance(self.source, Past):
            self.model, self.source, self.replay = self.replay.live, self.source.live, None

    @property
    def me(self) -> int:
        """The participant who is signed in; 0 = nobody, who sees what is public."""
        return self.account.id if self.account is not None else 0

    def accounts(self) -> "list[Account]":
        """Who may sign in here: the wallet keys of the home."""
        from tui.account import accounts_in

        return self._offered(accounts_in(self.home) if self.home is not None else [])

    def governance(self) -> "list[Account]":
        """The keys that may vote here."""
        from tui.account import governance_keys

        return self._offered(governance_keys(self.home) if self.home is not None else [])

    def meter(self, public: str) -> "Account | None":
        """The key of the home that signs a plant's readings. None where strangers may look on: a form reads files."""
        from tui.account import accounts_in

        own = accounts_in(self.home, "device") if self.home is not None and not self.sealed_only else []
        return next((account for account in own if account.public.hex() == public), None)

    def _offered(self, found: "list[Account]") -> "list[Account]":
        return [account for account in found if account.file.needs_passphrase or not self.sealed_only]

    def client(self) -> "NodeClient":
        """A client of a node that answers, asking as the account where its key is open. For one thread; close it."""
        from node.client import NodeClient

        client = NodeClient(self.source.answering(), ANSWER_S)
        account, now = self.account, self.now.chain
        client.at, client.chain = self.at, now.chain_id
        if account is not None and account.key is not None and account.id and now.chain_id:
            from node.wallet import reader_header

            until = now.time_ms // 1_000 + READ_S
            client.reader = reader_header(account.key, bytes.fromhex(now.chain_id), account.id, until)
        return client
