"""What people do, step by step. A step that gives None waits for another block; one that cannot be done is left out."""

from collections.abc import Callable, Generator

from harness.sim.beginning import Townsfolk, vote_key_name
from harness.sim.keys import key_of
from harness.world import DAY, FAR

from contracts.settle import build_settle
from state.attestation import ACCEPT
from state.codec import encode
from state.keyspace import Space, output_key, space_end
from state.outputs import Bid, Bundle, Funds, holder_of
from state.records import Auction, AuctionClass, KeyOwner, Proposal
from state.transaction import (
    Action,
    Cancel,
    Deposit,
    Issue,
    OpenAuction,
    Payout,
    Piece,
    PlaceBid,
    PlaceOffer,
    ProposalContent,
    Propose,
    Register,
    RemoveValidatorContent,
    Replace,
    RoleContent,
    RotateVoteKeyContent,
    Transfer,
    ValidatorContent,
    Vote,
)
from state.units import MICRO, Outpoint

Made = tuple[tuple[Action, ...], tuple[str, ...]]
Story = Generator[Callable[[], Made | None], bool, None]


class NotPossible(Exception):
    """The story goes on without this step."""


PROPOSED = 3  # times at most
OPEN_S = 20  # how long an auction takes orders


def trade(world: Townsfolk, number: int) -> Story:
    """Somebody registers, pays in, buys from a plant by transfer and by auction, retires, and is paid out."""
    person, plant, title = f"person {number}", f"plant {number}", f"auction {number}"
    if not (yield lambda: ((Register(world.key(person), person, "FR", b""),), (person,))):
        return
    world.people[person] = participant(world, person)
    yield lambda: ((_deposit(world, person, number),), ("bank",))
    before = set(_bundles(world, plant))
    yield lambda: ((_issue(world, number),), ())
    lot = next((point for point in _bundles(world, plant) if point not in before), None)
    if lot is None:
        return
    yield lambda: ((_split(world, plant, person, lot),), (plant,))
    yield lambda: ((_open(world, title),), ("exchange",))
    auction = _auction(world, title)
    if auction is None:
        return
    for euros in (2, 3):
        yield lambda euros=euros: _offer(world, plant, auction, euros)
    yield lambda: _bid(world, person, auction)
    yield lambda: _replace(world, person)
    yield lambda: _cancel(world, plant, auction)
    yield lambda: _settle(world, auction)
    yield lambda: _retire(world, person)
    yield lambda: _payout(world, person, number)


def decide(world: Townsfolk, number: int) -> Story:
    """A plant asks for a role, a quorum of organisations grants it."""
    asks = f"plant {number}"
    content = RoleContent(world.people[asks], "market_operator", FAR + number)
    yield from decide_on(world, asks, content)


def change(world: Townsfolk, kind: str, node: int) -> Story:
    """An organisation joins the validators, leaves them, or rotates its vote key."""
    n = sum(name.startswith("Organisation ") for name in world.people)
    organisation = f"joiner {node - n}" if kind == "join" else f"Organisation {node}"
    participant = world.people[organisation]
    match kind:
        case "join":
            content: ProposalContent = ValidatorContent(
                participant,
                organisation,
                key_of(vote_key_name(node)),
                key_of(f"node_key{node}"),
                key_of(f"escrow_key{node}"),
                f"127.0.0.1:{9000 + node}",
            )
        case "leave":
            content = RemoveValidatorContent(participant)
        case _:
            content = RotateVoteKeyContent(participant, key_of(vote_key_name(node, rotated=True)))
    yield from decide_on(world, organisation, content)


def show(action: Action) -> Story:
    yield lambda: ((action,), ())


def decide_on(world: Townsfolk, proposer: str, content: ProposalContent, also: tuple[str, ...] = ()) -> Story:
    """A proposal of somebody, and the votes of a quorum; proposed again where the end of an epoch overtook it. `also`
    sign what is proposed."""
    for _ in range(PROPOSED):
        known = {proposal.id for proposal in _proposals(world)}
        if not (yield lambda: ((Propose(world.people[proposer], content),), (proposer, *also))):
            return
        mine = (world.people[proposer], encode(content))
        number = next((p.id for p in _proposals(world) if p.id not in known and (p.proposer, p.content) == mine), None)
        if number is None or (yield from _vote_on(world, number)):
            return


def _vote_on(world: Townsfolk, number: int) -> Generator[Callable[[], Made | None], bool, bool]:
    """Whether it is decided, and not overtaken."""
    names = {participant: name for name, participant in world.people.items()}
    for _ in range(len(world.validators) + 1):
        proposal = next((p for p in _proposals(world) if p.id == number), None)
        if proposal is None or proposal.status != "open":
            return True
        voter = next((v for v in world.validators if v.index not in proposal.approvals), None)
        if voter is None:
            return False
        name = names[voter.participant]
        if not (yield lambda v=voter, name=name: ((Vote(number, v.index, True, ""),), (name,))):
            return False
    return False


