"""What the dashboard loads before it paints, and what it must never load."""

import subprocess
import sys

ALLOWED = {"node", "node.client", "node.failures", "node.keystore", "node.texts", "node.wallet"}


def loaded() -> set[str]:
    code = "import sys, tui.app, tui.model; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_dashboard_loads_no_node_internals_and_no_network_stack_before_the_first_paint() -> None:
    modules = loaded()
    assert "tui.app" in modules
    assert {name for name in modules if name.split(".")[0] == "node"} <= ALLOWED
    assert not {"aiohttp", "plyvel", "nacl", "segno", "numpy", "textual_plotext"} & modules
