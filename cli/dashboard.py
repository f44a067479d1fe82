"""`wattest dashboard`: the network live, in a terminal or a browser. The screens are `tui/`'s, loaded only here."""

import os
from contextlib import suppress

import click

from cli.options import Command
from cli.session import Session, require_screen, with_session

PORT = 8090


@click.command(cls=Command)
@click.option("--as", "as_role", metavar="KEY", help="Sign in with this key of the home.")
@click.option("--also", "others", multiple=True, metavar="URL", help="API of another node to show beside; repeat it.")
@click.option("--lang", type=click.Choice(["en", "ru", "zh"]), help="Language of the screens; else that of LANG.")
@click.option("--zone", metavar="ZONE", help="Times in UTC, local, or a zone such as Europe/Moscow; kept.")
@click.option("--serve", is_flag=True, help="In a browser: everybody who opens the page gets a session of their own.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --serve: the address to listen on.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(1, 65_535), help="With --serve.")
@click.option("--public-url", metavar="URL", help="With --serve: how visitors reach it through a reverse proxy.")
@click.option("--session", "served", is_flag=True, hidden=True, help="One session of --serve.")
@with_session
def dashboard(
    session: Session,
    as_role: str | None,
    others: tuple[str, ...],
    lang: str | None,
    zone: str | None,
    serve: bool,
    host: str,
    port: int,
    public_url: str | None,
    served: bool,
) -> None:
    """Cabinets of network, plants, holder, auditor and authority: live from --node."""
    if serve and as_role:
        raise click.UsageError("--as would sign in whoever opens the page; visitors sign in themselves.")
    _choose_zone(zone)
    if not serve and not served:
        require_screen("`wattest status --json` answers a program")
    session.client.status()  # says at once, and in words, when no node is there
    if serve:
        _serve(session, others, host, port, public_url, lang, zone)
        return
    from tui.app import run_dashboard
    from tui.habits import Habits, habits_at, place
    from tui.texts import of_environment
    from tui.zone import UnknownZone, choose

    habits = Habits() if served else habits_at(place(os.environ))  # visitors share one account of the machine
    if not zone and habits.zone:
        with suppress(UnknownZone):  # kept by a machine that knew more zones
            choose(habits.zone)
    tongue = lang or habits.language or of_environment(os.environ)
    urls = [session.node_url, *others]
    run_dashboard(urls, as_role=as_role, home=session.home, served=served, tongue=tongue, habits=habits)


def _choose_zone(zone: str | None) -> None:
    from tui.zone import UnknownZone, choose

    try:
        choose(zone or "UTC")
    except UnknownZone:
        raise click.UsageError(
            f"--zone {zone}: UTC, local, or a zone of the IANA list such as Asia/Shanghai."
        ) from None


def _serve(
    session: Session,
    others: tuple[str, ...],
    host: str,
    port: int,
    public_url: str | None,
    lang: str | None,
    zone: str | None,
) -> None:
    try:
        from tui.serving import DashboardServer
    except ImportError:
        raise click.UsageError("--serve needs `pip install wattest[browser]`.") from None
    also = [part for url in others for part in ("--also", url)]
    arguments = [
        "--home",
        str(session.home),
        "--node",
        session.node_url,
        "dashboard",
        "--session",
        *also,
        *(("--lang", lang) if lang else ()),
        *(("--zone", zone) if zone else ()),
    ]
    DashboardServer(arguments, host, port, public_url).serve()
