"""One performance of the demo: processes, acts in their order, captions, and what the dashboard may ask of it."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cli.cast import CAST, GATEWAY_KEY, enrol
from cli.demo.emissions import with_emissions
from cli.demo.report import judged_days
from cli.demo.stage import Stage, open_stage
from cli.demo.story import (
    MARKETS,
    Market,
    Outcome,
    accredit_plants,
    commission,
    deposit_money,
    gateway_units,
    hold_auction,
    retire_some,
    transfer_some,
)
from cli.demo.stream import Streams, gateway_status, wait_until_sent
from cli.demo.units import Unit, demo_units
from cli.processes import Processes
from cli.testnet import free_port, make_testnet, read_testnet, reference_genesis
from node.client import NodeClient
from state.attestation import PROMPT, STEP_DAYS
from state.units import DAY_S
from tui.texts import t

VALIDATORS = 4
STORY = "story.json"  # in the directory of a kept run: which device each unit is
PAGES_PORT = 27_690  # of the pages in the local network, and the next one, where they are free
PAGE_NODES = 2  # show the pages there: when one is gone, the other still answers
READY_S = 60.0
ENOUGH_S = 90.0  # until enough certificates exist for a market
JUDGED_S = 90.0  # until every closed day has its verdict on the ledger
REVIEW_DAYS = STEP_DAYS[PROMPT]  # a day is certified once the week around it is clean
SEED_PACE = 1.0  # posts a second a unit, as in the original task
KEPT_BACK = 1_200  # posts of each long record for after the story: twenty minutes at the seed's pace
HEADLESS_DAYS = 28  # production days of the wind unit that the headless demo plays
TRANSFERRED, RETIRED = 3, 2

Caption = Callable[[str], None]


@dataclass
class Performance:
    """State of a running demo, shared between the acts' thread and whoever shows it."""

    directory: Path
    caption: Caption
    lan: str = ""  # address of this machine at which phones may open the pages; empty = on the loopback only
    started: float = field(default_factory=time.monotonic)
    units: list[Unit] = field(default_factory=demo_units)
    outcome: Outcome = field(default_factory=Outcome)
    streams: Streams | None = None
    stage: Stage | None = None
    kinds: set[str] = field(default_factory=set)
    first_certificate_s: float = 0.0
    first_settlement_s: float = 0.0
    stopping: threading.Event = field(default_factory=threading.Event)

    def seconds(self) -> float:
        return time.monotonic() - self.started

    # --- in order

    def make_ready(self, processes: Processes, resume: bool) -> None:
        """A running network, new or gone on with."""
        if not resume:
            self.make_network()
        self.start_network(processes)

    def act(self, processes: Processes, resume: bool, days: int | None) -> None:
        """Everything up to the first retirement; the streams go on behind it."""
        if self.stage is None:
            self.make_ready(processes, resume)
        assert self.stage is not None
        if resume:
            self.stage.ids = enrol(self.directory, self.stage.client, lambda _: None)
            self.outcome.devices = json.loads((self.directory / STORY).read_text("utf-8"))["devices"]
            url = self.start_gateway(processes)
            self._complete_commissioning(url)
        else:
            url = self.open_acts(processes)
        self.stream_from(url, _last_posted(url), days)
        self.market_acts(resume)

    def _complete_commissioning(self, url: str) -> None:
        """What an earlier run was stopped in: a plant without a signed profile gets the rest of its window."""
        assert self.stage is not None
        devices, client = self.outcome.devices, self.stage.client
        lacking = [unit for unit in self.units if not client.get(f"/v1/devices/{devices[unit.id]}")["profile_hash"]]
        if lacking:
            commission(self.stage, url, lacking, devices, self.caption, _last_posted(url))

    def stop(self) -> None:
        self.stopping.set()
        if self.streams is not None:
            self.streams.stop()

    def readings_accepted(self) -> int:
        """Readings that the validators acknowledged, commissioning included."""
        assert self.streams is not None
        return sum(int(str(unit["sent_seq"])) for unit in gateway_status(self.streams.gateway).values())

    # --- setting up

    def make_network(self) -> None:
        genesis = with_emissions(reference_genesis(None))
        if self.lan:
            genesis["public_urls"] = [f"http://{address}" for address in self._page_addresses()]
        make_testnet(self.directory, VALIDATORS, genesis)
        self.caption(t("the homes, keys and the genesis of four validators are made"))

    def start_network(self, processes: Processes) -> None:
        network = read_testnet(self.directory)
        urls = [node["api"] for node in network["nodes"]]
        homes = [self.directory / node["home"] for node in network["nodes"]]
        pages = self._open_pages(processes, homes) if self.lan else []
        for home in homes:
            processes.start_node(home)
        for url in urls:
            processes.wait_ready(NodeClient(url), READY_S)
        names = [*(member.key for member in CAST), GATEWAY_KEY]
        self.stage = open_stage(self.directory, urls, bytes.fromhex(network["chain_id"]), names)
        self.caption(t("{urls} validators run and agree on blocks", urls=len(urls)))
        if pages:
            self.caption(t("the pages, and nothing else, for every phone in this network: {pages}/", pages=pages[0]))
            self.caption(t("another node shows them as well, for when that one is gone: {pages}/", pages=pages[1]))

    def _open_pages(self, processes: Processes, homes: list[Path]) -> list[str]:
        """URLs at which two nodes show their pages in the local network; QR codes of the others lead to the first.

        The genesis names both addresses, where they are still free when the network goes on.
        """
        named = json.loads((self.directory / "genesis.json").read_text("utf-8")).get("public_urls", [])
        addresses = [url.removeprefix("http://") for url in named]
        if [address for address in addresses if not self._is_free(address)] or len(addresses) != PAGE_NODES:
            addresses = self._page_addresses()
        for index, home in enumerate(homes):
            own = addresses[index] if index < PAGE_NODES else addresses[0]
            processes.environment[home] = {"WATTEST_PUBLIC_URL": f"http://{own}"}
            if index < PAGE_NODES:
                processes.environment[home]["WATTEST_PAGES_LISTEN"] = own
        return [f"http://{address}" for address in addresses]

    def _page_addresses(self) -> list[str]:
        return [f"{self.lan}:{free_port(self.lan, PAGES_PORT + index)}" for index in range(PAGE_NODES)]

    def _is_free(self, address: str) -> bool:
        host, _, port = address.rpartition(":")
        return host == self.lan and free_port(host, int(port)) == int(port)

    def start_gateway(self, processes: Processes) -> str:
        """The gateway as its operator starts it; its URL."""
        assert self.stage is not None
        home = self.directory / "wallets"
        port = free_port()
        processes.start_command(
            home,
            ["gateway", "--listen", f"127.0.0.1:{port}", "--units", str(self.directory / "units.json"),
             "--key", GATEWAY_KEY, "--data", str(self.directory / "gateway"),
             *(part for url in self.stage.urls for part in ("--node", url))],
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        _wait_for(lambda: bool(gateway_status(url)), READY_S, "the gateway")
        return url

    # --- the acts

    def open_acts(self, processes: Processes) -> str:
        """From nothing to plants whose normal is known; the gateway's URL."""
        assert self.stage is not None
        stage = self.stage
        stage.ids = enrol(self.directory, stage.client, lambda _: None)
        self.caption(t("{ids} participants are registered; bank and exchange are accredited", ids=len(stage.ids)))
        self.outcome.devices, gateway = accredit_plants(stage, self.units, self.caption)
        units = gateway_units(self.units, self.outcome.devices, gateway)
        (self.directory / "units.json").write_text(json.dumps(units, indent=2) + "\n", "utf-8")
        (self.directory / STORY).write_text(json.dumps({"devices": self.outcome.devices}) + "\n", "utf-8")
        url = self.start_gateway(processes)
        commission(stage, url, self.units, self.outcome.devices, self.caption)
        return url

    def stream_from(self, url: str, after: dict[str, int], days: int | None) -> None:
        """Let every unit post its production readings later than `after`, at full speed; the wind unit `days` more."""
        self.streams = Streams(url, reserve=0 if days else KEPT_BACK)
        for unit in self.units:
            posted = after.get(unit.id, 0)
            first = max(unit.first_day(), posted // DAY_S + 1)
            end = (first + days) * DAY_S if days and unit.facts.technology.startswith("T02") else None
            rows = [
                row
                for row in unit.production()
                if int(row["timestamp"]) > posted and (end is None or int(row["timestamp"]) < end)
            ]
            self.streams.start(unit, rows)
        self.caption(t("readings stream in: one raw HTTP POST each, kilowatts and weather, nothing else"))

    def market_acts(self, resume: bool = False) -> None:
        """Wait for certificates, auction both technologies, transfer, retire."""
        assert self.stage is not None
        self._announce_certificates(resume)
        deposit_money(self.stage, self.caption)
        self.kinds.add("issue")
        for market in MARKETS:
            self._wait_for_stock(market)
            hold_auction(self.stage, market, self.outcome, self.caption)
            self.first_settlement_s = self.first_settlement_s or self.seconds()
        self.kinds |= {"bid", "settle"}
        transfer_some(self.stage, TRANSFERRED, self.outcome, self.caption)
        self.kinds.add("transfer")
        retire_some(self.stage, RETIRED, self.outcome, self.caption)
        self.kinds.add("retire")

    def _announce_certificates(self, resume: bool) -> None:
        """The first ones, or those that an earlier run left behind."""
        assert self.stage is not None
        existed = resume and self._stock("wind-owner", "T02") > 0
        _wait_for(lambda: self._stock("wind-owner", "T02") > 0, ENOUGH_S, "the first certificate", self._check)
        self.first_certificate_s = self.seconds()
        number = next(iter(self.stage.client.outputs(self.stage.ids["wind-owner"], "bundle")))["number"]
        if existed:
            self.caption(
                t("certificates {number} and others were born in an earlier run and are still for sale", number=number)
            )
        else:
            self.caption(t("a green day, signed by the validators: certificates {number} are born", number=number))

    def _wait_for_stock(self, market: Market) -> None:
        _wait_for(
            lambda: self._stock(market.seller, market.technology) >= market.quantity,
            ENOUGH_S,
            f"{market.quantity} certificates of {market.name}",
            self._check,
        )

    def _stock(self, owner: str, technology: str) -> int:
        """Active certificates of an owner's plants of a technology."""
        assert self.stage is not None
        devices = {self.outcome.devices[unit.id] for unit in self.units if unit.facts.technology.startswith(technology)}
        held = self.stage.client.outputs(self.stage.ids[owner], "bundle")
        return sum(int(item["quantity"]) for item in held if int(item["device"]) in devices)

    def _check(self) -> None:
        if self.streams is not None:
            self.streams.require_healthy()
        if self.stopping.is_set():
            raise Interrupted

    # --- the end

    def finish_streams(self) -> None:
        """Every post made, every reading on a validator, every closed day judged on the ledger."""
        assert self.streams is not None
        assert self.stage is not None
        streams, stage = self.streams, self.stage
        _wait_for(lambda: streams.finished, JUDGED_S, "the streams", self._check)
        wait_until_sent(streams.gateway, [unit.id for unit in self.units], JUDGED_S)
        self.caption(t("{posted} production readings were posted; the last days are judged", posted=streams.posted))
        played = [unit for unit in self.units if streams.progress[unit.id].posted]
        for unit in played:
            device, last = self.outcome.devices[unit.id], streams.progress[unit.id].last_timestamp // DAY_S
            spoken = max(last - REVIEW_DAYS, unit.first_day())  # the days after it are still in review
            _wait_for(
                lambda device=device, spoken=spoken: any(  # type: ignore[misc]
                    int(day["day"]) == spoken for day in judged_days(stage.client, device)
                ),
                JUDGED_S,
                f"the verdict of unit {unit.id}",
                self._check,
            )

    def describe_cheat(self) -> None:
        """The red days in a sentence each, and what is held rather than judged."""
        assert self.stage is not None
        for unit in self.units:
            days = judged_days(self.stage.client, self.outcome.devices[unit.id])
            held = [day for day in days if day["verdict"] == "hold"]
            if held:
                reasons = sorted({reason for day in held for reason in day["reasons"]})
                self.caption(
                    t(
                        "unit {id}: {held} of {days} days are held, not refused ({reasons})",
                        id=unit.id,
                        held=len(held),
                        days=len(days),
                        reasons=", ".join(reasons),
                    )
                )
            for day in days:
                what = unit.tampered_days().get(int(day["day"]))
                if what and day["verdict"] != "accept":
                    self.caption(
                        t(
                            "unit {id}, {what}: the day turns red ({reasons}), no certificate",
                            id=unit.id,
                            what=what,
                            reasons=", ".join(day["reasons"]),
                        )
                    )


def _last_posted(url: str) -> dict[str, int]:
    """Where each unit's record stopped, by unit id: a gateway that was started again goes on from there."""
    return {name: int(str(unit["time_s"])) for name, unit in gateway_status(url).items()}


class Interrupted(Exception):
    """The performance was asked to stop."""


def _wait_for(
    condition: Callable[[], bool], timeout_s: float, what: str, check: Callable[[], None] = lambda: None
) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {timeout_s:.0f} s")
        time.sleep(0.15)
