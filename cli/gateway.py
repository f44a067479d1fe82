"""`wattest gateway`: raw posts of units without keys become signed readings on the validators."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options import Command
from cli.session import Session, with_session

if TYPE_CHECKING:
    from node.gateway import Gateway
    from node.keystore import PrivateKey
    from node.mqtt import Broker, Listener

ASK_S, PATIENCE_S = 0.5, 60  # between tries to learn the network from a node, and in all


@click.command(cls=Command)
@click.option("--listen", default="127.0.0.1:8600", show_default=True, metavar="ADDRESS:PORT", help="Where units post.")
@click.option(
    "--units",
    "units_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="units.json: which device each unit is.",
)
@click.option(
    "--key", "key_name", metavar="NAME", help="Key of the home, or key file, that signs; its only gateway key, if one."
)
@click.option(
    "--node",
    "nodes",
    multiple=True,
    metavar="URL",
    help="A validator's API, or mqtt[s]://HOST[:PORT][/PREFIX]; repeat it for others to turn to.",
)
@click.option("--mqtt", "broker_url", metavar="URL", help="Take raw readings off PREFIX/raw of this broker too.")
@click.option("--mqtt-ca", default="", metavar="FILE", help="Authority of the broker's certificate, for mqtts://.")
@click.option("--mqtt-credentials", default="", metavar="FILE", help="File of mode 0600 with USER:PASSWORD.")
@click.option(
    "--resend", is_flag=True, help="Hand in again all that the log still holds: a validator lost its readings."
)
@click.option("--data", metavar="DIR", help="Where readings wait for a validator. [HOME/gateway]")
@click.option("--passphrase-file", metavar="FILE", help="Read the passphrase from a file of mode 0600.")
@click.option("--passphrase-fd", type=int, metavar="N", help="Read the passphrase from this open file.")
@with_session
def gateway(
    session: Session,
    listen: str,
    units_file: str,
    key_name: str | None,
    nodes: tuple[str, ...],
    broker_url: str | None,
    mqtt_ca: str,
    mqtt_credentials: str,
    resend: bool,
    data: str | None,
) -> None:
    """Take raw readings {timestamp, id, pwr_avg, wind_spd, t, insolation} by HTTP POST and hand them to validators.

    One object or an array of up to 1,440, integers or decimals; an answer of 200 means that they are on disk here. The
    gateway signs with its own key, which the meters' records name, closes each UTC day when the next one begins, and
    sends on until a validator has acknowledged. POST /flush closes the last day; GET /status tells where each unit is.

    \b
    units.json: {"gateway": 1, "units": {"3": {"device": 7, "interval_s": 600, "channels": ["wind", "temperature"]}}}
    """
    from node.delivering import over_broker
    from node.gateway import Gateway, listener_of, open_spool, read_units

    host, port = _address(listen)
    units = read_units(Path(units_file))
    key = _unlock(session, key_name or _only_key(session))
    urls = list(nodes) or [session.node_url]
    require_mqtt([url for url in (*urls, broker_url or "") if over_broker(url)])
    for url in filter(over_broker, urls):
        parse_broker_of(url, mqtt_ca, mqtt_credentials)
    broker = parse_broker_of(broker_url, mqtt_ca, mqtt_credentials) if broker_url is not None else None
    chain = session.named_chain() or _ask_chain(session, [url for url in urls if not over_broker(url)])
    spool = open_spool(Path(data) if data else session.home / "gateway", chain)

    def make() -> "tuple[Gateway, Listener | None]":
        gateway = Gateway(
            units, key.seed, chain, urls, spool, resend=resend, mqtt_ca=mqtt_ca, mqtt_credentials=mqtt_credentials
        )
        name = f"wattest-gateway-{chain.hex()[:16]}-{key.public.hex()[:16]}"
        return gateway, None if broker is None else listener_of(gateway, broker, name)

    try:
        asyncio.run(_serve(session, make, host, port))
    finally:
        spool.close()


def require_mqtt(urls: list[str]) -> None:
    """UsageError where something goes over a broker and the library for it is not installed."""
    from importlib.util import find_spec

    if urls and find_spec("aiomqtt") is None:
        raise click.UsageError("A broker needs aiomqtt: install the extra `mqtt` (pip install 'wattest[mqtt]').")


def parse_broker_of(url: str, mqtt_ca: str, mqtt_credentials: str) -> "Broker":
    from node.mqtt import parse_broker
    from state.errors import DecodeError

    try:
        return parse_broker(url, mqtt_ca, mqtt_credentials)
    except DecodeError as error:
        raise click.UsageError(str(error)) from None


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise click.UsageError(f"--listen needs ADDRESS:PORT, not {text!r}.")
    return host.strip("[]"), int(port)


def _only_key(session: Session) -> str:
    """The name of the gateway key in the home; UsageError unless there is exactly one."""
    from node.keystore import list_keys

    names = [name for name, content in list_keys(session.keys) if content.purpose == "gateway"]
    if len(names) != 1:
        found = f"there are {', '.join(names)}" if names else "make one with `wattest keys add NAME --purpose gateway`"
        raise click.UsageError(f"Which key signs the readings? Name it with --key; {session.keys}: {found}.")
    return names[0]


def _unlock(session: Session, name: str) -> "PrivateKey":
    from node.keystore import open_key_file, read_key_file

    path = Path(name)
    if path.suffix != ".json" or not path.is_file():
        return session.unlock(name)
    content = read_key_file(path)
    passphrase = session.passphrase(f"Passphrase of {name}") if content.needs_passphrase else None
    return open_key_file(content, passphrase, path)


def _ask_chain(session: Session, urls: list[str]) -> bytes:
    """The network's id, from whichever of the nodes answers first; they may still be starting."""
    import time

    from node.client import NodeClient
    from node.failures import NodeUnreachable

    if not urls:
        raise click.UsageError("A broker does not tell which network this is: set client.chain_id, or name a --node.")
    deadline = time.monotonic() + PATIENCE_S
    while True:
        for url in urls:
            try:
                return bytes.fromhex(str(NodeClient(url).status()["chain_id"]))
            except NodeUnreachable as failure:
                if time.monotonic() > deadline:
                    raise
                unreachable = failure
        session.say(f"{unreachable} Trying again.")
        time.sleep(ASK_S)


async def _serve(session: Session, make: "Callable[[], tuple[Gateway, Listener | None]]", host: str, port: int) -> None:
    """Until SIGINT or SIGTERM; what was acknowledged stays in the log and goes out after the next start."""
    from node.gateway import serve

    def started(bound: int) -> None:
        session.answer(
            "gateway_listening/1",
            {"host": host, "port": bound},
            f"The gateway takes readings at http://{host}:{bound}/readings",
        )

    gateway, listener = make()
    task = asyncio.ensure_future(serve(gateway, host, port, started, listener))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        session.say("The gateway has stopped; what it acknowledged is on its disk.")
    except OSError as error:
        raise click.UsageError(f"{host}:{port}: {error.strerror}; is another gateway running there?") from None
