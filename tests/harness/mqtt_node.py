"""A validator's intake behind a broker, on disk and in a process of its own, to be killed.

python -m harness.mqtt_node FOLDER BROKER_URL
"""

import asyncio
import sys
from pathlib import Path

from harness.metering import Plant
from harness.mqtt import listener_of

from node.metrics import Metrics
from node.mqtt import parse_broker
from state.store import LevelRows


async def main(folder: Path, url: str) -> None:
    plant = Plant()
    intake = plant.intake(LevelRows(folder))
    await listener_of(intake, parse_broker(url), Metrics(plant.world.chain, 1), "killed").run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
