"""The rest of what people do, beside trading: keys, disputes, corrections, hand-overs, pledges, metered consumption.

As in `stories.py`, a step that cannot be done is left out. Whatever these need that takes a quorum and is no story of
its own stands in the state that a run begins with (`beginning.py`).
"""

from harness.sim.beginning import PLANTS, Townsfolk
from harness.sim.stories import Made, NotPossible, Story, decide_on, outputs, participant
from harness.world import DAY, FAR

from contracts.correct import withdrawal
from contracts.standing import standing_of
from state.attestation import ACCEPT, HOLD
from state.keyspace import device_key, output_key
from state.outputs import Bundle, Funds, PayoutRequest, Pending, Security, holder_of
from state.records import Device
from state.transaction import (
    Action,
    Amend,
    AnswerAppeal,
    AnswerHandover,
    AskPayout,
    ConfirmPayout,
    CorrectContent,
    Deposit,
    DropPayout,
    EndStanding,
    FileAppeal,
    HandOver,
    NameRecovery,
    Pledge,
    RecoverContent,
    RecoverKey,
    Register,
    RotateCredential,
    RotateKey,
    SetStanding,
    Unpledge,
    VetoRecovery,
)
from state.units import MICRO

DISPUTED, WRONG, GOOD = DAY + 15, DAY + 16, DAY + 17


def keys(world: Townsfolk, number: int) -> Story:
    """Somebody loses a key and gets in with the recovery key, rotates, and refuses what others decide about it."""
    person, safe = f"keeper {number}", f"safe {number}"
    new, newer = f"{person} new", f"{person} newer"
    if not (yield lambda: ((Register(world.key(person), person, "FR", b""),), (person,))):
        return
    world.people[person] = mine = participant(world, person)
    yield lambda: ((NameRecovery(mine, world.key(safe)),), (person,))
    recover = RecoverKey(mine, world.key(safe), world.key(new), b"")
    yield lambda: ((recover,), (safe, new))
    yield lambda: ((RotateKey(mine, world.key(newer)),), (new, newer))
    taken = f"{person} taken"
    yield from decide_on(world, "Organisation 0", RecoverContent(mine, world.key(taken), "lost"), (taken,))
    yield lambda: ((VetoRecovery(mine, b""),), (newer,))


def works(world: Townsfolk, number: int) -> Story:
    """The owner of a plant pledges, promises, hands over, amends, disputes a day and is put right about another."""
    owner, device = f"works {number}", PLANTS + 1 + number
    mine, bank, authority = (world.people[name] for name in (owner, "bank", "authority"))
    deposit = Deposit(bank, mine, "EUR", 50 * MICRO, f"for works {number}")
    yield lambda: ((deposit,), ("bank",))
    yield lambda: _signed(owner, Pledge(mine, device, "EUR", 10 * MICRO, _first(world, owner, Funds)))
    yield lambda: _ask_payout(world, owner)
    yield lambda: _signed("bank", DropPayout(bank, _first(world, owner, PayoutRequest)[0]))
    yield lambda: _ask_payout(world, owner)
    yield lambda: _signed("bank", _confirm_payout(world, owner, number))
    yield lambda: _signed(owner, Unpledge(mine, device, _first(world, owner, Security)[0]))
    yield lambda: _signed(owner, SetStanding(mine, device, bank, 100, 0, FAR))
    yield lambda: _signed(owner, EndStanding(mine, device, _rule(world, device)))
    yield lambda: ((world.issue_action(device, (world.attested(device, GOOD, 9_000_000, ACCEPT),)),), ())
    yield lambda: _hand_over(world, owner)
    yield lambda: _signed("bank", AnswerHandover(bank, _first(world, owner, Pending)[0], True))
    claimed: list[bytes] = []
    yield lambda: _claim(world, owner, claimed)
    yield lambda: _signed(owner, Amend(mine, _last(claimed), "Bakery Dupont & fils", "Nancy", ""))
    yield lambda: ((world.issue_action(device, (world.attested(device, DISPUTED, 5_000, HOLD),)),), ())
    yield lambda: _signed(owner, FileAppeal(mine, device, DISPUTED, 0, 0, "icing", b""))
    answer = AnswerAppeal(authority, device, DISPUTED, 0, 0, True, "seen", b"")
    yield lambda: _signed("authority", answer)
    meter, next_meter = f"meter {number}", f"meter {number} new"
    rotated = RotateCredential("meter", device, world.key(meter), world.key(next_meter))
    yield lambda: ((rotated,), (owner, meter, next_meter))
    hours = tuple(range(24))
    yield lambda: ((world.consumption(1 + number, DAY, hours, f"flat {number}"),), ())
    yield lambda: ((world.issue_action(device, (world.attested(device, WRONG, 3_000_000, ACCEPT),)),), ())
    wrong = CorrectContent(device, WRONG, 1, 2_000_000, 1_500_000, "meter error", b"")
    yield from decide_on(world, "Organisation 0", wrong)
    yield lambda: _withdraw(world, device)


def _signed(by: str, action: Action) -> Made:
    return (action,), (by,)


def _first(world: Townsfolk, name: str, kind: type) -> tuple[bytes]:
    found = outputs(world, name, kind)
    if not found:
        raise NotPossible
    return (found[0],)


def _last(claimed: list[bytes]) -> bytes:
    if not claimed:
        raise NotPossible
    return claimed[-1]


def _rule(world: Townsfolk, device: int) -> int:
    rules = standing_of(world.state, device)
    if not rules:
        raise NotPossible
    return rules[0].id


def _bundle(world: Townsfolk, owner: str) -> tuple[bytes, Bundle]:
    (point,) = _first(world, owner, Bundle)
    found = world.state.get(output_key(point))
    assert isinstance(found, Bundle)
    return point, found


def _withdraw(world: Townsfolk, device: int) -> Made:
    record = world.state.get(device_key(device))
    assert isinstance(record, Device)
    held = [(point, output) for point, output in world.live().items() if holder_of(output) == record.owner]
    found = withdrawal(world.state, world.environment().time_s, record, held, 64)
    if found is None:
        raise NotPossible
    return (found,), ()


def _ask_payout(world: Townsfolk, owner: str) -> Made:
    mine, bank, until = world.people[owner], world.people["bank"], world.time_ms // 1000 + 100_000
    return _signed(owner, AskPayout(mine, bank, _first(world, owner, Funds)[:1], "EUR", MICRO, until))


def _confirm_payout(world: Townsfolk, owner: str, number: int) -> Action:
    (point, *_) = _first(world, owner, PayoutRequest)
    return ConfirmPayout(world.people["bank"], point, world.people[owner], "EUR", MICRO, f"asked by works {number}")


def _hand_over(world: Townsfolk, owner: str) -> Made:
    point, bundle = _bundle(world, owner)
    mine, bank = world.people[owner], world.people["bank"]
    until = world.time_ms // 1000 + 100_000
    return _signed(owner, HandOver(mine, point, bundle.start, bundle.start + 1, bank, until, ""))


def _claim(world: Townsfolk, owner: str, claimed: list[bytes]) -> Made:
    point, bundle = _bundle(world, owner)
    action = world.retire_action(owner, point, bundle.start, bundle.start)
    claimed.append(action.statement_hash[:16])
    return _signed(owner, action)
