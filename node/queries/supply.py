"""How many certificates of each scheme there are: issued = live + retired + expired + withdrawn, at every height.

Counted from the events of final blocks, each height once, so that an answer never walks all outputs.
"""

from dataclasses import dataclass
from typing import Any

from contracts.events import Event, Expired, Issued, Retired, Withdrawn
from node.queries.certificates import issuance_of
from node.queries.chain import events_of, tip_height
from node.queries.registry import schemes_list
from state.store import Store


@dataclass
class Count:
    issuances: int = 0
    issued: int = 0
    retired: int = 0
    expired: int = 0
    withdrawn: int = 0

    @property
    def live(self) -> int:
        return self.issued - self.retired - self.expired - self.withdrawn


class Supply:
    """The count up to `height`; `advance` follows the store."""

    def __init__(self) -> None:
        self.height = -1
        self.schemes: dict[int, Count] = {}

    def advance(self, store: Store, blocks: int) -> bool:
        """Count up to `blocks` more heights; whether there are more to come."""
        tip = tip_height(store)
        for height in range(self.height + 1, min(tip, self.height + blocks) + 1):
            for record in events_of(store, height):
                self._count(store, record.event)
            self.height = height
        return self.height < tip

    def _count(self, store: Store, event: Event) -> None:
        if not isinstance(event, Issued | Retired | Expired | Withdrawn):
            return
        scheme = event.scheme if isinstance(event, Issued) else issuance_of(store, event.issuance).scheme
        count = self.schemes.setdefault(scheme, Count())
        quantity = event.end - event.start + 1
        match event:
            case Issued():
                count.issuances += 1
                count.issued += quantity
            case Retired():
                count.retired += quantity
            case Expired():
                count.expired += quantity
            case Withdrawn():
                count.withdrawn += quantity

    def show(self, store: Store) -> list[dict[str, Any]]:
        """One line per scheme, also where nothing was issued yet."""
        return [_line(scheme, self.schemes.get(scheme["id"], Count())) for scheme in schemes_list(store)]


def _line(scheme: dict[str, Any], count: Count) -> dict[str, Any]:
    return {
        "scheme": scheme["id"],
        "name": scheme["name"],
        "unit": scheme["unit"],
        "face_value": scheme["face_value"],
        "issuances": str(count.issuances),
        "issued": str(count.issued),
        "live": str(count.live),
        "retired": str(count.retired),
        "expired": str(count.expired),
        "withdrawn": str(count.withdrawn),
    }
