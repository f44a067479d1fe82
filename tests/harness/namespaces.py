"""The same links as `harness.links`, cut by the kernel: every machine in a network namespace, all on one bridge.

A cut direction a -> b is a rule in b's namespace that drops whatever comes from a, so packets vanish as on a wire,
TCP's own acknowledgements among them. Needs root; nothing is left behind after `close`.
"""

import os
import subprocess
from collections.abc import Iterable

from harness.links import Direction, split

LOCAL_AT = 100  # the table of own addresses, moved behind our rules, which else would come too late
CUT_AT = 10


class Namespaces:
    """Machine m has the address `host(m)`, what runs `under(m)` is in its namespace, and the test is on the bridge."""

    def __init__(self, machines: int) -> None:
        self.machines = machines
        self._tag = f"wt{os.getpid() % 100_000}"
        self._net = f"10.213.{os.getpid() % 250}"
        self._cut: frozenset[Direction] = frozenset()
        bridge = f"{self._tag}b"
        _ip(f"link add {bridge} type bridge", f"addr add {self._net}.254/24 dev {bridge}", f"link set {bridge} up")
        for machine in range(machines):
            name, port = self._name(machine), f"{self._tag}v{machine}"
            _ip(f"netns add {name}", f"link add {port} type veth peer name eth0 netns {name}")
            _ip(f"link set {port} master {bridge}", f"link set {port} up")
            _ip(f"addr add {self.host(machine)}/24 dev eth0", "link set eth0 up", "link set lo up", within=name)
            _ip(f"rule add pref {LOCAL_AT} lookup local", "rule del pref 0", within=name)

    def host(self, machine: int) -> str:
        return f"{self._net}.{machine + 1}"

    def under(self, machine: int) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self._name(machine))

    def cut(self, directions: Iterable[Direction]) -> None:
        """These and no others are cut from now on."""
        wanted = frozenset(directions)
        for machine in range(self.machines):
            changes = [f"rule del from {self.host(a)} pref {CUT_AT}" for a, b in self._cut - wanted if b == machine]
            changes += [
                f"rule add from {self.host(a)} pref {CUT_AT} blackhole" for a, b in wanted - self._cut if b == machine
            ]
            if changes:
                _ip(*changes, within=self._name(machine))
        self._cut = wanted

    def slow(self, directions: Iterable[Direction], seconds: float) -> None:
        raise NotImplementedError("delays need netem, which plain kernels lack: use the proxies")

    def heal(self) -> None:
        self.cut(())

    def split(self, *groups: Iterable[int]) -> list[Direction]:
        return split(self.machines, *groups)

    def close(self) -> None:
        for machine in range(self.machines):
            _ip(f"netns del {self._name(machine)}")
        _ip(f"link del {self._tag}b")

    def _name(self, machine: int) -> str:
        return f"{self._tag}n{machine}"


def _ip(*commands: str, within: str = "") -> None:
    where = ["-n", within] if within else []
    lines = "".join(f"{command}\n" for command in commands)
    ran = subprocess.run(["ip", *where, "-batch", "-"], input=lines, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{lines}{ran.stderr}"
