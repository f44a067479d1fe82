"""Connections that carry whole frames: in order, or broken. What a TCP connection makes of the drawn network.

A frame that the network loses, or that finds nobody, ends the connection; both ends hear of it a while later.
"""

from typing import Any

from node.wire import Frame

BROKEN_MS = 3_000  # until silence is noticed


class Lines:
    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self._session: dict[tuple[int, int], int] = {}
        self._last_ms: dict[tuple[int, int], int] = {}

    def connected(self, one: int, other: int) -> bool:
        """Whether both could speak now."""
        network = self._cluster.network
        return all(
            network.open(*link) and (link[0] in self._cluster.villains or self._cluster.node(link[0]).up)
            for link in ((one, other), (other, one))
        )

    def send(self, source: int, target: int, frame: Frame) -> None:
        cluster, link = self._cluster, (source, target)
        session = self._session.setdefault(_pair(source, target), 0)
        delays = cluster.network.carry(source, target)
        if not delays:
            self._break(source, target)
            return
        due_ms = max(cluster.now_ms + delays[0], self._last_ms.get(link, 0))
        self._last_ms[link] = due_ms
        cluster.at(due_ms, lambda: self._arrive(session, source, target, frame))

    def _arrive(self, session: int, source: int, target: int, frame: Frame) -> None:
        if self._session[_pair(source, target)] != session:
            return  # of a connection that has ended
        cluster = self._cluster
        villain = cluster.villains.get(target)
        if villain is not None:
            villain.liar.asked(source, frame)
        elif cluster.node(target).up:
            cluster.say(f"{source} -> {target} {type(frame).__name__}")
            cluster.take_frame(cluster.node(target), source, frame)
        else:
            self._break(source, target)

    def _break(self, source: int, target: int) -> None:
        cluster, pair = self._cluster, _pair(source, target)
        self._session[pair] += 1
        for one, other in ((source, target), (target, source)):
            if one not in cluster.villains:
                node = cluster.node(one)
                cluster.at(
                    cluster.now_ms + BROKEN_MS,
                    lambda node=node, other=other: cluster.within(node, lambda: node.disconnected(other)),
                )


def _pair(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)
