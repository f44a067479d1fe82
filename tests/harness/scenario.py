"""A small language for driving a few engines by hand and reading what they do.

A scenario file is a story of blocks like this one; what stands below the dashes is compared with what happened:

    tick 1000
    ----
    1: build B on A

Commands, nodes given as `0 2` or `all`:

    cluster N [villains=3] [delta=500] [idle=10000] [min=200] [epoch=0]   engines, started; villains have no engine
    deliver [KIND] [from=0] [to=1] [only=12]   hand over queued messages, and those that they cause
    drop [KIND] [from=0] [to=1]                lose queued messages
    tick MS                                    let time pass; timers fire in order; messages stay queued
    timer NODES                                fire the view timers now, whatever the clock says
    work NODES / idle NODES                    work waits there / no more
    peerup NODE PEERS                          connections were made
    crash NODES / restart NODES                the process dies (unsynced records are lost) / starts on its disk
    invalid NODES                              their execution refuses every block from now on
    block NAME on NAME [by=1] [ms=1000]        forge a block, its time so long after its parent's
    vote KIND V SIGNER [NAME] [pv=0] to NODES  a vote as that validator would sign it (block V is a view)
    quorum KIND V [NAME] [pv=0] by SIGNERS to NODES
    body NAME to NODES                         the block as the answer to a request
    propose V NAME [pv=0] [just=V..] to NODES  the leader of V proposes a forged block, showing Nullifications of views
    state                                      where every node stands
    quietly COMMAND                            without writing down what happened

Blocks that engines build are named A, B, C in the order of their making; `genesis` is the base. Status messages and the
wake timer are left out of the output, and a message to everybody is written once.
"""

import string
from collections.abc import Callable

from harness import toy_ledger
from harness.schedule import Schedule
from harness.sim_node import SimNode
from harness.vote_keys import VoteKeys

from consensus import effects, inputs
from consensus.engine import Engine
from consensus.inputs import VIEW
from consensus.messages import (
    BlockBody,
    Blocks,
    ConsensusMessage,
    Evidence,
    Full,
    GetBlock,
    GetBlocks,
    GetQuorums,
    Propose,
    QuorumMessage,
    Quorums,
    Status,
    VoteMessage,
)
from consensus.records import HeldQuorum, JournalRecord, OwnVote, VotedBlock
from consensus.timers import Timing
from consensus.votes import (
    FINALIZE,
    KIND_WORDS,
    NOTARIZE,
    NULLIFY,
    Position,
    Quorum,
    Vote,
    make_quorum,
    make_vote,
    nullified,
)
from state.block import Block, header_hash

KINDS = {word: kind for kind, word in KIND_WORDS.items()}
QUORUM_WORDS = {NOTARIZE: "Notarization", NULLIFY: "Nullification", FINALIZE: "Finalization"}
TIME_MS = 1_700_000_000_000


class LoggedNode(SimNode):
    """Writes down what its engine wants before it is done."""

    scenario: "Scenario"
    refuses = False

    def perform(self, wanted: list[effects.Effect]) -> None:
        for effect in wanted:
            line = self.scenario.describe(effect)
            if line:
                self.scenario.lines.append(f"{self.index}: {line}")
            if isinstance(effect, effects.Send) and not isinstance(effect.message, Status):
                self.scenario.post(self.index, effect.message, effect.to)
        super().perform(wanted)

    def _execute(self, block_hash: bytes, block: Block) -> bool:
        return super()._execute(block_hash, block) and not self.refuses


