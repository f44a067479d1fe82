"""The sweep: what is dead by the block's time leaves in (time, outpoint) order, bounded, and nothing waits for it."""

import pytest
from harness.town import Town

from contracts import expire
from contracts.events import Expired
from contracts.expire import due_at_ms
from state.errors import CertificateExpired
from state.keyspace import Space, output_count_key, space_end
from state.outputs import NEVER, Bundle, Funds, retire_until
from state.records import Counter
from state.units import MICRO


@pytest.fixture
def town() -> Town:
    return Town()


def seconds_to_the_end(town: Town) -> int:
    return min(retire_until(output) for output in town.live().values()) - town.time_ms // 1000


def test_certificates_die_in_the_first_block_at_their_time(town: Town) -> None:
    left_s = seconds_to_the_end(town)
    assert town.block(seconds=left_s - 1) == []
    assert town.certificates("plant") == 10
    assert town.block(seconds=1) == [Expired(town.id("plant"), town.device_id, 1, 1, 10)]
    assert town.live() == {}
    assert town.state.get(output_count_key(town.id("plant"))) is None


def test_a_locked_offer_dies_too_and_money_never_does(town: Town) -> None:
    auction, _, _ = town.trade()
    events = town.block(seconds=seconds_to_the_end(town))
    assert [type(event) for event in events if isinstance(event, Expired)] == [Expired]
    town.settle(auction)
    assert town.money("trader") == 100 * MICRO
    assert all(isinstance(output, Funds) for output in town.live().values())


def test_the_sweep_is_bounded_and_goes_on_in_order(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expire, "SWEEP_LIMIT", 2)
    points = town.move("plant", (town.lot,), *(town.piece("plant", n, n) for n in range(1, 11)))
    left_s, died = seconds_to_the_end(town), []
    for seconds in (left_s, 1, 1, 1, 1):
        assert len(town.block(seconds=seconds)) == 2
        (movement,) = town.outputs[-1].movements
        died += [point for point, _ in movement.spent]
    assert died == sorted(points)
    assert town.block() == []


def test_nothing_dead_moves_while_the_sweep_is_behind(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expire, "SWEEP_LIMIT", 0)
    action = town.transfer("plant", (town.lot,), town.piece("plant", 1, 10))
    retire = town.retire_action("plant", town.lot, 1, 10)
    town.block(seconds=seconds_to_the_end(town))
    assert town.certificates("plant") == 10
    town.refuses(CertificateExpired, action, by=("plant",))
    town.refuses(CertificateExpired, retire, by=("plant",))


def test_earlier_certificates_die_first(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expire, "SWEEP_LIMIT", 1)
    town.block(seconds=40 * 86_400)
    later = town.issue(town.device_id, 1_000_000, day=16_170)
    assert later is not None
    town.block(seconds=town.bundle(later).retire_until - town.time_ms // 1000)
    assert [point for point, _ in town.outputs[-1].movements[0].spent] == [town.lot]
    town.block()
    assert [point for point, _ in town.outputs[-1].movements[0].spent] == [later]


def test_a_block_is_due_when_something_expires_or_closes(town: Town) -> None:
    assert due_at_ms(town.state) == town.bundle(town.lot).retire_until * 1000
    town.auction(seconds=50)
    assert due_at_ms(town.state) == (town.time_ms // 1000 - 1 + 50) * 1000
    town.move("plant", (town.lot,), town.piece("plant", 1, 10))
    town.do(town.retire_action("plant", town.outputs_of("plant", Bundle)[0], 1, 10), by=("plant",))
    town.close(1)
    assert due_at_ms(town.state) is None


def test_the_expiry_queue_names_exactly_the_live_outputs(town: Town) -> None:
    town.trade()
    low = bytes((Space.EXPIRY,))
    queued = {(int.from_bytes(key[1:9], "big"), key[9:]) for key, _ in town.state.scan(low, space_end(low))}
    expected = {(retire_until(output), point) for point, output in town.live().items()}
    assert queued == {(until, point) for until, point in expected if until != NEVER}
    for name in ("plant", "trader"):
        count = town.state.get(output_count_key(town.id(name)))
        assert isinstance(count, Counter)
