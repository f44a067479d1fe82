"""Births, transfers and ends of certificates, counted by scheme."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from tui.parts.names import Names
from tui.pictures import BirthPicture, CertificatesPicture, MovePicture, SchemeCount
from tui.words import month

MOVES = 8


@dataclass
class Count:
    issued: int = 0
    retired: int = 0
    expired: int = 0


@dataclass(frozen=True)
class Issue:
    device: int
    scheme: int
    month: int
    start: int
    end: int
    height: int


class Certificates:
    """`issues` maps an issuance to what it made; the other parts name certificates by it."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._counts: dict[int, Count] = {}
        self._newest: Issue | None = None
        self._moves: deque[tuple[dict[str, Any], int]] = deque(maxlen=MOVES)
        self.issues: dict[int, Issue] = {}

    def apply_issued(self, event: dict[str, Any], height: int) -> None:
        start, end = int(event["start"]), int(event["end"])
        issue = Issue(event["device"], event["scheme"], event["month"], start, end, height)
        self.issues[int(event["issuance"])] = issue
        self._newest = issue
        self._counts.setdefault(issue.scheme, Count()).issued += end - start + 1

    def apply_transferred(self, event: dict[str, Any], height: int) -> None:
        self._moves.appendleft((event, height))

    def apply_retired(self, event: dict[str, Any]) -> None:
        self._count_of(event).retired += quantity(event)

    def apply_expired(self, event: dict[str, Any]) -> None:
        self._count_of(event).expired += quantity(event)

    def _count_of(self, event: dict[str, Any]) -> Count:
        issue = self.issues.get(int(event["issuance"]))
        scheme = issue.scheme if issue is not None else self._names.device(event["device"]).scheme
        return self._counts.setdefault(scheme, Count())

    def number(self, event: dict[str, Any]) -> str:
        """The number of the range that an event names by issuance, device, start and end."""
        issue = self.issues.get(int(event["issuance"]))
        scheme, of_month = (issue.scheme, issue.month) if issue is not None else (0, 0)
        return self._names.number(event["device"], scheme, of_month, int(event["start"]), int(event["end"]))

    def month_of(self, event: dict[str, Any]) -> str:
        issue = self.issues.get(int(event["issuance"]))
        return month(issue.month) if issue is not None else ""

    # --- the picture

    def picture(self, since: int) -> CertificatesPicture:
        moves = tuple(self._move(*moved) for moved in self._moves)
        return CertificatesPicture(self._born(), since, self._schemes(), moves)

    def _born(self) -> BirthPicture | None:
        issue = self._newest
        if issue is None:
            return None
        name = self._names.number
        return BirthPicture(
            number=name(issue.device, issue.scheme, issue.month, issue.start, issue.end),
            first=name(issue.device, issue.scheme, issue.month, issue.start, issue.start),
            quantity=issue.end - issue.start + 1,
            unit=self._names.scheme(issue.scheme).unit,
            plant=self._names.device(issue.device).name,
            month=month(issue.month),
            height=issue.height,
        )

    def _schemes(self) -> tuple[SchemeCount, ...]:
        """Also the schemes of which nothing was issued yet."""
        shown = []
        for number in sorted({*self._counts, *self._names.schemes}):
            scheme, count = self._names.scheme(number), self._counts.get(number, Count())
            live = count.issued - count.retired - count.expired
            shown.append(SchemeCount(scheme.name, scheme.unit, count.issued, live, count.retired, count.expired))
        return tuple(shown)

    def _move(self, event: dict[str, Any], height: int) -> MovePicture:
        sender, receiver = self._names.participant(event["sender"]), self._names.participant(event["to"])
        return MovePicture(sender, receiver, quantity(event), self._names.unit_of(event["device"]), height)


def quantity(event: dict[str, Any]) -> int:
    return int(event["end"]) - int(event["start"]) + 1
