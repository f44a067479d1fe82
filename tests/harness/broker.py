"""A real MQTT broker (mosquitto) on a free port, with its queues on disk: it can be stopped, killed and started again.

`tools/broker` finds or fetches it; `make check` calls that first. Without one the calling test skips, unless
WATTEST_REQUIRE names `mqtt`.
"""

import os
import shutil
import socket
import subprocess
import time
from functools import cache
from pathlib import Path

import pytest
from harness.net import free_ports
from harness.shared import REPOSITORY

UNPACKED = REPOSITORY / ".venv" / "broker" / "usr"


@cache
def mosquitto() -> Path | None:
    candidates = [os.environ.get("WATTEST_MOSQUITTO"), shutil.which("mosquitto"), "/usr/sbin/mosquitto"]
    for candidate in [*candidates, str(UNPACKED / "sbin" / "mosquitto")]:
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    return None


def require_broker() -> Path:
    found = mosquitto()
    if found is None:
        why = "no mosquitto here: `tools/broker` fetches one without root, or name one by WATTEST_MOSQUITTO"
        if "mqtt" in os.environ.get("WATTEST_REQUIRE", "").split(","):
            pytest.fail(why)
        pytest.skip(why)
    return found


class RunningBroker:
    """Use as a context. `settings` are further lines of mosquitto.conf."""

    def __init__(self, folder: Path, *settings: str, tls: tuple[Path, Path] | None = None) -> None:
        self._binary = require_broker()
        self.folder = folder
        self.port = free_ports(1)[0]
        self.scheme = "mqtts" if tls else "mqtt"
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"listener {self.port} 127.0.0.1", "persistence true", f"persistence_location {folder}/"]
        lines += [
            "autosave_interval 1",
            "autosave_on_changes true",
            "max_inflight_messages 0",
            "set_tcp_nodelay true",
            *settings,
        ]
        if os.geteuid() == 0:
            lines.append("user root")  # it would give up its rights, and with them its folder
        if not any(line.startswith("password_file") for line in settings):
            lines.append("allow_anonymous true")
        if tls:
            lines += [f"certfile {tls[0]}", f"keyfile {tls[1]}"]
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}/wattest"

    def __enter__(self) -> "RunningBroker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        libraries = UNPACKED / "lib" / f"{os.uname().machine}-linux-gnu"
        environment = (
            os.environ | {"LD_LIBRARY_PATH": str(libraries)} if self._binary.is_relative_to(UNPACKED) else None
        )
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._binary), "-c", str(self._config)], stdout=log, stderr=log, env=environment
            )
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.01)

    def kill(self) -> None:
        """As a power failure would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None
