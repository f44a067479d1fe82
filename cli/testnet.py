"""`wattest testnet`: a whole network on one machine, its homes in one directory, its processes under one roof.

DIR/node0 … nodeN     homes of the validators, each with its four keys (`test` keyring)
DIR/wallets           a home with the keys of the cast
DIR/genesis.json      this network's own genesis
DIR/testnet.json      addresses, for whoever starts or scripts it
"""

import json
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli import show
from cli.options import Group
from cli.session import Session, with_session

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_VALIDATORS = 21
READY_S = 60.0
ENOUGH_VALIDATORS = 4  # the fewest of which one may fail, n >= 3f + 1
STOP_S = 10.0
TESTNET_RESERVE_MIB = 1  # it is one disk for all nodes, and nothing worth keeping is on it
LOOPBACK = "127.0.0.1"


@click.group(cls=Group)
def testnet() -> None:
    """A network of validators on this machine, for trying and testing."""


@testnet.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("-v", "--validators", "count", default=4, show_default=True, type=click.IntRange(1, MAX_VALIDATORS))
@click.option("--genesis", metavar="FILE", help="Reference genesis to fill the validators into.")
@click.option("--base-port", type=click.IntRange(1024, 65_000), help="Ports from here on, two a node; else free ones.")
@click.option("--epoch-length", type=click.IntRange(0), default=0, help="Blocks; 0 = the validators never change.")
@click.option("--profile", type=click.Choice(["default", "demo", "bench"]), default="demo", show_default=True)
@with_session
def init(
    session: Session,
    directory: Path,
    count: int,
    genesis: str | None,
    base_port: int | None,
    epoch_length: int,
    profile: str,
) -> None:
    """Make the homes of a network in DIRECTORY: validators, genesis, and the wallets of a named cast."""
    if directory.exists() and any(directory.iterdir()):
        raise click.UsageError(f"{directory} is not empty; a network is never made over another.")
    content = reference_genesis(genesis)
    content["parameters"] = {**content.get("parameters", {}), "epoch_length": epoch_length}
    made = make_testnet(directory, count, content, base_port, profile)
    if profile != "default":
        session.say(f"Profile {profile}: the request rates of the API are raised, for this machine only.")
    if count < ENOUGH_VALIDATORS:
        session.say(
            f"With {count} of at least {ENOUGH_VALIDATORS} validators nobody may fail: one lost vote record stops this "
            "network for good. For trying only."
        )
    rows = [(node["index"], node["name"], node["api"], node["home"]) for node in made["nodes"]]
    text = "\n".join(
        [
            f"network {made['chain_id']}",
            show.table(("index", "validator", "api", "home"), rows),
            f"wallets {made['wallets']}: {', '.join(made['cast'])}",
            f"start it with: wattest testnet start {directory}",
        ]
    )
    session.answer("testnet/1", made, text)


@testnet.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--no-cast", is_flag=True, help="Do not register the cast and accredit its operators.")
@with_session
def start(session: Session, directory: Path, no_cast: bool) -> None:
    """Run all nodes of DIRECTORY until Ctrl-C; leaves no process behind, and the data where it is."""
    from cli.cast import enrol
    from cli.processes import Processes
    from node.client import NodeClient

    nodes = read_testnet(directory)["nodes"]
    with Processes(STOP_S) as processes:
        for node in nodes:
            processes.start_node(directory / node["home"])
        client = NodeClient(nodes[0]["api"])
        for node in nodes:
            processes.wait_ready(NodeClient(node["api"]), READY_S)
            session.say(f"{node['name']} answers at {node['api']}")
        if not no_cast:
            enrol(directory, client, session.say)
        status = client.status()
        value = {"chain_id": status["chain_id"], "nodes": nodes, "wallets": str(directory / "wallets")}
        text = f"{len(nodes)} validators run. In another terminal:\n  " + "\n  ".join(
            [
                f"wattest --home {directory / 'wallets'} status",
                f"wattest --home {directory / 'wallets'} certificate list --from trader",
                f"wattest --home {directory / 'wallets'} dashboard",
            ]
        )
        session.answer("testnet_running/1", value, text)
        try:
            processes.watch(session.say)
        except KeyboardInterrupt:
            session.say(f"Stopping {len(nodes)} nodes; the data stays in {directory}. The same line starts them again.")


def read_testnet(directory: Path) -> dict[str, Any]:
    """DIR/testnet.json; UsageError where there is none, or a home that it names is gone."""
    path = directory / "testnet.json"
    try:
        content = json.loads(path.read_text("utf-8"))
        homes = [node["home"] for node in content["nodes"] if isinstance(node["api"] + node["name"], str)]
        if not homes:
            raise ValueError("it names no node")
    except (OSError, ValueError, TypeError, KeyError) as error:
        why = f"{path}: {error!r}"
        raise click.UsageError(f"{directory} holds no network of `wattest testnet init` ({why}).") from None
    for home in homes:
        if not (directory / home).is_dir():
            raise click.UsageError(f"{directory / home} is missing, a home that {path} names.")
    assert isinstance(content, dict)
    return content


