"""What the widgets show: frozen pictures of the network, made by `tui.model`, equal where nothing changed.

Texts that depend on a width are made by the widgets; names, numbers and sentences are ready here.
"""

from dataclasses import dataclass

ACCEPT, HOLD, REJECT = 0, 1, 2  # the ledger's verdicts
PENDING, REVIEW = 3, 4  # attested and not yet on chain; good by itself, and its week is not over
EQUAL, DIFFER, UNKNOWN = "equal", "differ", "unknown"  # state roots of the nodes that answer


# --- the network


@dataclass(frozen=True)
class ValidatorPicture:
    """`alive` is None where nobody knows. `marks`: the newest blocks, oldest first: signed, proposed or neither."""

    index: int
    name: str
    alive: bool | None
    leads: bool
    height: int | None
    state_root: str
    marks: tuple[str, ...]  # "proposed" | "signed" | "absent"
    last_signed: int
    peers: int | None
    waiting: int | None
    syncing: bool = False
    other_chain: bool = False


@dataclass(frozen=True)
class BlockPicture:
    height: int
    hash: str
    proposer: str
    transactions: int
    time_ms: int
    signers: int
    what: str


@dataclass(frozen=True)
class NetworkPicture:
    name: str = ""
    chain: str = ""
    height: int = -1
    time_ms: int = 0
    epoch: int = 0
    view: int = 0
    leader: str = ""
    roots: str = UNKNOWN
    validators: tuple[ValidatorPicture, ...] = ()
    blocks: tuple[BlockPicture, ...] = ()  # newest first

    @property
    def down(self) -> int:
        return sum(row.alive is False for row in self.validators)


# --- plants and their days


@dataclass(frozen=True)
class DayPicture:
    day: int
    verdict: int
    energy_wh: int = 0
    release_wh: int = 0
    sentence: str = ""  # why it is held or rejected
    review_until: int = 0  # the day whose close lets say more of it; 0 where all is said


@dataclass(frozen=True)
class Gathering:
    """Attestations of one day: how many validators signed it so far."""

    day: int
    signed: int
    total: int
    verdict: int


@dataclass(frozen=True)
class PlantPicture:
    device: int
    name: str
    technology: str
    recorded: int  # the year its record is from; 0 where the readings are of today
    timestamp: int  # production time of the last reading, s; 0 before the first
    power_w: int | None
    powers: tuple[int | None, ...]
    readings: int
    days: tuple[DayPicture, ...]
    gathering: Gathering | None
    issued: int
    unit: str


@dataclass(frozen=True)
class JudgedDay:
    device: int
    plant: str
    day: DayPicture
    signatures: int


@dataclass(frozen=True)
class PlantsPicture:
    plants: tuple[PlantPicture, ...] = ()
    latest: JudgedDay | None = None
    refused: JudgedDay | None = None  # the latest that was rejected, else the latest that is held

    @property
    def years(self) -> tuple[int, ...]:
        """Of the records that are played."""
        return tuple(sorted({plant.recorded for plant in self.plants if plant.recorded}))


# --- certificates


@dataclass(frozen=True)
class BirthPicture:
    """`first` is the number of one certificate, `number` of the whole range."""

    number: str
    first: str
    quantity: int
    unit: str
    plant: str
    month: str
    height: int


@dataclass(frozen=True)
class SchemeCount:
    name: str
    unit: str
    issued: int
    live: int
    retired: int
    expired: int


@dataclass(frozen=True)
class MovePicture:
    """Certificates that changed hands outside an auction."""

    sender: str
    receiver: str
    quantity: int
    unit: str
    height: int


@dataclass(frozen=True)
class CertificatesPicture:
    born: BirthPicture | None = None
    since: int = 1  # the block from which all is counted
    schemes: tuple[SchemeCount, ...] = ()
    moves: tuple[MovePicture, ...] = ()  # newest first


# --- the market


@dataclass(frozen=True)
class OrderPicture:
    side: str  # "offer" | "bid"
    who: str
    quantity: int
    limit: int  # millionths of the currency per certificate


@dataclass(frozen=True)
class AuctionPicture:
    number: int
    title: str
    unit: str
    currency: str
    status: str  # "open" | "closed" | "settled"
    closes_at: int  # s of ledger time
    orders: tuple[OrderPicture, ...] = ()  # best first: bids from above, offers from below

    def total(self, side: str) -> int:
        return sum(order.quantity for order in self.orders if order.side == side)


@dataclass(frozen=True)
class SettlementPicture:
    number: int
    title: str
    unit: str
    currency: str
    price: int
    quantity: int
    buyers: int
    sellers: int
    height: int


@dataclass(frozen=True)
class DeliveryPicture:
    seller: str
    buyer: str
    quantity: int
    unit: str
    currency: str
    amount: int


@dataclass(frozen=True)
class MarketPicture:
    running: AuctionPicture | None = None
    settled: tuple[SettlementPicture, ...] = ()  # newest first
    deliveries: tuple[DeliveryPicture, ...] = ()  # newest first


# --- statements


@dataclass(frozen=True)
class StatementPicture:
    id: str
    url: str
    numbers: tuple[str, ...]
    quantity: int
    unit: str
    plant: str
    month: str
    holder: str
    beneficiary: str
    height: int
    time_ms: int
    count: int  # statements so far


@dataclass(frozen=True)
class Picture:
    """One moment of everything."""

    network: NetworkPicture
    plants: PlantsPicture
    certificates: CertificatesPicture
    market: MarketPicture
    statement: StatementPicture | None
