"""A whole node of a home: the loop with all its parts, under the keys of that home."""

from collections.abc import Callable
from pathlib import Path

from node.accusing import Accusing
from node.app import Node, Part, load_keys, run_node
from node.config import load_config
from node.correcting import Correcting
from node.metering import Metering
from node.serving import Serving
from node.settling import Settling


def run(home: Path, passphrase: Callable[[Path], bytes | None] = lambda path: None) -> int:
    """Run until SIGTERM or SIGINT; the exit code. Raises WattestError for a home that cannot be opened."""
    config = load_config(home)
    return run_node(config, load_keys(config, passphrase), parts)


def parts(node: Node) -> list[Part]:
    """Readings before the API that takes them in; on the way down the API goes first."""
    metering = Metering(node)
    return [metering, Settling(node), Correcting(node), Accusing(node), Serving(node, metering)]
