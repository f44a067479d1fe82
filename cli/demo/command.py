"""`wattest demo`: the command, with a screen or without, and what becomes of its data."""

import json
import os
import shutil
import sys
import tempfile
import threading
import time
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options import Command
from cli.session import require_screen
from node.failures import NodeUnreachable, TimedOut
from state.errors import WattestError
from tui.texts import language, of_environment, speak, t

if TYPE_CHECKING:
    from cli.demo.play import Caption, Performance
    from cli.processes import Processes

PROOF = "statement.proof"
LEAVE_S = 4  # for the act that is under way; then its processes go, whatever it waits for


@click.command(cls=Command)
@click.option("--headless", is_flag=True, envvar="HEADLESS", help="No screen, full speed, one JSON line at the end.")
@click.option("--keep", type=click.Path(path_type=Path), metavar="DIR", help="Make the homes in DIR and leave them.")
@click.option("--lan", is_flag=True, envvar="LAN", help="Show the pages, and only them, at this machine's address.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="DIR", help="Go on with the homes of a --keep.")
def demo(headless: bool, keep: Path | None, lan: bool, resume: Path | None) -> None:
    """Four validators, three real plants and one that cheats, from the first reading to a retired certificate."""
    from cli.demo.play import Performance
    from cli.processes import Processes
    from cli.testnet import machine_address

    speak(of_environment(os.environ))
    if not headless:
        require_screen("without one the demo runs with --headless (make demo HEADLESS=1)")
    if keep and resume:
        raise click.UsageError("--keep makes a new network, --resume goes on with one: give one of them.")
    if resume and not (resume / "testnet.json").is_file():
        raise click.UsageError(f"{resume} holds no network of the demo; make one with --keep {resume}.")
    if resume and not (resume / "story.json").is_file():
        raise click.UsageError(f"{resume} was left before its plants were accredited: make a new one with --keep.")
    if keep and keep.exists() and any(keep.iterdir()):
        raise click.UsageError(f"{keep} is not empty; go on with it by --resume {keep}, or name another folder.")
    directory = resume or keep or Path(tempfile.mkdtemp(prefix="wattest-demo-"))
    performance = Performance(directory.resolve(), _printer(), machine_address() if lan else "")
    complete = False
    try:
        with Processes() as processes:
            if not (keep or resume):
                processes.on_hangup = partial(shutil.rmtree, directory, ignore_errors=True)
            try:
                play = _headless if headless else _on_screen
                complete = play(performance, processes, bool(resume))
            except (NodeUnreachable, TimedOut):
                processes.check()  # who has ended is a better reason than that nobody answers
                raise
    except Exception as error:
        _tell_failure(directory, error)
    finally:
        performance.stop()
        _farewell(directory, kept=bool(keep or resume) or (headless and not complete))
    if not complete:
        sys.exit(1)


def _tell_failure(directory: Path, error: Exception) -> None:
    """One line for who watches; the rest in a file beside the nodes' logs. Whatever it was, the demo failed: code 1."""
    (directory / "failure.txt").write_text("".join(traceback.format_exception(error)), "utf-8")
    why = str(error) if isinstance(error, WattestError | TimeoutError) else f"{type(error).__name__}: {error}"
    click.echo(
        f"wattest: The demo failed: {why}\nDetails: {directory}/failure.txt and {directory}/node*/*.log", err=True
    )


def _headless(performance: "Performance", processes: "Processes", resume: bool) -> bool:
    """The whole story at full speed; the closing line on stdout; whether everything held that must."""
    from cli.demo import report
    from cli.demo.play import HEADLESS_DAYS

    performance.act(processes, resume, HEADLESS_DAYS)
    performance.finish_streams()
    performance.describe_cheat()
    stage, streams = performance.stage, performance.streams
    assert stage is not None
    assert streams is not None
    proof = performance.directory / PROOF
    verified = report.fetch_proof(stage, performance.outcome.statement, proof)
    holds, fails = (
        "the statement holds, checked offline by {proof} alone",
        "the statement DOES NOT HOLD, checked offline by {proof} alone",
    )
    performance.caption(t(holds if verified else fails, proof=PROOF))
    days = report.count_days(stage.client, performance.units, performance.outcome.devices)
    seconds = {
        "first_certificate": performance.first_certificate_s,
        "first_settlement": performance.first_settlement_s,
        "all": performance.seconds(),
    }
    accepted = performance.readings_accepted()
    line = report.closing_line(stage, days, performance.outcome, accepted, verified, seconds)
    missing = report.shortfalls(line, days, performance.kinds)
    for what in missing:
        click.echo(f"NOT so: {what}", err=True)
    click.echo(json.dumps(line))
    return not missing


def _on_screen(performance: "Performance", processes: "Processes", resume: bool) -> bool:
    """The dashboard in front, the story behind it in a thread that lives as long as the screen does.

    The thread must not end before the nodes: the kernel ends a child with the thread that started it.
    """
    from cli.demo.control import DemoControl
    from tui.app import run_dashboard

    performance.make_ready(processes, resume)
    control = DemoControl(performance, processes)
    driver = threading.Thread(target=control.drive, args=(resume,), name="story", daemon=True)
    driver.start()
    assert performance.stage is not None
    try:
        run_dashboard(performance.stage.urls, control, home=performance.stage.session.home, tongue=language())
    finally:
        performance.stopping.set()
        click.echo("Stopping the validators and the gateway…", err=True)
        driver.join(LEAVE_S)
    if control.error:
        click.echo(f"The story stopped: {control.error}", err=True)
    return not control.error


def _printer() -> "Caption":
    """One line a step on stderr, with the seconds since the start."""
    started = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - started:6.1f} s  {text}", err=True)

    return say


def _farewell(directory: Path, kept: bool) -> None:
    if kept:
        click.echo(f"All processes are stopped. The data stays in {directory}: go on with RESUME={directory}", err=True)
        return
    shutil.rmtree(directory, ignore_errors=True)
    click.echo("All processes are stopped and the data of this run is deleted; KEEP=DIR would have kept it.", err=True)
