"""People who use a network all the time while it is broken, and remember what they were told was final."""

import threading
import time
from itertools import count

from harness.cluster import Cluster
from harness.net import registration, signed
from harness.world import key_of

from node.failures import NodeUnreachable, RefusedByNode
from state.errors import WattestError
from state.history import transaction_position
from state.transaction import Register

EVERY_S = 0.25  # at each node
LOOK_BACK = 8  # how many open ones are asked about at a time


class Traffic:
    """One thread for each machine. `promised` is what some node called final, with the height it named."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._numbers = count()
        self._stop = threading.Event()
        self.sent: set[str] = set()
        self.promised: dict[str, int] = {}
        self.retracted: list[str] = []
        self.rivals: list[tuple[str, str]] = []
        self._threads = [
            threading.Thread(target=self._use, args=(machine,), name=f"people at {machine}", daemon=True)
            for machine in range(cluster.count)
        ]
        for thread in self._threads:
            thread.start()

    def rival(self, here: int, there: int) -> None:
        """One key registers under two names at two places: no two nodes may ever call both final."""
        number = next(self._numbers)
        taken = []
        for machine, name in ((here, "Left"), (there, "Right")):
            key = key_of(f"rival {number}")
            raw = signed(self._cluster.chain, f"rival {number}", Register(key, name, "FR", b""))
            try:
                taken.append(self._cluster.clients[machine].submit(raw))
            except (NodeUnreachable, RefusedByNode):
                continue  # down, or it heard of the other one already
        if len(taken) == 2:
            self.rivals.append((taken[0], taken[1]))

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def missing(self, machines: list[int]) -> list[str]:
        """Of all that was called final: what a stopped node does not hold where it was promised."""
        lost = []
        for machine in machines:
            ledger = self._cluster.ledger(machine)
            for txid, height in self.promised.items():
                position = transaction_position(ledger.store, bytes.fromhex(txid))
                if position is None or position[0] != height:
                    lost.append(f"{txid[:16]} of block {height} at node {machine}")
            ledger.close()
        return lost

    def double(self) -> list[str]:
        """Rivals of which both were called final."""
        return [one for one, other in self.rivals if one in self.promised and other in self.promised]

    # --- one machine

    def _use(self, machine: int) -> None:
        from node.client import NodeClient

        client = NodeClient(self._cluster.clients[machine].url, timeout_s=2.0)
        waiting: list[str] = []
        while not self._stop.wait(EVERY_S):
            if not self._cluster.runs(machine):
                continue
            try:
                raw = registration(self._cluster.chain, f"person {machine} {next(self._numbers)}")
                txid = client.submit(raw)
                self.sent.add(txid)
                waiting = [*waiting, txid][-LOOK_BACK:]
                waiting = [each for each in waiting if not self._final(client.transaction(each))]
                for one, other in self.rivals[-2:]:
                    self._final(client.transaction(one))
                    self._final(client.transaction(other))
            except WattestError:
                time.sleep(EVERY_S)

    def _final(self, answer: dict[str, object]) -> bool:
        if answer["status"] != "final":
            return False
        txid, height = str(answer["txid"]), int(str(answer["height"]))
        if self.promised.setdefault(txid, height) != height:
            self.retracted.append(txid)
        return True
