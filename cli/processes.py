"""Child processes of `testnet start` and the demo: started, watched, and all gone when their parent is.

Children stand outside the terminal's process group, so that Ctrl-C reaches the parent alone, which stops them by pid in
order. Should the parent itself be killed, the kernel ends them (PR_SET_PDEATHSIG). A closed terminal (SIGHUP) stops
them too, and then the parent at once: nobody is left to be told, and a screen would wait for ever for its terminal.
A signal that comes while a child is being started waits until the child is known: raised in between, it would leave a
process behind, or be lost in a hook of the fork.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from node.failures import NodeUnreachable, RefusedByNode, TimedOut
from state.errors import WattestError

if TYPE_CHECKING:
    from node.client import NodeClient

PR_SET_PDEATHSIG = 1
POLL_S = 0.1
ROOT = Path(__file__).resolve().parents[1]
OUTPUT = "output.log"  # in a home: what its process said


class NodeEnded(WattestError):
    code = "node_ended"
    sentence = "The node of {home} ended with code {status}; its reasons stand in {log}."


class Processes:
    """A context manager: on leaving, every child is terminated, waited for, and killed if it does not go."""

    def __init__(self, stop_s: float = 10.0) -> None:
        self.stop_s = stop_s
        self.running: dict[Path, subprocess.Popen[bytes]] = {}
        self.environment: dict[Path, dict[str, str]] = {}  # what a home's process is told beside its settings
        self.on_hangup: Callable[[], None] = lambda: (
            None
        )  # what is left to do, without a word, when the terminal is gone
        self._former: dict[int, object] = {}
        self._leaving = False
        self._starts = threading.RLock()  # a child is either known when all are stopped, or not started any more
        self._holding = False  # the main thread starts a child: a signal waits
        self._held = 0  # the one that waits

    def __enter__(self) -> "Processes":
        for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts `… &` with SIGINT ignored
            self._former[number] = signal.signal(number, self._signalled)
        self._former[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._signalled)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self._former:
            signal.signal(number, signal.SIG_IGN)  # an impatient second Ctrl-C must not leave a child behind
        self.stop_all()
        for number, former in self._former.items():
            signal.signal(number, former)  # type: ignore[arg-type]

    def start_node(self, home: Path) -> int:
        """Start `wattest node start` for a home; its output goes to HOME/output.log. The pid."""
        return self.start_command(home, ["node", "start"])

    def start_command(self, home: Path, arguments: list[str]) -> int:
        """Start a `wattest` command that stays, for a home that no other child of this parent uses. The pid."""
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        with self._undisturbed(), (home / OUTPUT).open("ab") as log:
            if self._leaving:
                raise SystemExit  # ends the thread that came too late: nothing would stop this child any more
            child = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "--home", str(home.resolve()), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": path, **self.environment.get(home, {})},
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
            self.running[home] = child
        return child.pid

    def stop_node(self, home: Path) -> int | None:
        """End one node as an operator does; its exit code."""
        child = self.running.pop(home)
        _stop([child], self.stop_s)
        return child.returncode

    def kill_node(self, home: Path) -> None:
        """End one node as a power cut does."""
        child = self.running.pop(home)
        child.kill()
        child.wait()

    def wait_ready(self, client: "NodeClient", seconds: float) -> None:
        """Until the node answers its status; NodeEnded at once when a child has died instead."""
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            try:
                client.status()
                return
            except (NodeUnreachable, RefusedByNode):
                if time.monotonic() > deadline:
                    raise TimedOut(what=f"An answer of {client.url}", seconds=int(seconds)) from None
            time.sleep(POLL_S)

    def watch(self, say: Callable[[str], None]) -> None:
        """Stay until interrupted. A child that ends by itself is told and the others go on; NodeEnded for the last."""
        while True:
            for home, child in list(self.running.items()):
                if child.poll() is None:
                    continue
                if len(self.running) == 1:
                    self.check()
                del self.running[home]
                say(f"{NodeEnded(home=str(home), status=child.returncode, log=str(home / OUTPUT))}")
                say(f"The others go on. Start it again with: wattest --home {home} node start")
            time.sleep(POLL_S)

    def check(self) -> None:
        for home, child in self.running.items():
            if child.poll() is not None:
                raise NodeEnded(home=str(home), status=child.returncode, log=str(home / OUTPUT))

    def stop_all(self) -> None:
        with self._starts:
            self._leaving = True
            children = list(self.running.values())
            self.running.clear()
        _stop(children, self.stop_s)

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Nobody stops all children in here, and signals, which the main thread gets, take effect after it."""
        if threading.current_thread() is not threading.main_thread():
            with self._starts:
                yield
            return
        self._holding = True
        try:
            with self._starts:
                yield
        finally:
            self._holding = False
            held, self._held = self._held, 0
            if held:
                self._signalled(held, None)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self._holding:
            self._held = signal.SIGHUP if signal.SIGHUP in (self._held, number) else number
        elif number == signal.SIGHUP:
            self.stop_all()
            self.on_hangup()
            os._exit(128 + number)
        else:
            raise KeyboardInterrupt


def _stop(children: list[subprocess.Popen[bytes]], seconds: float) -> None:
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    for child in children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _end_with_parent() -> None:
    """Runs in the child before it becomes the node."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