# --- the steps of a trade


def _deposit(world: Townsfolk, person: str, number: int) -> Deposit:
    return Deposit(world.people["bank"], world.people[person], "EUR", 100 * MICRO, f"paid in {number}")


def _issue(world: Townsfolk, number: int) -> Issue:
    device = 1 + number
    day = world.attested(device, DAY + number, 10_000_000, ACCEPT)
    return world.issue_action(device, (day,))


def _split(world: Townsfolk, plant: str, person: str, lot: Outpoint) -> Transfer:
    bundle = world.state.get(output_key(lot))
    if not isinstance(bundle, Bundle):
        raise NotPossible
    seller, first = world.people[plant], bundle.start
    pieces = (
        Piece(world.people[person], first, first + 4),
        Piece(seller, first + 5, first + 6),
        Piece(seller, first + 7, bundle.end),
    )
    return Transfer(seller, (lot,), pieces, None)


def _open(world: Townsfolk, title: str) -> OpenAuction:
    lot_class = AuctionClass(1, "T02", "", 0, 0, 0)
    closes_at = world.time_ms // 1000 + OPEN_S
    return OpenAuction(world.people["exchange"], title, lot_class, "EUR", 0, 0, closes_at)


def _offer(world: Townsfolk, plant: str, auction: int, euros: int) -> Made | None:
    point, bundle = _some_bundle(world, plant)
    return (PlaceOffer(auction, world.people[plant], point, bundle.start, bundle.end, euros * MICRO),), (plant,)


def _bid(world: Townsfolk, person: str, auction: int) -> Made | None:
    funds = tuple(outputs(world, person, Funds))
    if not funds:
        raise NotPossible
    return (PlaceBid(auction, world.people[person], 2, 5 * MICRO, funds),), (person,)


def _replace(world: Townsfolk, person: str) -> Made | None:
    orders = outputs(world, person, Bid)
    if not orders:
        raise NotPossible
    return (Replace(world.people[person], orders[0], 2, 4 * MICRO, (), b"", 0, ()),), (person,)


def _cancel(world: Townsfolk, plant: str, auction: int) -> Made | None:
    mine = world.people[plant]
    low = bytes((Space.OUTPUT,))
    orders = [
        key[1:]
        for key, output in world.state.scan(low, space_end(low))
        if getattr(output, "auction", None) == auction and holder_of(output) == mine  # type: ignore[arg-type]
    ]
    if not orders:
        raise NotPossible
    return (Cancel(mine, orders[-1]),), (plant,)


def _settle(world: Townsfolk, number: int) -> Made | None:
    auction = next((each for each in _auctions(world) if each.id == number), None)
    if auction is None:
        raise NotPossible
    if auction.status == "open":
        return None
    if auction.status == "settled":
        raise NotPossible
    return (build_settle(world.state, auction),), ()


def _retire(world: Townsfolk, person: str) -> Made | None:
    point, bundle = _some_bundle(world, person)
    return (world.retire_action(person, point, bundle.start, bundle.start),), (person,)


def _payout(world: Townsfolk, person: str, number: int) -> Made | None:
    funds = outputs(world, person, Funds)
    if not funds:
        raise NotPossible
    action = Payout(world.people["bank"], world.people[person], (funds[0],), "EUR", MICRO, f"out {number}")
    return (action,), ("bank", person)


# --- looking


def participant(world: Townsfolk, name: str) -> int:
    low = bytes((Space.KEY_OWNER,)) + world.key(name)
    owner = world.state.get(low)
    assert isinstance(owner, KeyOwner)
    return owner.participant


def outputs(world: Townsfolk, name: str, kind: type) -> list[Outpoint]:
    low, holder = bytes((Space.OUTPUT,)), world.people[name]
    return [
        key[1:]
        for key, output in world.state.scan(low, space_end(low))
        if type(output) is kind and holder_of(output) == holder  # type: ignore[arg-type]
    ]


def _bundles(world: Townsfolk, name: str) -> dict[Outpoint, Bundle]:
    return {point: world.state.get(output_key(point)) for point in outputs(world, name, Bundle)}  # type: ignore[misc]


def _some_bundle(world: Townsfolk, name: str) -> tuple[Outpoint, Bundle]:
    for found in _bundles(world, name).items():
        return found
    raise NotPossible


def _auctions(world: Townsfolk) -> list[Auction]:
    low = bytes((Space.AUCTION,))
    return [entry for _, entry in world.state.scan(low, space_end(low)) if isinstance(entry, Auction)]


def _auction(world: Townsfolk, title: str) -> int | None:
    return next((auction.id for auction in _auctions(world) if auction.title == title), None)


def _proposals(world: Townsfolk) -> list[Proposal]:
    low = bytes((Space.PROPOSAL,))
    return [entry for _, entry in world.state.scan(low, space_end(low)) if isinstance(entry, Proposal)]
