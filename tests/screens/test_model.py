"""Events in, pictures out: the dashboard's model without a terminal."""

from typing import Any

from tui.model import NetworkModel
from tui.pictures import ACCEPT, DIFFER, EQUAL, HOLD, PENDING, REJECT, REVIEW, UNKNOWN, DayPicture, Picture
from tui.rehearsal import CONSUMER, TRADER, Recording, last_block, status, story

URL = "https://wattest.example"


def played(messages: list[dict[str, Any]], down: int | None = None) -> NetworkModel:
    model = NetworkModel(public_url=URL)
    Recording(model, messages, down).play()
    return model


def picture(messages: list[dict[str, Any]] | None = None, down: int | None = None) -> Picture:
    return played(story() if messages is None else messages, down).snapshot()


def block(height: int, *events: dict[str, Any], **changes: Any) -> dict[str, Any]:
    found = {
        "kind": "block",
        "height": height,
        "hash": "ab" * 32,
        "time_ms": 1_795_350_000_000 + height * 1_000,
        "proposer": height % 4,
        "epoch": 0,
        "validators": [f"Validator {index}" for index in range(4)],
        "view": height,
        "signers": [0, 1, 2, 3],
        "state_root": f"{height:064x}",
        "transactions": len(events),
        "events": list(events),
    }
    return {**found, **changes}


def verdict(device: int, day: int, verdict: int, *reasons: str) -> dict[str, Any]:
    energy = {"energy_wh": "14000000", "release_wh": "0" if verdict else "14000000"}
    return {"kind": "verdict", "device": device, "day": day, "step": 0, "verdict": verdict, "reasons": list(reasons),
            "validators": [0, 1, 2], **energy}  # fmt: skip


def issued(issuance: int, device: int, start: int, end: int, scheme: int = 1, month: int = 201_404) -> dict[str, Any]:
    return {"kind": "issued", "issuance": str(issuance), "device": device, "scheme": scheme, "month": month,
            "start": str(start), "end": str(end), "holder": 6}  # fmt: skip


# --- the network


def test_nodes_at_the_same_height_with_the_same_root_are_equal() -> None:
    network = picture().network
    assert network.roots == EQUAL
    assert [row.alive for row in network.validators] == [True] * 4
    assert network.down == 0


def test_blocks_and_marks_keep_their_validators_when_the_indexes_move() -> None:
    model = played(
        [*story(), block(500), block(501, epoch=1, validators=["Validator 1", "Validator 2"], signers=[0, 1])]
    )
    network = model.snapshot().network
    assert [seen.proposer for seen in network.blocks[:2]] == ["Validator 2", "Validator 0"]
    marks = {row.name: row.marks[-2:] for row in network.validators}
    assert marks["Validator 2"] == ("signed", "proposed")
    assert marks["Validator 3"] == ("signed", "absent")


def test_a_node_that_left_no_longer_stands_for_whoever_has_its_index_now() -> None:
    model = played(story())
    statuses = model.chain.statuses
    left = dict(statuses[2] or {}, node_index=None)
    model.chain.apply_status(2, left)
    assert 2 not in model.chain.seats
    assert next(row for row in model.snapshot().network.validators if row.index == 2).peers is None


def test_roots_are_compared_height_by_height() -> None:
    """A node that is one block behind has another root and is still equal."""
    messages = [block(height) for height in (1, 2, 3)]
    model = played(messages)
    model.apply_status(1, status(1, messages[1]))
    assert model.snapshot().network.roots == EQUAL
    model.apply_status(1, {**status(1, messages[1]), "state_root": "ff" * 32})
    assert model.snapshot().network.roots == DIFFER


def test_before_any_answer_nothing_is_claimed() -> None:
    empty = NetworkModel().snapshot()
    assert empty.network.roots == UNKNOWN
    assert empty.network.validators == ()
    assert empty.statement is None


def test_validator_that_does_not_answer_is_down_and_the_others_are_not() -> None:
    rows = picture(down=3).network.validators
    assert [row.alive for row in rows] == [True, True, True, False]
    assert picture(down=3).network.down == 1


