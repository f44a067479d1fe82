"""The state that a node commits to grows with live bundles, however many certificates they hold or ever were."""

from harness.finalized import FinalizedWorld
from harness.world import DAY

from node.queries.chain import meta_of
from state.outputs import Bundle
from state.transaction import Piece, Transfer


def rows(world: FinalizedWorld) -> int:
    return meta_of(world.store).entry_count


def made(world: FinalizedWorld, energy_wh: int, day: int) -> int:
    """Rows that an issue adds."""
    before = rows(world)
    assert world.issue(1, energy_wh, day=day) is not None
    return rows(world) - before


def cut(world: FinalizedWorld, *pieces: tuple[int, int]) -> int:
    """Rows that the state has more when the owner's certificates 2 to 41 are cut into other bundles."""
    before, me, live = rows(world), world.people["owner"], world.live()
    bundles = {point: live[point] for point in world.outputs_of("owner", Bundle)}
    inputs = tuple(point for point, held in bundles.items() if isinstance(held, Bundle) and 2 <= held.start <= 41)
    world.do(Transfer(me, inputs, tuple(Piece(me, *piece) for piece in pieces), None), by=("owner",))
    return rows(world) - before


def test_state_grows_with_live_bundles_and_not_with_certificates() -> None:
    world = FinalizedWorld()
    world.register("owner")
    world.device("owner")
    made(world, 1_000_000, DAY)  # the first one opens the month's account
    forty, one = made(world, 40_000_000, DAY + 1), made(world, 1_000_000, DAY + 2)
    assert forty == one, "whatever they hold, bundles take the same"
    each = cut(world, (2, 11), (12, 21), (22, 31), (32, 41)) / 3
    assert each > 0
    assert cut(world, *((number, number) for number in range(2, 42))) == 36 * each
    assert cut(world, (2, 41)) == -39 * each, "merged again, the state is as small as before"
    whole, before = world.outputs_of("owner", Bundle), rows(world)
    for point in whole:
        held = world.live()[point]
        assert isinstance(held, Bundle)
        world.do(world.retire_action("owner", point, held.start, held.end), by=("owner",))
    gone = len(whole) * (each - 1)  # a statement comes for each bundle that goes
    assert rows(world) == before - gone - 1, "and the count of what the owner holds goes with the last one"
