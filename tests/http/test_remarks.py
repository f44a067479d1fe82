"""Objections, corrections, changed keys and the meters of use stand on the pages of the certificates they concern."""

import pytest
from aiohttp.test_utils import TestClient, TestServer
from harness.finalized import FinalizedWorld
from harness.served import Served
from harness.town import Town
from harness.world import DAY, FAR, key_of

from node.api.server import make_app
from node.queries.statements import statement_dict
from node.queries.trace import trace_dict
from state.attestation import HOLD
from state.numbering import CertificateNumber, format_number
from state.transaction import AnswerAppeal, ConsumptionMeterContent, FileAppeal, RoleContent, RotateKey
from state.units import DAY_S

NUMBER = "WAT-FR-0000001-201404-000000002-53"


class FinalTown(Town, FinalizedWorld):
    """The town of the rules' tests, on a ledger with real Finalizations; certificate 2 is sold and retired."""

    def __init__(self) -> None:
        FinalizedWorld.__init__(self)
        self.operators()
        for name in ("plant", "trader", "authority"):
            self.register(name)
        self.accredit(RoleContent(self.people["authority"], "authority", FAR), by="authority")
        self.device_id = self.device("plant")
        lot = self.issue(self.device_id, 10_000_000)
        assert lot is not None
        self.move("plant", (lot,), self.piece("trader", 1, 3), self.piece("plant", 4, 10))
        self.statement = self.retire("trader")

    def retire(self, holder: str) -> bytes:
        point = next(point for point, one in self.live().items() if getattr(one, "start", 0) == 1)
        use = {"consumption_from": DAY * DAY_S, "consumption_to": (DAY + 2) * DAY_S}
        action = self.retire_action(holder, point, 2, 2, **use)
        self.do(action, by=(holder,))
        return action.statement_hash[:16]

    def objection(self, day: int) -> None:
        self.do(FileAppeal(self.id("plant"), self.device_id, day, 0, 0, "ice on the <b>blades</b>", b""), by=("plant",))

    def told(self) -> list[str]:
        return [remark["what"] for remark in trace_dict(self.store, NUMBER)["remarks"]]


@pytest.fixture
def town() -> FinalTown:
    return FinalTown()


async def page(town: FinalTown, path: str) -> str:
    async with TestClient(TestServer(make_app(Served(town).services))) as client:
        answer = await client.get(path)
        assert answer.status == 200
        return await answer.text()


def test_of_most_certificates_nothing_is_to_be_said(town: FinalTown) -> None:
    assert town.told() == []
    assert statement_dict(town.store, town.statement)["remarks"] == []


async def test_correction_of_a_day_stands_beside_what_was_issued_for_it(town: FinalTown) -> None:
    town.correct(town.device_id, DAY, 9_000_000)
    (remark,) = trace_dict(town.store, NUMBER)["remarks"]
    assert (remark["what"], remark["before_wh"], remark["after_wh"]) == ("correction", "10000000", "9000000")
    for path in (f"/certificate/{NUMBER}", f"/statement/{town.statement.hex()}"):
        text = await page(town, f"{path}?lang=en")
        assert "put the energy of 2 April 2014 right: from 10 MWh to 9 MWh" in text
        assert f"/tx/{remark['txid']}" in text
        assert "Who bought in good faith keeps the certificates; the plant owes what was too much." in text


async def test_changed_key_of_a_former_owner_shows_both_keys(town: FinalTown) -> None:
    former = town.key("plant").hex()
    town.do(RotateKey(town.id("plant"), key_of("plant 2")), by=("plant", "plant 2"))
    (remark,) = trace_dict(town.store, NUMBER)["remarks"]
    assert (remark["what"], remark["name"], remark["former"]) == ("key", "plant", former)
    text = await page(town, f"/certificate/{NUMBER}?lang=en")
    assert "plant: changed by its owner." in text
    assert former[:16] in text


async def test_objection_and_its_answer_stand_on_the_page_of_the_day(town: FinalTown) -> None:
    town.do(town.issue_action(town.device_id, (town.attested(town.device_id, DAY + 1, 5_000, verdict=HOLD),)))
    town.objection(DAY + 1)
    assert town.told() == [], "another day than those behind this certificate"
    town.correct(town.device_id, DAY + 1, 2_000_000, 2_000_000)
    town.do(town.credit_action(town.device_id, DAY + 1))
    number = format_number(CertificateNumber("WAT", "FR", 1, 201_404, 11, 11, 9))
    shown = trace_dict(town.store, number)
    objection, correction = shown["remarks"]
    assert (objection["what"], objection["status"], objection["answer"]) == ("objection", "open", "")
    assert (correction["what"], correction["before_wh"], correction["after_wh"]) == ("correction", "0", "2000000")
    town.do(
        AnswerAppeal(town.id("authority"), town.device_id, DAY + 1, 0, 0, True, "photographs seen", b""),
        by=("authority",),
    )
    text = await page(town, f"/certificate/{number}?lang=en")
    assert "plant objected to the record of 3 April 2014: «ice on the &lt;b&gt;blades&lt;/b&gt;»" in text
    assert "Status: upheld." in text
    assert "from 0 Wh to 2 MWh" in text
    assert "the plant owes" not in text, "it was too little"
    assert "«photographs seen»" in text


async def test_retirement_says_on_how_many_days_an_accredited_meter_reported_and_never_how_much() -> None:
    town = FinalTown.__new__(FinalTown)
    FinalizedWorld.__init__(town)
    town.operators()
    for name in ("plant", "trader"):
        town.register(name)
    town.accredit(ConsumptionMeterContent(town.id("trader"), key_of("flat"), "Flat 3", "FR", "FR", FAR), by="trader")
    town.do(town.consumption(1, DAY, (7_777,) * 24, "flat"))
    town.device_id = town.device("plant")
    lot = town.issue(town.device_id, 3_000_000)
    assert lot is not None
    town.move("plant", (lot,), town.piece("trader", 1, 3))
    town.retire("trader")
    text = await page(town, f"/certificate/{NUMBER}?lang=en")
    assert "Flat 3, FR, FR (reported on 1 of 2 days)" in text
    assert "7,777" not in text
