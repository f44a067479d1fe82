"""A dashboard in Russian or Chinese read to its last word: a town with something of everything, and what is English."""

import re

from harness.finalized import FinalizedWorld
from harness.world import DAY, FAR, key_of

from state.attestation import HOLD
from state.dealing import ListLot
from state.outputs import Bundle, Funds
from state.records import AuctionTerms, Dimension
from state.transaction import ConsumptionMeterContent, FileAppeal, Propose, RoleContent
from state.units import MICRO
from tui.app import Dashboard

# What has one name everywhere: the product, keys, formats, standards, an example of a city, what one types in a bid.
PROPER = """
wattest Ctrl Enter Escape Tab Space PgUp PgDn Home End English Moscow UTC WAT EUR CSV JSON Parquet SVG ISO EECS GSRN
EnergyTag mrets WND kill technology solar
"""
# People, plants, titles and reasons that somebody gave, in the words in which it was given.
GIVEN = """
owner trader bank exchange Organisation Organisatio Flat Spring wind La Haute Borne Nancy Bakery Dupont ice the blades
test reference network
"""
NAMES = frozenset(f"{PROPER} {GIVEN}".split())

WORD = re.compile(r"(?<![\w./:…-])[A-Za-z][A-Za-z_]{2,}(?![\w./:…-])", re.ASCII)
CODES = re.compile(r"`[^`]*(?:`|$)|\[[a-z_]+\]", re.MULTILINE)  # what one types, and the code of a refusal


def english(text: str) -> list[str]:
    """Words of a screen that are English and no names; a name of the API is one."""
    return [word for word in WORD.findall(CODES.sub("", text)) if word not in NAMES]


def screen_text(app: Dashboard) -> str:
    """Everything that stands on the terminal."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def eventful_town() -> FinalizedWorld:
    """A plant with held days, a statement, an objection, a settled and an open session, a lot, proposals, a debt."""
    world = FinalizedWorld()
    world.operators()
    me, trader = world.register("owner"), world.register("trader")
    world.fund("trader", 1_000)
    world.device("owner")
    stock = world.issue(1, 9_400_000)
    assert stock is not None
    world.do(world.retire_action("owner", stock, 2, 2), by=("owner",))
    for day in (DAY + 9, DAY + 11):
        world.do(world.issue_action(1, (world.attested(1, day, 5_000, verdict=HOLD),)))
    world.do(FileAppeal(me, 1, DAY + 9, 0, 0, "ice the blades", b""), by=("owner",))
    later = world.time_ms // 1_000 + 86_400
    world.do(Propose(trader, RoleContent(trader, "auditor", later)), by=("trader",))
    flat = ConsumptionMeterContent(trader, key_of("flat"), "Flat 3", "FR", "FR", FAR)
    world.do(Propose(trader, flat), by=("trader",))
    settled = world.auction(terms=AuctionTerms(margin=2_000, pay_s=36_000))
    world.offer("owner", settled, world.outputs_of("owner", Bundle)[-1], 3, 6, 2 * MICRO)
    world.bid("trader", settled, 3, 2 * MICRO, *world.outputs_of("trader", Funds))
    world.settle(settled)
    kinds = AuctionTerms((Dimension("technology", ("T01", "T02")),))
    world.auction(seconds=3_600, technology="", terms=kinds)
    lot = world.outputs_of("owner", Bundle)[0]
    bundle = world.live()[lot]
    assert isinstance(bundle, Bundle)
    world.do(ListLot(me, lot, bundle.start, bundle.start, 2 * MICRO, "EUR", 0, later), by=("owner",))
    return world
