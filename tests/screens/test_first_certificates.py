"""The whole way of a new plant by the keys of the dashboard: registered, read, judged, its first certificates seen."""

from pathlib import Path
from typing import Any

from harness.answering_node import AnsweringNode, wallet_of
from harness.desks import SMALL, at, dashboard, fill, rows, says, told, until
from harness.finalized import FinalizedWorld
from harness.metering import DAY, NOW_S
from harness.world import key_of
from textual.widgets import Select

from node.keystore import generate_key, save_key
from state.transaction import Vote
from state.units import DAY_S
from tui.app import Dashboard
from tui.screens.form import FormScreen
from tui.screens.signing import SigningScreen

HEAD = "timestamp,id,pwr_avg,wind_spd,t,insolation\n"
PLACE = {"country": "FR", "capacity": "2050", "latitude": "48.4569", "longitude": "5.5847"}


async def sign(pilot: Any, app: Dashboard, outcome: str, *keys: str) -> None:
    await pilot.press("ctrl+s")
    await until(pilot, lambda: isinstance(app.screen, SigningScreen))
    await pilot.press(*keys, "enter")
    await until(pilot, lambda: outcome in says(app, "progress"))
    await pilot.press("enter")
    await until(pilot, lambda: not isinstance(app.screen, SigningScreen | FormScreen))


async def form(pilot: Any, app: Dashboard, key: str, **values: str) -> FormScreen:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, FormScreen))
    await fill(pilot, **values)
    assert isinstance(app.screen, FormScreen)
    return app.screen


def approve(node: AnsweringNode) -> None:
    """A quorum of organisations, as each would at its own Authority cabinet."""
    world = node.chain
    names = {number: name for name, number in world.people.items()}
    for validator in world.validators[: world.environment().quorum]:
        world.do(Vote(world.count("proposal"), validator.index, True, ""), by=(names[validator.participant],))
    node.tell()


async def test_a_plant_goes_from_its_form_to_its_first_certificates(tmp_path: Path) -> None:
    world = FinalizedWorld()
    world.register("owner")
    node = AnsweringNode(world).start()
    intake = node.take_in(NOW_S)
    home = wallet_of(tmp_path / "home", world, "owner")
    key = generate_key("device", world.chain.hex(), world.seed("reader"))
    save_key(home / "keys", "reader", key, b"a passphrase", "test")
    record = tmp_path / "unit.csv"
    record.write_text(HEAD + "".join(f"{DAY * DAY_S + 600 * i},3,{100 + i}.5,7.1,4.5,\n" for i in range(144)))
    app = dashboard(node, home, "owner")
    try:
        async with at(app, "P", SMALL) as pilot:
            scheme = str(app.desk.client().get("/v1/schemes")["schemes"][0]["name"])
            asked = await form(pilot, app, "n", name="Fermes", scheme=scheme, **PLACE)
            technology = asked.query_one("#field-technology", Select)
            technology.value = next(each for each in asked.form.fields[2].choices if each.startswith("wind"))
            asked.query_one("#field-interval", Select).value = "600"
            await sign(pilot, app, "final in block")
            assert not rows(app, "plants"), "a plant is none before it is accredited"
            approve(node)
            await until(pilot, lambda: "Fermes" in str(rows(app, "plants")))
            await until(pilot, lambda: "m names whose signature" in told(app, "day"))
            await form(pilot, app, "m", signer=key_of("reader").hex())
            await sign(pilot, app, "final in block")
            approve(node)
            await until(pilot, lambda: "u sends a file" in told(app, "day"))
            await form(pilot, app, "u", file=str(record))
            await sign(pilot, app, "144 readings signed", *"a passphrase")
            assert intake.store.head(1).last_seq == 144
            await form(pilot, app, "m", **{"from": "2014-01-01", "to": "2014-03-31"})
            await sign(pilot, app, "final in block")
            approve(node)
            await until(pilot, lambda: "All is set" in told(app, "day"))
            world.issue(1, 3_400_000)  # what its validators do with a day that they accept
            node.tell()
            await pilot.press("H")
            await until(pilot, lambda: app.current_mode == "holder" and bool(rows(app, "certificates")))
            (held,) = rows(app, "certificates")
            assert any(cell.strip() == "3" for cell in held)
    finally:
        node.stop()
