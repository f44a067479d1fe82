"""`wattest gateway`: takes raw readings of units that have no keys, signs them, hands them to validators."""

import contextlib
from pathlib import Path

import click

from cli.options import Command, signing
from cli.session import Session, with_session


@click.command(cls=Command)
@click.option("--listen", default="127.0.0.1:27690", show_default=True, metavar="ADDRESS:PORT", help="Where to listen.")
@click.option(
    "--units",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="units.json: which device each raw id is, its interval and channels, and the number of this gateway.",
)
@click.option("--to", "nodes", multiple=True, metavar="URL", help="A validator's API; repeat it. Default: --node.")
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="DIR", help="The durable log; HOME/gateway if not given."
)
@signing
@with_session
def gateway(
    session: Session, listen: str, units: Path, nodes: tuple[str, ...], data: Path | None, key_name: str | None
) -> None:
    """Take raw posts {timestamp, id, pwr_avg, wind_spd, t, insolation} until Ctrl-C.

    A post is answered once it is on this gateway's disk. What a validator has not acknowledged is sent again, also
    after a restart. --from names the gateway's own key, the credential that the meters' records name.
    """
    import asyncio

    from node.config import ConfigError, parse_address
    from node.gateway import Gateway, open_spool, read_units, serve

    settings = read_units(units)
    host, port = parse_address(listen)
    key = session.unlock(session.key_name(key_name))
    chain, _ = session.network()
    spool = open_spool(data or session.home / "gateway", chain)

    def started(bound: int) -> None:
        session.answer(
            "gateway_running/1",
            {"listen": f"{host}:{bound}", "units": sorted(settings.units)},
            f"listening at http://{host}:{bound} for units {', '.join(sorted(settings.units))}",
        )

    async def run() -> None:
        running = Gateway(settings, key.seed, chain, list(nodes) or [session.node_url], spool)
        await serve(running, host, port, started)

    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(run())
    except OSError as error:
        raise ConfigError(why=f"the gateway cannot listen at {listen} ({error.strerror})") from None
    finally:
        spool.close()
