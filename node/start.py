"""A whole node of a home: the loop with all its parts, under the keys of that home."""

from collections.abc import Callable, Mapping
from pathlib import Path

from node.accusing import Accusing
from node.app import Node, Part, load_keys
from node.config import Config, ConfigError, load_config
from node.correcting import Correcting
from node.metering import Metering
from node.retaining import Retaining
from node.running import run_node, tell_failure
from node.serving import Serving
from node.settling import Settling
from node.unsealing import Unsealing
from state.errors import WattestError


def run(
    home: Path,
    passphrase: Callable[[Path], bytes | None] = lambda path: None,
    flags: Mapping[str, str | None] | None = None,
) -> int:
    """Run until SIGTERM or SIGINT; the exit code. What ended it is said on stderr, with what to do about it.

    `flags` override settings of the home.
    """
    try:
        config = load_config(home, flags)
    except ConfigError as error:
        return tell_failure(error, Config(home, {}, {}))
    try:
        keys = load_keys(config, passphrase)
    except WattestError as error:
        return tell_failure(error, config)
    return run_node(config, keys, parts)


def parts(node: Node) -> list[Part]:
    """Readings before the API that takes them in; on the way down the API goes first."""
    metering = Metering(node)
    serving = Serving(node, metering)
    found: list[Part] = [metering, Settling(node), Unsealing(node), Correcting(node), Accusing(node), serving]
    if node.config.number("node.keep_readings"):
        found.append(Retaining(node, metering.intake))
    if node.config.text("node.mqtt"):
        try:
            from node.subscribing import Subscribing
        except ModuleNotFoundError:
            raise ConfigError(why="node.mqtt needs aiomqtt: install the extra `mqtt`") from None

        found.append(Subscribing(node, metering.intake, serving.metrics))
    return found