def test_validator_that_is_not_asked_is_known_by_the_others_connection() -> None:
    messages = [block(1)]
    model = NetworkModel()
    model.apply_block(messages[0])
    model.apply_status(0, status(0, messages[0], down=2))
    assert [row.alive for row in model.snapshot().network.validators] == [True, True, False, True]


def test_the_time_is_known_before_the_first_block_is_heard() -> None:
    model = NetworkModel()
    messages = story()
    model.apply_status(0, status(0, last_block(messages)))
    assert model.chain.time_ms == last_block(messages)["time_ms"], "who signs in at once asks with it"


def test_node_of_another_chain_is_shown_as_such_and_never_compared() -> None:
    messages = [block(1)]
    model = played(messages)
    model.apply_status(3, {**status(3, messages[0]), "chain_id": "99" * 32, "state_root": "ff" * 32})
    network = model.snapshot().network
    assert network.validators[3].other_chain
    assert network.roots == EQUAL


def test_leader_follows_the_view() -> None:
    model = played([block(1)])
    model.apply_live({"kind": "view", "epoch": 0, "view": 9, "leader": 1})
    network = model.snapshot().network
    assert (network.view, network.leader) == (9, "Validator 1")
    assert [row.leads for row in network.validators] == [False, True, False, False]


def test_marks_tell_who_proposed_signed_and_was_absent() -> None:
    network = picture([block(1), block(2, signers=[0, 1, 2])]).network
    assert network.validators[2].marks == ("signed", "proposed")
    assert network.validators[3].marks == ("signed", "absent")
    assert network.validators[3].last_signed == 1


def test_block_that_comes_twice_is_counted_once() -> None:
    """After a reconnect the stream repeats what is owed; a certificate must not be born again."""
    birth = block(1, issued(1, 3, 1, 14))
    model = played([birth])
    model.apply_block(birth)
    assert model.snapshot().certificates.schemes[0].issued == 14


def test_block_says_what_it_did() -> None:
    found = picture([block(1, issued(1, 3, 1, 2), verdict(3, 16_161, 0), verdict(3, 16_162, 0))]).network.blocks[0]
    assert found.what == "1 issue, 2 verdicts"


# --- plants and days


def test_reading_moves_production_time_and_counts_by_sequence_number() -> None:
    model = played([])
    reading = {"kind": "reading", "device": 3, "count": 6, "seq": 120, "timestamp": 1_396_396_800, "power_w": 1_420_000}
    model.apply_live(reading)
    plant = next(found for found in model.snapshot().plants.plants if found.device == 3)
    assert (plant.readings, plant.power_w, plant.timestamp) == (120, 1_420_000, 1_396_396_800)


def test_old_record_is_labelled_with_its_year_and_todays_reading_is_not() -> None:
    model = played([block(1)])
    model.apply_live({"kind": "reading", "device": 3, "count": 1, "seq": 1, "timestamp": 1_396_396_800, "power_w": 1})
    model.apply_live({"kind": "reading", "device": 1, "count": 1, "seq": 1, "timestamp": 1_795_350_000, "power_w": 1})
    recorded = {plant.device: plant.recorded for plant in model.snapshot().plants.plants}
    assert (recorded[3], recorded[1]) == (2014, 0)


def test_signatures_of_a_day_gather_one_by_one() -> None:
    model = played([block(1)])
    seen = []
    for validator in (2, 0, 2, 1):
        model.apply_live({"kind": "attestation", "device": 3, "day": 16_161, "validator": validator,
                          "verdict": "accept", "reasons": []})  # fmt: skip
        plant = next(found for found in model.snapshot().plants.plants if found.device == 3)
        assert plant.gathering is not None
        seen.append((plant.gathering.signed, plant.gathering.total))
    assert seen == [(1, 4), (2, 4), (2, 4), (3, 4)]
    assert plant.days[0].verdict == PENDING


def test_judged_day_replaces_the_pending_one() -> None:
    model = played([block(1)])
    attestation = {
        "kind": "attestation",
        "device": 3,
        "day": 16_161,
        "validator": 0,
        "verdict": "accept",
        "reasons": [],
    }
    model.apply_live(attestation)
    model.apply_block(block(2, verdict(3, 16_161, 0)))
    model.apply_live({**attestation, "validator": 3})  # the fourth comes after the issue
    plant = next(found for found in model.snapshot().plants.plants if found.device == 3)
    assert [day.verdict for day in plant.days] == [ACCEPT]
    assert plant.gathering is not None
    assert plant.gathering.signed == 4


