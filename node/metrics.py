"""Prometheus metrics of one node, named after CometBFT's so that known alert rules translate.

Prefix `wattest_`, label `chain_id`; counters end in `_total`, times in `_seconds`. No label names a device or a
participant: their number has no bound. docs/API.md lists every name, and a test compares.
"""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from contracts.events import DayJudged, Delivered, EpochBegan, Event, Settled
from node.runtime import FinalBlock
from state.attestation import VERDICT_NAMES

CHAIN_LABEL_DIGITS = 16

BLOCK_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
WORK_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

M = TypeVar("M", Counter, Gauge)


class Family(Generic[M]):
    """A metric with labels of its own beside the chain's."""

    def __init__(self, metric: M, chain: str) -> None:
        self._metric: M = metric
        self._chain = chain

    def of(self, *labels: str | int) -> M:
        """The series of these labels, in the order in which the family names them."""
        series: M = self._metric.labels(self._chain, *map(str, labels))
        return series


class Metrics:
    """One registry per node, so that several nodes can live in one process (tests, `testnet start`)."""

    def __init__(self, chain: bytes, validators: int) -> None:
        self.registry = CollectorRegistry()
        self._count = validators  # of the epoch
        self._last_time_ms = 0
        self._traffic: dict[int, tuple[int, int]] = {}
        self._syncs = 0
        self._refused: dict[str, int] = {}
        self._chain = chain.hex()[:CHAIN_LABEL_DIGITS]

        self.height = self._gauge("wattest_consensus_height", "Height of the last final block")
        self.view = self._gauge("wattest_consensus_view", "View the engine is in")
        self.validators = self._gauge("wattest_consensus_validators", "Validators of the epoch")
        self.validators.set(validators)
        self.missing_validators = self._gauge(
            "wattest_consensus_missing_validators", "Validators whose signature the last finalization lacks"
        )
        self.byzantine_validators = self._gauge(
            "wattest_consensus_byzantine_validators", "Validators seen to sign two conflicting votes"
        )
        self.block_interval = self._histogram(
            "wattest_consensus_block_interval_seconds",
            "Time between the timestamps of consecutive blocks",
            BLOCK_SECONDS,
        )
        self.num_txs = self._gauge("wattest_consensus_num_txs", "Transactions of the last final block")
        self.total_txs = self._counter("wattest_consensus_txs", "Transactions made final")
        self.block_size = self._gauge("wattest_consensus_block_size_bytes", "Encoded size of the last final block")
        self._last_signed = self._gauges(
            "wattest_consensus_validator_last_signed_height",
            "Last height whose finalization the validator signed",
            "validator",
        )
        self._missed = self._counters(
            "wattest_consensus_validator_missed_blocks", "Final blocks without the validator's signature", "validator"
        )

        self.mempool_size = self._gauge("wattest_mempool_size", "Waiting transactions")
        self.mempool_failed_txs = self._counter("wattest_mempool_failed_txs", "Transactions refused at admission")
        self.peers = self._gauge("wattest_p2p_peers", "Connected peers")
        self.peer_receive_bytes = self._counters(
            "wattest_p2p_peer_receive_bytes", "Bytes received from a validator", "peer"
        )
        self.peer_send_bytes = self._counters("wattest_p2p_peer_send_bytes", "Bytes sent to a validator", "peer")

        self.peer_refused = self._counters(
            "wattest_p2p_refused",
            "Not taken of other nodes: handshake (refused), blamed (a frame or message that no honest node sends), "
            "banned (with too much of it), ignored (too fast, or nobody has room for it), held_back (more bytes than "
            "its rate, read later), dropped (to a peer that reads too slowly)",
            "reason",
        )

        self.block_processing = self._histogram(
            "wattest_state_block_processing_seconds",
            "Committing one final block, with its execution where that was still to do",
            WORK_SECONDS,
        )
        self.storage_syncs = self._counter("wattest_storage_syncs", "fsync calls of the store and the vote journal")
        self.blocksync_syncing = self._gauge("wattest_blocksync_syncing", "1 while blocks are fetched to catch up")

        self.snapshot_chunks = self._gauge(
            "wattest_statesync_chunks_served", "Chunks of the state handed out to nodes that begin, since the start"
        )

        self.readings = self._counter("wattest_verifier_readings", "Readings taken from meters and gateways")
        self.readings_refused = self._counters(
            "wattest_verifier_readings_refused", "Readings or batches refused", "code"
        )
        self.broker_messages = self._counter("wattest_verifier_broker_messages", "Messages taken off the broker")
        self.broker_connected = self._gauge("wattest_verifier_broker_connected", "1 while the broker is connected")
        self.verdicts = self._counters(
            "wattest_verifier_verdicts", "Days whose verdict became final, once for each reason", "verdict", "reason"
        )

        self.issued_wh = self._gauges("wattest_registry_issued_wh", "Energy of certificates ever issued", "scheme")
        self.live_wh = self._gauges("wattest_registry_live_wh", "Energy of live certificates", "scheme")
        self.retired_wh = self._gauges("wattest_registry_retired_wh", "Energy of retired certificates", "scheme")
        self.expired_wh = self._gauges("wattest_registry_expired_wh", "Energy of expired certificates", "scheme")
        self.auctions_open = self._gauge("wattest_market_auctions_open", "Auctions that take orders")
        self.auctions_settled = self._counter("wattest_market_auctions_settled", "Auctions settled")
        self.certificates_sold = self._counter(
            "wattest_market_certificates_sold", "Certificates delivered to buyers of auctions"
        )

        self.requests = self._counters("wattest_api_requests", "Requests answered", "route", "status")
        self.request_seconds = self._histogram("wattest_api_request_seconds", "Answering a request", WORK_SECONDS)
        self.streams = self._gauge("wattest_api_event_streams", "Open /v1/events connections")

    # --- told by the runtime

    def committed(self, final: FinalBlock) -> None:
        """Book a block that became final."""
        header = final.block.header
        if self._last_time_ms:
            self.block_interval.observe((header.timestamp_ms - self._last_time_ms) / 1_000)
        self._last_time_ms = header.timestamp_ms
        self.block_processing.observe(final.commit_ms / 1_000)
        self.height.set(header.height)
        self.num_txs.set(len(final.block.transactions))
        self.total_txs.inc(len(final.block.transactions))
        self.block_size.set(sum(map(len, final.block.transactions)))
        for record in final.output.events:
            self._happened(record.event)
        if final.finalization.block_hash == final.block_hash:
            self._signed(header.height, set(final.finalization.signers))

    def traffic(self, peer: int, received: int, sent: int) -> None:
        """Bring the byte counters of a peer up to what this process exchanged with it so far."""
        before = self._traffic.get(peer, (0, 0))
        self.peer_receive_bytes.of(peer).inc(received - before[0])
        self.peer_send_bytes.of(peer).inc(sent - before[1])
        self._traffic[peer] = (received, sent)

    def refused(self, counted: Mapping[str, int]) -> None:
        """Bring the counters of what was refused to other nodes up to what was counted since the start."""
        for reason, total in counted.items():
            self.peer_refused.of(reason).inc(total - self._refused.get(reason, 0))
            self._refused[reason] = total

    def _happened(self, event: Event) -> None:
        match event:
            case Settled():
                self.auctions_settled.inc()
            case Delivered():
                self.certificates_sold.inc(event.end - event.start + 1)
            case EpochBegan():
                self._count = event.validators
                self.validators.set(event.validators)
            case DayJudged():
                for reason in event.reasons or ("none",):
                    self.verdicts.of(VERDICT_NAMES[event.verdict], reason).inc()

    def synced(self, total: int) -> None:
        """Bring the count of syncs up to what store and journal have counted since the node started."""
        self.storage_syncs.inc(total - self._syncs)
        self._syncs = total

    def live(self, kind: str, fields: dict[str, Any]) -> None:
        """Nothing to book: what a metric shows of the moment is read when it is asked for."""

    def _signed(self, height: int, signers: set[int]) -> None:
        for index in range(self._count):
            if index in signers:
                self._last_signed.of(index).set(height)
            else:
                self._missed.of(index).inc()
        self.missing_validators.set(self._count - len(signers))

    def render(self) -> bytes:
        """The exposition format that Prometheus scrapes."""
        return generate_latest(self.registry)

    def names(self) -> list[str]:
        """Every metric's name as Prometheus shows it."""
        return sorted(
            family.name + ("_total" if family.type == "counter" else "") for family in self.registry.collect()
        )

    def _gauge(self, name: str, text: str) -> Gauge:
        return self._gauges(name, text).of()

    def _counter(self, name: str, text: str) -> Counter:
        return self._counters(name, text).of()

    def _gauges(self, name: str, text: str, *labels: str) -> Family[Gauge]:
        return Family(Gauge(name, text, ["chain_id", *labels], registry=self.registry), self._chain)

    def _counters(self, name: str, text: str, *labels: str) -> Family[Counter]:
        return Family(Counter(name, text, ["chain_id", *labels], registry=self.registry), self._chain)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        metric = Histogram(name, text, ["chain_id"], buckets=buckets, registry=self.registry)
        return metric.labels(self._chain)
