"""The quorums that a node holds: what the next proposal may build on, and what others may be missing."""

from consensus.messages import MAX_JUST
from consensus.votes import FINALIZE, NOTARIZE, NULLIFY, Finalization, Notarization, Nullification, Quorum


class HeldQuorums:
    """Quorums of one epoch above the best Finalization, and that Finalization itself."""

    def __init__(self, finalization: Finalization | None) -> None:
        self.final: Finalization | None = None
        self.final_view = 0  # of the best Finalization, 0 at the base of the epoch
        self._held: dict[tuple[int, int], Quorum] = {}  # (view, kind)
        if finalization is not None:
            self.add(finalization)

    @property
    def highest_view(self) -> int:
        """The highest view that any quorum ended."""
        return max((view for view, _ in self._held), default=0)

    def add(self, quorum: Quorum) -> None:
        """Keep a verified quorum; a better Finalization drops what lies below it."""
        if quorum.view < self.final_view:
            return
        self._held[quorum.view, quorum.kind] = quorum
        if quorum.kind == FINALIZE and quorum.view > self.final_view:
            self.final, self.final_view = quorum, quorum.view
            self._held = {key: held for key, held in self._held.items() if key[0] >= quorum.view}

    def get(self, kind: int, view: int) -> Quorum | None:
        return self._held.get((view, kind))

    def certified(self, view: int) -> Quorum | None:
        """What makes the block of `view` a lawful parent: its Finalization counts as a Notarization."""
        return self._held.get((view, FINALIZE)) or self._held.get((view, NOTARIZE))

    def nullification(self, view: int) -> Nullification | None:
        return self._held.get((view, NULLIFY))

    def notarizations(self) -> list[Notarization]:
        """Those above the best Finalization, by view."""
        return [quorum for quorum in self._above(self.final_view + 1) if quorum.kind == NOTARIZE]

    def contradiction(self, quorum: Quorum) -> Quorum | None:
        """A held quorum that cannot exist beside this one unless more than f validators lie."""
        for kind in (NOTARIZE, FINALIZE, NULLIFY):
            held = self._held.get((quorum.view, kind))
            if held is None:
                continue
            nullify_count = (held.kind == NULLIFY) + (quorum.kind == NULLIFY)
            if nullify_count == 0 and held.position != quorum.position:
                return held
            if nullify_count == 1 and FINALIZE in (held.kind, quorum.kind):
                return held
        return None

    def open_parent(self, view: int) -> int | None:
        """The parent's view for a block of `view`: the highest notarised one below, every view between nullified.

        0 is the base of the epoch; None when a quorum in between is missing here.
        """
        for below in range(view - 1, self.final_view - 1, -1):
            if below == 0 or self.certified(below):
                return below
            if not self.nullification(below):
                return None
        return None

    def all_nullified(self, above: int, below: int) -> bool:
        """Whether a Nullification is held for every view strictly between."""
        return all((view, NULLIFY) in self._held for view in range(above + 1, below))

    def just(self, parent_view: int, view: int) -> tuple[Quorum, ...]:
        """Why a block of `view` may have its parent in `parent_view`; the newest when they are too many."""
        parent = self.certified(parent_view)
        between = [self._held[v, NULLIFY] for v in range(parent_view + 1, view) if (v, NULLIFY) in self._held]
        return ((parent,) if parent else ()) + tuple(between[-(MAX_JUST - 1) :])

    def newest(self) -> tuple[Quorum, ...]:
        """The best Finalization and the newest quorums above it: what a timer or a new connection sends again."""
        above = self._above(self.final_view + 1)
        return ((self.final,) if self.final else ()) + tuple(above[-(MAX_JUST - 1) :])

    def page(self, from_view: int) -> tuple[Quorum, ...]:
        """The best Finalization and the oldest quorums from `from_view` up: the answer to GetQuorums.

        MAX_JUST of them, if there are as many: that is how the other side knows of a next page.
        """
        above = self._above(max(from_view, self.final_view + 1))
        best = (self.final,) if self.final else ()
        return best + tuple(above[: MAX_JUST - len(best)])

    def _above(self, from_view: int) -> list[Quorum]:
        return [self._held[key] for key in sorted(self._held) if key[0] >= from_view]