def test_days_are_ordered_however_they_come() -> None:
    model = played([block(1, verdict(3, 16_163, 0), verdict(3, 16_161, 1, "gap"), verdict(3, 16_162, 0))])
    plant = next(found for found in model.snapshot().plants.plants if found.device == 3)
    assert [(day.day, day.verdict) for day in plant.days] == [(16_161, HOLD), (16_162, ACCEPT), (16_163, ACCEPT)]


def test_rejected_day_has_its_reason_in_a_sentence() -> None:
    plants = picture([block(1, verdict(4, 17_048, 2, "night_power", "single_source"))]).plants
    assert plants.refused is not None
    assert plants.refused.plant == "Twin roof"
    assert plants.refused.day.verdict == REJECT
    assert plants.refused.day.sentence == "The plant claims power while the sun is below the horizon."


def test_held_day_does_not_hide_an_earlier_rejected_one() -> None:
    refused = picture([block(1, verdict(4, 17_048, 2, "flat")), block(2, verdict(2, 18_998, 1, "gap"))]).plants.refused
    assert refused is not None
    assert refused.plant == "Twin roof"


# --- certificates, market, statements


def test_certificate_is_born_with_its_whole_number() -> None:
    born = picture([block(7, issued(1, 3, 41, 45))]).certificates.born
    assert born is not None
    assert born.number == "WAT-FR-0000003-201404-000000041/000000045-19"
    assert born.first == "WAT-FR-0000003-201404-000000041-54"
    assert (born.quantity, born.unit, born.month, born.height) == (5, "MWh", "April 2014", 7)


def test_number_is_mended_when_the_names_come_after_the_birth() -> None:
    model = NetworkModel()
    model.apply_block(block(1, issued(1, 3, 1, 1)))
    assert model.snapshot().certificates.born.number == "device 3, 1"  # type: ignore[union-attr]
    assert model.names.wanted
    Recording(model, [block(1)]).play()
    assert model.snapshot().certificates.born.number.startswith("WAT-FR-0000003-201404-000000001-")  # type: ignore[union-attr]


def test_issued_is_live_and_retired_and_expired() -> None:
    ranges = {"issuance": "1", "device": 3, "holder": 6}
    retired = {"kind": "retired", "statement": "aa" * 16, "beneficiary": "B", "start": "1", "end": "3", **ranges}
    expired = {"kind": "expired", "start": "4", "end": "5", **ranges}
    count = picture([block(1, issued(1, 3, 1, 14)), block(2, retired, expired)]).certificates.schemes[0]
    assert (count.issued, count.live, count.retired, count.expired) == (14, 9, 3, 2)


def test_count_that_does_not_begin_with_the_chain_says_so() -> None:
    """A dashboard on a long chain replays its newest blocks only."""
    assert picture([block(1), block(2)]).certificates.since == 1
    assert picture([block(30_001), block(30_002)]).certificates.since == 30_001


def test_schemes_without_certificates_are_shown_with_zero() -> None:
    assert [(found.name, found.issued) for found in picture([]).certificates.schemes] == [
        ("WIND-MWH", 0),
        ("SOLAR-KWH", 0),
    ]


def test_running_auction_shows_its_best_orders_first() -> None:
    running = picture().market.running
    assert running is not None
    assert (running.number, running.status, running.unit) == (2, "open", "kWh")
    assert [(order.side, order.limit) for order in running.orders] == [
        ("bid", 50_000),
        ("bid", 30_000),
        ("offer", 20_000),
    ]
    assert (running.total("bid"), running.total("offer")) == (50, 40)


def test_cancelled_order_leaves_the_auction() -> None:
    model = played(story())
    tip = model.chain.height
    model.apply_block(block(tip + 1, {"kind": "cancelled", "auction": 2, "holder": TRADER, "outpoint": f"2-{TRADER}"}))
    running = model.snapshot().market.running
    assert running is not None
    assert running.total("bid") == 20


