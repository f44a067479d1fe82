"""A validator's intake behind a broker, on disk and in a process of its own, to be killed.

python -m harness.mqtt_node FOLDER BROKER_URL
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from harness.metering import Plant

from node.api.readings import MAX_READINGS_BYTES, take_close, take_readings
from node.log import open_log
from node.metrics import Metrics
from node.mqtt import Listener, parse_broker
from node.subscribing import refusal_answer, taken
from state.store import LevelRows


async def main(folder: Path, url: str) -> None:
    plant = Plant()
    intake = plant.intake(LevelRows(folder))
    metrics = Metrics(plant.world.chain, 1)

    async def readings(body: bytes) -> dict[str, Any]:
        return taken(await take_readings(body, intake.accept_batch, metrics))

    async def days(body: bytes) -> dict[str, Any]:
        return taken(await take_close(body, intake.accept_close, metrics))

    handlers = {"readings": readings, "days": days}
    log = open_log(None)
    await Listener(parse_broker(url), "killed", handlers, refusal_answer, MAX_READINGS_BYTES, log).run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
