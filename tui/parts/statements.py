"""Retirements and the statement that each leaves behind."""

from dataclasses import dataclass, field
from typing import Any

from tui.parts.certificates import Certificates, quantity
from tui.parts.names import Names
from tui.pictures import StatementPicture


@dataclass
class Statement:
    id: str
    height: int
    time_ms: int
    ranges: list[dict[str, Any]] = field(default_factory=list)


class Statements:
    def __init__(self, names: Names, certificates: Certificates) -> None:
        self._names = names
        self._certificates = certificates
        self._newest: Statement | None = None
        self._count = 0

    def apply_retired(self, event: dict[str, Any], height: int, time_ms: int) -> None:
        """A statement over several ranges comes as several events with one id."""
        if self._newest is None or self._newest.id != event["statement"]:
            self._newest = Statement(event["statement"], height, time_ms)
            self._count += 1
        self._newest.ranges.append(event)

    def picture(self, public_url: str, chain_id: str) -> StatementPicture | None:
        newest = self._newest
        if newest is None:
            return None
        first = newest.ranges[0]
        return StatementPicture(
            id=newest.id,
            url=statement_url(public_url, newest.id, chain_id),
            numbers=tuple(self._certificates.number(event) for event in newest.ranges),
            quantity=sum(quantity(event) for event in newest.ranges),
            unit=self._names.unit_of(first["device"]),
            plant=self._names.device(first["device"]).name,
            month=self._certificates.month_of(first),
            holder=self._names.participant(first["holder"]),
            beneficiary=first["beneficiary"],
            height=newest.height,
            time_ms=newest.time_ms,
            count=self._count,
        )


def statement_url(public_url: str, statement: str, chain_id: str) -> str:
    """What the QR code says: FORMATS.md, "Actions"."""
    return f"{public_url.rstrip('/')}/statement/{statement}?c={chain_id[:8]}"
