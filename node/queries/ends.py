"""Why an output is no longer there: the rules know only that it is gone, the history knows what became of it."""

from state.errors import Lapsed, Retired, Spent, WattestError
from state.history import spent_row
from state.store import Store


def with_its_end(store: Store, refusal: WattestError) -> WattestError:
    """For `spent` of certificates that ended, the refusal that says how; every other one as it is.

    An output of which a part was retired stays `spent`: what was left of it lives on in another one.
    """
    if not isinstance(refusal, Spent):
        return refusal
    outpoint = refusal.params["outpoint"]
    assert isinstance(outpoint, bytes), "an outpoint is told in bytes"
    row = spent_row(store, outpoint)
    if row is None or row.heirs or row.kind not in ("retire", "expire"):
        return refusal
    kind = Retired if row.kind == "retire" else Lapsed
    said = kind(outpoint=outpoint, height=row.height)
    said.action_index = refusal.action_index
    return said
