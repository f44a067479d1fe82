"""Earlier heights that were asked about: the ledger as it stood there, and what the API keeps beside one."""

from collections import OrderedDict
from dataclasses import dataclass, field

from aiohttp import web

from node.api.refusals import BadParameter
from node.api.search import Searches
from node.past import Past
from node.queries.ranges import Ranges
from node.queries.supply import Supply
from state.store import Store

KEPT = 4  # heights: each may hold the columns of all its ranges


@dataclass
class Moment:
    """The ledger after the block of `height`; columns and counts are made when a question needs them."""

    height: int
    store: Store
    searches: Searches = field(default_factory=lambda: Searches(Ranges()))
    supply: Supply = field(default_factory=Supply)


class Moments:
    def __init__(self, past: Past | None) -> None:
        self._past = past
        self._kept: OrderedDict[int, Moment] = OrderedDict()

    async def of(self, height: int) -> Moment:
        """BadParameter where this node answers about the tip only; else what `Past.at` refuses."""
        if self._past is None:
            raise BadParameter(name="at", why="this node tells of its newest height only")
        moment = self._kept.get(height)
        if moment is None:
            moment = self._kept[height] = Moment(height, await self._past.at(height))
        self._kept.move_to_end(height)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return moment


MOMENTS: web.AppKey[Moments] = web.AppKey("moments", Moments)