class Scenario:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now_ms = 0
        self.nodes: dict[int, LoggedNode] = {}
        self._queue: list[tuple[int, int, ConsensusMessage]] = []
        self._soon: list[tuple[LoggedNode, int, Callable[[int, int], inputs.Input]]] = []
        self._timers: list[tuple[int, LoggedNode, int, Callable[[int, int], inputs.Input]]] = []
        self._names: dict[bytes, str] = {}
        self._blocks: dict[str, Block] = {}

    def run(self, command: str) -> str:
        """The output of one command."""
        self.lines = []
        word, *rest = command.split()
        getattr(self, f"do_{word}")(rest)
        return "\n".join(self.lines) or "ok"

    # --- commands

    def do_quietly(self, words: list[str]) -> None:
        getattr(self, f"do_{words[0]}")(words[1:])
        self.lines = []

    def do_cluster(self, words: list[str]) -> None:
        n = int(words[0])
        options = dict(word.split("=") for word in words[1:])
        self.keys = VoteKeys(n)
        timing = Timing(int(options.get("delta", 500)), int(options.get("idle", 10_000)), int(options.get("min", 200)))
        self.length = int(options.get("epoch", 0))
        genesis = toy_ledger.genesis_header(self.keys.validators, TIME_MS - 60_000)
        self._name(Block(genesis, ()), "genesis")
        villains = {int(i) for i in options.get("villains", "").split(",") if i}
        for i in sorted(set(range(n)) - villains):
            node = LoggedNode(
                i,
                self,
                Schedule(self.keys, self.length),
                genesis,
                self.keys.signers[i],
                self.keys.verify,
                timing,
                Engine,
            )
            node.scenario = self
            self.nodes[i] = node
        for node in self.nodes.values():
            self._start(node)

    def do_deliver(self, words: list[str]) -> None:
        limit = next((int(word[5:]) for word in words if word.startswith("only=")), 10_000)
        while limit:
            chosen = next((item for item in self._queue if self._wanted(item, words)), None)
            if chosen is None:
                return
            self._queue.remove(chosen)
            limit -= 1
            source, target, message = chosen
            self._give(target, lambda now, time, s=source, m=message: inputs.MessageReceived(now, time, str(s), m))

    def do_drop(self, words: list[str]) -> None:
        kept = [item for item in self._queue if not self._wanted(item, words)]
        self.lines.append(f"lost {len(self._queue) - len(kept)}")
        self._queue = kept

    def do_tick(self, words: list[str]) -> None:
        end_ms = self.now_ms + int(words[0])
        while True:
            live = [t for t in self._timers if t[1].incarnation == t[2]]
            self._timers = live
            due = min((t for t in live if t[0] <= end_ms), key=lambda t: (t[0], t[1].index), default=None)
            if due is None:
                break
            self._timers.remove(due)
            self.now_ms = max(self.now_ms, due[0])
            given = due[3](self.now_ms, TIME_MS + self.now_ms)
            if isinstance(given, inputs.TimerFired) and due[1].timers.get(given.purpose) == due[0]:
                self._give(due[1].index, due[3])
        self.now_ms = end_ms

    def do_timer(self, words: list[str]) -> None:
        for node in self._chosen(words):
            engine = self._engine(node)
            self.now_ms = max(self.now_ms, node.timers[VIEW])
            view = engine.standing().view
            self._give(node.index, lambda now, time, v=view: inputs.TimerFired(now, time, 0, v, VIEW))

    def do_work(self, words: list[str]) -> None:
        for node in self._chosen(words):
            node.mempool.add(b"a transaction")
            self._give(node.index, lambda now, time: inputs.WorkWaits(now, time))

    def do_idle(self, words: list[str]) -> None:
        for node in self._chosen(words):
            node.mempool.clear()
            self._give(node.index, lambda now, time: inputs.WorkWaits(now, time, False))

    def do_peerup(self, words: list[str]) -> None:
        for peer in words[1:]:
            self._give(int(words[0]), lambda now, time, p=peer: inputs.PeerUp(now, time, p))

    def do_crash(self, words: list[str]) -> None:
        for node in self._chosen(words):
            node.crash()

    def do_restart(self, words: list[str]) -> None:
        for node in self._chosen(words):
            self._start(node)

    def do_invalid(self, words: list[str]) -> None:
        for node in self._chosen(words):
            node.refuses = True

    def do_block(self, words: list[str]) -> None:
        name, _, parent_name, *options = words
        given = dict(option.split("=") for option in options)
        parent = self._blocks[parent_name].header
        time_ms = parent.timestamp_ms + int(given.get("ms", 1_000))
        proposer = int(given.get("by", self.keys.validators.leader(1)))
        block = toy_ledger.build(parent, (name.encode(),), time_ms, proposer, self.keys.validators.hash)
        self._name(block, name)

    def do_body(self, words: list[str]) -> None:
        message = BlockBody(self._blocks[words[0]])
        self._inject(0, message, [int(word) for word in words[2:]])

    def do_vote(self, words: list[str]) -> None:
        (kind, _, signer), position, targets = self._spoken(words, 3)
        vote = self._sign(kind, position, int(signer))
        self._inject(int(signer), VoteMessage(vote), targets)

    def do_quorum(self, words: list[str]) -> None:
        at = words.index("by")
        signers = words[at + 1 : words.index("to")]
        (kind, _), position, targets = self._spoken(words[:at] + words[words.index("to") :], 2)
        quorum = make_quorum([self._sign(kind, position, int(s)) for s in signers], self.keys.validators)
        self._inject(int(signers[0]), QuorumMessage(quorum), targets)

    def do_propose(self, words: list[str]) -> None:
        just = next((word[5:] for word in words if word.startswith("just=")), "")
        words = ["notarize", *(word for word in words if not word.startswith("just="))]
        (_, view), position, targets = self._spoken(words, 2)
        leader = self.keys.validators.leader(int(view))
        vote = self._sign(NOTARIZE, position, leader)
        block = self._blocks[self._names[position.block_hash]]
        quorum = self.keys.validators.quorum
        shown = tuple(
            make_quorum([self._sign(NULLIFY, nullified(0, int(v)), s) for s in range(quorum)], self.keys.validators)
            for v in just.split(",")
            if v
        )
        self._inject(leader, Propose(Full(block), vote, shown), targets)

    def do_state(self, words: list[str]) -> None:
        for node in self.nodes.values():
            if node.halted:
                self.lines.append(f"{node.index}: halted {node.halted.code}")
            elif node.engine is None:
                self.lines.append(f"{node.index}: down")
            else:
                at = node.engine.standing()
                name = self._names[at.block_hash]
                self.lines.append(
                    f"{node.index}: view {at.view}, final view {at.final_view}, height {at.height} {name}"
                )

    # --- the world of the nodes

    def transmit(self, source: int, message: ConsensusMessage, to: str | None) -> None:
        if not isinstance(message, BlockBody | Blocks | GetBlock | GetBlocks):
            return  # sends were queued when they were written down
        self.post(source, message, to)

    def post(self, source: int, message: ConsensusMessage, to: str | None) -> None:
        for target in range(self.keys.validators.n) if to is None else (int(to),):
            if target != source and target in self.nodes:
                self._queue.append((source, target, message))

    def later(self, node: SimNode, at_ms: int, make: Callable[[int, int], inputs.Input]) -> None:
        assert isinstance(node, LoggedNode)
        if at_ms < 0:
            self._soon.append((node, node.incarnation, make))
        else:
            self._timers.append((at_ms, node, node.incarnation, make))

    def crash_here(self, node: SimNode) -> bool:
        return False

    def pick(self, bound: int) -> int:
        return 0

    def first_input(self, node: SimNode) -> inputs.Start:
        self.lines.append(f"{node.index}: begin epoch {node.disk.epoch}")
        return inputs.Start(self.now_ms, TIME_MS + self.now_ms)

    def committed(self, node: SimNode, effect: effects.Commit) -> None:
        """It was written down already."""

    # --- words

    def describe(self, effect: effects.Effect) -> str:
        match effect:
            case effects.Persist(records=records, sync=sync):
                return f"persist {', '.join(map(self._record, records))}{'' if sync else ' (no sync)'}"
            case effects.Send(message=message, to=to):
                said = self._message(message)
                return said and f"send {said}{'' if to is None else f' to {to}'}"
            case effects.SetTimer(view=view, purpose=purpose, at_ms=at_ms):
                return f"timer of view {view} in {at_ms - self.now_ms} ms" if purpose == VIEW else ""
            case effects.Commit(block_hash=block_hash, finalization=finalization):
                return f"commit {self._names[block_hash]} by {self._quorum(finalization)}"
            case effects.BuildBlock(parent_hash=parent_hash):
                return f"build on {self._names[parent_hash]}"
            case effects.CheckBlock(block_hash=block_hash, block=block):
                return f"check {self._name(block)}"
            case effects.Fetch(request=request, attempt=attempt):
                return f"fetch {self._message(request)}, attempt {attempt}"
            case effects.EvidenceFound(evidence=evidence):
                return f"evidence {self._vote(evidence.first)} + {self._vote(evidence.second)}"
            case effects.Blame(peer=peer, why=why):
                return f"blame {peer}: {why}"
            case effects.Halt(code=code, why=why):
                return f"halt {code}: {why}"
            case effects.ServeBlock() | effects.ServeBlocks() | effects.ServeBoundary():
                return f"serve {type(effect).__name__[5:].lower()} to {effect.peer}"
        raise AssertionError(effect)

    def _record(self, record: JournalRecord) -> str:
        match record:
            case OwnVote(vote=vote):
                return self._vote(vote)
            case VotedBlock(block=block):
                return f"block {self._name(block)}"
            case HeldQuorum(quorum=quorum):
                return self._quorum(quorum)

    def _message(self, message: ConsensusMessage) -> str:
        match message:
            case VoteMessage(vote=vote):
                return self._vote(vote)
            case QuorumMessage(quorum=quorum):
                return self._quorum(quorum)
            case Propose(vote=vote, just=just):
                because = f" because {', '.join(map(self._quorum, just))}" if just else ""
                return f"propose {vote.view} {self._names[vote.block_hash]}{because}"
            case GetQuorums(from_view=from_view):
                return f"get quorums from {from_view}"
            case Quorums(quorums=quorums):
                return f"quorums {', '.join(map(self._quorum, quorums)) or 'none'}"
            case GetBlock(block_hash=block_hash):
                return f"block {self._names.get(block_hash, '?')}"
            case GetBlocks(from_height=from_height, count=count):
                return f"{count} blocks from {from_height}"
            case BlockBody(block=block):
                return f"body of {self._name(block)}"
            case Evidence(first=first, second=second):
                return f"evidence {self._vote(first)} + {self._vote(second)}"
            case Status():
                return ""
        return type(message).__name__

    def _vote(self, vote: Vote) -> str:
        block = "" if vote.kind == NULLIFY else f" {self._names.get(vote.block_hash, '?')}"
        return f"{KIND_WORDS[vote.kind]} {vote.view}{block}"

    def _quorum(self, quorum: Quorum) -> str:
        block = "" if quorum.kind == NULLIFY else f" {self._names.get(quorum.block_hash, '?')}"
        return f"{QUORUM_WORDS[quorum.kind]} {quorum.view}{block}"

    def _name(self, block: Block, name: str | None = None) -> str:
        block_hash = header_hash(block.header)
        if block_hash not in self._names:
            used = set(self._names.values())
            self._names[block_hash] = name or next(c for c in string.ascii_uppercase if c not in used)
            self._blocks[self._names[block_hash]] = block
        return self._names[block_hash]

    # --- what commands are made of

    def _start(self, node: LoggedNode) -> None:
        node.start()
        self._give(node.index, lambda now, time: inputs.Start(now, time))

    def _give(self, index: int, make: Callable[[int, int], inputs.Input]) -> None:
        """One input, then the answers of the shell to what it asked for, at once."""
        node = self.nodes[index]
        node.take(make(self.now_ms, TIME_MS + self.now_ms))
        while self._soon:
            other, incarnation, answer = self._soon.pop(0)
            if other.incarnation == incarnation:
                given = answer(self.now_ms, TIME_MS + self.now_ms)
                if isinstance(given, inputs.BlockBuilt) and given.block is not None:
                    self._name(given.block)
                other.take(given)

    def _chosen(self, words: list[str]) -> list[LoggedNode]:
        return list(self.nodes.values()) if words == ["all"] else [self.nodes[int(word)] for word in words]

    def _engine(self, node: LoggedNode) -> Engine:
        assert node.engine is not None, f"node {node.index} is down"
        return node.engine

    def _wanted(self, item: tuple[int, int, ConsensusMessage], words: list[str]) -> bool:
        source, target, message = item
        for word in words:
            name, _, value = word.partition("=")
            some = {int(i) for i in value.split(",")} if value else set()
            if (name == "from" and source not in some) or (name == "to" and target not in some):
                return False
            if not value and not self._message(message).lower().startswith(name):
                return False
        return True

    def _spoken(self, words: list[str], fixed: int) -> tuple[list, Position, list[int]]:  # type: ignore[type-arg]
        """`KIND VIEW ... [NAME] [pv=0] to NODES` as its fixed words (the kind as a number), position and targets."""
        at = words.index("to")
        targets = list(self.nodes) if words[at + 1 :] == ["all"] else [int(word) for word in words[at + 1 :]]
        head: list[int | str] = [KINDS[words[0]], *words[1:fixed]]
        rest = words[fixed:at]
        parent_view = next((int(word[3:]) for word in rest if word.startswith("pv=")), 0)
        names = [word for word in rest if "=" not in word]
        view = int(words[1])
        if words[0] == "nullify":
            return head, nullified(0, view), targets
        return head, Position(0, view, parent_view, header_hash(self._blocks[names[0]].header)), targets

    def _sign(self, kind: int, position: Position, signer: int) -> Vote:
        return make_vote(bytes(32), kind, position, signer, self.keys.signers[signer].sign)

    def _inject(self, source: int, message: ConsensusMessage, targets: list[int]) -> None:
        for target in targets:
            if target in self.nodes:
                self._give(target, lambda now, time: inputs.MessageReceived(now, time, str(source), message))