def reference_genesis(name: str | None) -> dict[str, Any]:
    """The genesis that validators are filled into: FILE, the checkout's own, or the one that was installed."""
    import sysconfig

    from contracts.genesis import load_json

    installed = Path(sysconfig.get_path("data")) / "share" / "wattest" / "genesis.json"
    places = [Path(name)] if name else [Path(__file__).resolve().parents[1] / "genesis.json", installed]
    for place in places:
        if place.is_file():
            content = load_json(place.read_bytes())
            if not isinstance(content, dict) or not isinstance(content.get("parameters", {}), dict):
                raise click.UsageError(f"{place} is no genesis.")
            return content
    raise click.UsageError(f"There is no genesis at {', '.join(map(str, places))}.")


def make_testnet(
    directory: Path,
    count: int,
    genesis: dict[str, Any],
    base_port: int | None = None,
    profile: str = "demo",
    seed: "Callable[[str, int], bytes] | None" = None,
) -> dict[str, Any]:
    """Write all homes; what is returned also stands in DIR/testnet.json. Paths in it are relative to DIR.

    `seed` gives the keys of (purpose, validator) where a measurement must sign for them; otherwise they are drawn.
    """
    from contracts.genesis import chain_id, parse_genesis
    from node.config import load_config
    from node.keystore import generate_key, save_key
    from node.voting import begin_votes

    ports = _ports(2 * count, base_port)
    keys = [
        {
            purpose: generate_key(purpose, seed=seed(purpose, index) if seed else None)
            for purpose in ("vote", "node", "escrow", "governance")
        }
        for index in range(count)
    ]
    filled = {
        **genesis,
        "parameters": {**genesis.get("parameters", {}), "name": "wattest test network"},
        "timestamp_ms": int(time.time() * 1000),
        "validators": [
            {
                "name": f"Validator {index}",
                "country": "DK",
                "address": f"{LOOPBACK}:{ports[2 * index]}",
                **{f"{purpose}_key": key.public.hex() for purpose, key in own.items()},
            }
            for index, own in enumerate(keys)
        ],
    }
    content = json.dumps(filled, indent=2).encode("ascii") + b"\n"
    parse_genesis(content)
    chain = chain_id(filled).hex()

    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (directory / "genesis.json").write_bytes(content)
    nodes = []
    for index, own in enumerate(keys):
        home = directory / f"node{index}"
        api = f"{LOOPBACK}:{ports[2 * index + 1]}"
        _write_home(home, content, _node_settings(f"{LOOPBACK}:{ports[2 * index]}", api, chain, profile))
        for purpose, key in own.items():
            bound = generate_key(purpose, chain, key.seed)
            save_key(home / "keys", purpose, bound, None, "test")
        begin_votes(load_config(home, environment={}))
        nodes.append({"index": index, "name": f"Validator {index}", "home": home.name, "api": f"http://{api}"})
    cast = _write_wallets(directory / "wallets", content, chain, str(nodes[0]["api"]))
    made = {"chain_id": chain, "nodes": nodes, "wallets": "wallets", "cast": cast}
    (directory / "testnet.json").write_text(json.dumps(made, indent=2) + "\n", "utf-8")
    return made


def _node_settings(p2p: str, api: str, chain: str, profile: str) -> dict[str, str | int]:
    return {
        "node.p2p_listen": p2p,
        "node.api_listen": api,
        "node.public_url": f"http://{api}",
        "node.profile": profile,
        "node.reserve_mib": TESTNET_RESERVE_MIB,
        "node.keyring": "test",
        "client.node": f"http://{api}",
        "client.chain_id": chain,
        "client.keyring": "test",
    }


def _write_wallets(home: Path, genesis: bytes, chain: str, api: str) -> list[str]:
    from cli.cast import make_wallets

    _write_home(home, genesis, {"client.node": api, "client.chain_id": chain, "client.keyring": "test"})
    return list(make_wallets(home, chain))


def _write_home(home: Path, genesis: bytes, settings: Mapping[str, str | int]) -> None:
    from node.config import render_config

    home.mkdir(mode=0o700)
    (home / "genesis.json").write_bytes(genesis)
    (home / "config.toml").write_text(render_config(settings), "utf-8")


def free_port(host: str = LOOPBACK, wanted: int = 0) -> int:
    """`wanted` where it is free at this address of the machine, else any other."""
    for port in (wanted, 0):
        with socket.socket() as listener, suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            return int(listener.getsockname()[1])
    raise click.UsageError(f"No port of {host} can be used.")


def machine_address() -> str:
    """The address of this machine in its local network; UsageError where it has none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # an address of documentation: only the route to it is looked up
        address = str(probe.getsockname()[0])
        if not address.startswith("127."):
            return address
    raise click.UsageError("This machine has no address in a local network; connect it to one first.")


def _ports(count: int, base: int | None) -> list[int]:
    """Free ports of the loopback: all held at once, so that none is given twice. UsageError for a taken fixed one."""
    held = []
    try:
        for offset in range(count):
            listener = socket.socket()
            held.append(listener)
            try:
                listener.bind((LOOPBACK, base + offset if base else 0))
            except OSError as error:
                port = f"{LOOPBACK}:{(base or 0) + offset}"
                raise click.UsageError(
                    f"{port} cannot be used: {error.strerror}. Choose another --base-port."
                ) from None
        return [listener.getsockname()[1] for listener in held]
    finally:
        for listener in held:
            listener.close()
