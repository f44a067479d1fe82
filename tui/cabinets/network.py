"""The network's own cabinet: what everybody sees first, described in `screens/network.py`."""

from tui.desk import Desk
from tui.directory import Cabinet
from tui.screens.network import NetworkScreen


def _make(desk: Desk) -> NetworkScreen:
    return NetworkScreen(desk)


CABINET = Cabinet("N", "Network", 10, _make)