def test_closed_auction_stays_until_it_is_settled() -> None:
    model = played(story())
    tip = model.chain.height
    model.apply_block(block(tip + 1, {"kind": "auction_closed", "auction": 2, "orders": 3}))
    assert model.snapshot().market.running.status == "closed"  # type: ignore[union-attr]
    settled = {"kind": "settled", "auction": 2, "price": "30000", "quantity": "40", "technology": "T01",
               "currency": "EUR", "buyers": 2, "sellers": 1}  # fmt: skip
    model.apply_block(block(tip + 2, settled))
    market = model.snapshot().market
    assert market.running is None
    assert (market.settled[0].title, market.settled[0].price, market.settled[0].quantity) == (
        "Solar, 1 kWh",
        30_000,
        40,
    )


def test_statement_says_who_used_which_certificates_and_where_to_look_them_up() -> None:
    statement = picture().statement
    assert statement is not None
    assert (statement.beneficiary, statement.quantity, statement.unit) == ("Harbour Steel", 3, "MWh")
    assert statement.numbers == ("WAT-FR-0000003-201404-000000007/000000009-06",)
    assert statement.url == f"{URL}/statement/c4fe21a09be477d1a8356f0e92d7bb10?c=7d1f0c2a"


def test_ranges_of_one_statement_are_summed() -> None:
    shared = {
        "kind": "retired",
        "statement": "bb" * 16,
        "holder": CONSUMER,
        "beneficiary": "B",
        "device": 3,
        "issuance": "1",
    }
    events = [{**shared, "start": "1", "end": "2"}, {**shared, "start": "5", "end": "5"}]
    statement = picture([block(1, issued(1, 3, 1, 14)), block(2, *events)]).statement
    assert statement is not None
    assert (statement.quantity, len(statement.numbers), statement.count) == (3, 2, 1)


def test_equal_knowledge_gives_equal_pictures() -> None:
    """Panels are painted again only where their picture differs."""
    model = played(story())
    before = model.snapshot()
    model.apply_live({"kind": "peer", "index": 1, "connected": True})
    assert model.snapshot() == before
    model.apply_block(block(last_block(story())["height"] + 1))
    after = model.snapshot()
    assert after.network != before.network
    assert after.market == before.market


def day_of(model: NetworkModel) -> DayPicture:
    (plant,) = [plant for plant in model.snapshot().plants.plants if plant.device == 3]
    (day,) = plant.days
    return day


def test_a_day_waits_in_review_and_is_certified_in_steps() -> None:
    model = played([])
    model.apply_live({"kind": "review", "device": 3, "day": 16_161, "until": 16_168})
    day = day_of(model)
    assert (day.verdict, day.review_until) == (REVIEW, 16_168)
    first = verdict(3, 16_161, 0) | {"energy_wh": "1000", "release_wh": "900", "review_until": 16_191}
    model.apply_block(block(1, first))
    day = day_of(model)
    assert (day.verdict, day.release_wh, day.review_until) == (ACCEPT, 900, 16_191)
    model.apply_block(block(2, first | {"step": 1, "release_wh": "50", "review_until": 16_251}))
    day = day_of(model)
    assert (day.verdict, day.release_wh, day.review_until) == (ACCEPT, 950, 16_251)
    refused = first | {"step": 2, "verdict": 2, "release_wh": "0", "reasons": ["window_90"], "review_until": 0}
    model.apply_block(block(3, refused))
    day = day_of(model)
    assert (day.verdict, day.release_wh, day.review_until) == (REJECT, 950, 0)
    assert day.sentence == "Over a season the plant claims more than its weather allows."


def test_qr_code_leads_to_where_the_first_node_says_the_public_reaches_it() -> None:
    """The dashboard talks to a node over an address that no phone has."""
    model = NetworkModel(public_url="http://127.0.0.1:27681")
    model.apply_status(1, {**status(1, block(1)), "public_url": "http://192.0.2.2:27691"})
    model.apply_status(0, {**status(0, block(1)), "public_url": "http://192.0.2.2:27690/"})
    model.apply_status(1, {**status(1, block(1)), "public_url": "http://192.0.2.2:27691"})
    Recording(model, story()).play()
    told = model.snapshot().statement
    assert told is not None
    assert told.url.startswith("http://192.0.2.2:27690/statement/")
