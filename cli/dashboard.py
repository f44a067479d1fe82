"""`wattest dashboard`: the running network in the terminal. The screens are `tui/`'s, loaded only here."""

import click

from cli.options import Command
from cli.session import Session, require_screen, with_session


@click.command(cls=Command)
@click.option("--as", "as_role", metavar="KEY", help="Sign in with this key of the home.")
@click.option("--also", "others", multiple=True, metavar="URL", help="API of another node to show beside; repeat it.")
@with_session
def dashboard(session: Session, as_role: str | None, others: tuple[str, ...]) -> None:
    """Blocks and leaders, readings and verdicts, certificates, the market, statements: live from --node."""
    require_screen("`wattest status --json` answers a program")
    session.client.status()  # says at once, and in words, when no node is there
    from tui.app import run_dashboard

    run_dashboard([session.node_url, *others], as_role=as_role, home=session.home)
