"""Nodes that begin from a snapshot: an observer's home beside a network, and the way from nothing to a whole state."""

import json
from pathlib import Path
from typing import Any

from harness.net import free_ports, make_home
from harness.world import seed_of

from node.app import NodeKeys
from node.config import load_config
from node.genesis import read_genesis
from node.joining import Joining
from node.log import open_log
from node.signer import Signer
from node.transport import NodeKey

OBSERVER_KEYS = NodeKeys(seed_of("observer"))


def observer_home(directory: Path, like: Path) -> Path:
    """The home of a node without a vote key, on the network of the home `like`."""
    p2p, api = free_ports(2)
    return make_home(directory, json.loads((like / "genesis.json").read_text()), p2p, api, OBSERVER_KEYS)


def joining(home: Path, keys: NodeKeys = OBSERVER_KEYS) -> Joining:
    """What `run_node` does before it opens the state, where `sync` is `snapshot`."""
    config = load_config(home, environment={})
    config.data.mkdir(parents=True, exist_ok=True)
    votes = tuple(Signer(seed).public for seed in (keys.vote, keys.next_vote) if seed is not None)
    return Joining(
        config, *read_genesis(config.genesis), NodeKey(keys.node), votes, open_log(home / "node.log", "debug")
    )


def set_config(home: Path, **settings: Any) -> None:
    """Rewrite settings of the [node] section."""
    path = home / "config.toml"
    lines = path.read_text().splitlines()
    for name, value in settings.items():
        written = f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}"
        lines = [written if line.split(" = ")[0].removeprefix("# ") == name else line for line in lines]
    path.write_text("\n".join(lines) + "\n")
