"""Consensus: round-robin proof of authority with immediate finality (Simplex with explicit nullify votes).

n validators, of which f = floor((n-1)/3) may lie, agree on one chain of blocks. Time is cut into views; the leader of
view v is validator v mod n. q = n - f equal votes are a quorum. There are three votes, and of each a quorum:

    NOTARIZE(v, block)   "this is the one block of view v that I found valid"      -> Notarization
    NULLIFY(v)           "view v came to nothing for me"                           -> Nullification
    FINALIZE(v, block)   "I saw the Notarization and never voted to nullify v"     -> Finalization

A view ends with any of the three. A block names the view of its parent, which must be notarised, with every view in
between nullified. A Finalization makes its block and all its ancestors final, at once and for ever. There are no locks,
no view-change messages and no fork choice.

The clauses, as `engine.py` has them (`commit` is in `follower.py`)
------------------------------------------------------------------
start       Replay the journal: quorums, blocks, own votes. Enter the view after the highest quorum. Count every own
            vote above the best Finalization again (or a restart of everybody is a deadlock), and vote to finalise where
            the journal kept a Notarization and lost the vote that belongs to it.
vote        The only place where a vote is made. Only a validator that may vote, only above the best Finalization (the
            journal is pruned below it), and never: NOTARIZE after NOTARIZE or NULLIFY of the view, NULLIFY after
            NULLIFY or FINALIZE, FINALIZE after FINALIZE or NULLIFY. Persist, send, count.
enter       Go to view v, holding a quorum of v-1. Start its timer. A leader that restarted in its own view sends the
            proposal of its journal again.
try_propose The leader looks for the parent: the highest notarised view below, every view between nullified; it asks for
            quorums it misses. It waits until idle_interval after the parent's time, or only min_interval while work
            waits, then asks for a block, once a view. What it is given it executed itself: it votes NOTARIZE and sends
            block, vote and the quorums that justify the parent as one proposal.
on_propose  The leader's NOTARIZE vote is the proposal's signature. Learn the quorums that come with it, keep the first
            proposal of each view, count the vote. A second, different one is evidence.
try_notarize  Again whenever something missing arrives: parent allowed; block and parent at hand (or fetched); header in
            order; time after the parent's and at most 2 s ahead of the own clock (or wait for it); execution right.
            Then NOTARIZE. Invalid: vote to nullify at once. Only validity is asked, never doubt about readings.
on_vote     Verify and count the first vote of each (kind, view, signer), from the best Finalization up to two views
            ahead. What contradicts it is evidence and not counted. A NULLIFY vote of the view's own leader ends the
            waiting. q equal votes are a quorum. A vote at or below the best Finalization counts for nothing, but
            against a remembered quorum of its view it may be evidence.
on_quorum   The first of its kind and view: keep, relay once, go on to the next view. A Notarization is answered with
            FINALIZE, even if the block is unknown here, unless this node voted to nullify the view; it is left either
            way. What a signer said here before, against the quorum, is evidence. A Finalization raises final_view and
            forgets everything below; of views whose end was not seen here it first passes on who gave them up.
on_timer    Only for the current view. Send again the quorums since the best Finalization, the own proposal and own
            votes that have no quorum yet; then vote NULLIFY.
on_peer_up  Send the peer at once what a timer would send. No vote, the timer stays.
on_work_waits  A timer that waits for a heartbeat is shortened to min_interval + patience, never lengthened.
commit      The best Finalization's block and its ancestors, oldest first, as soon as all bodies are here. Missing ones
            are asked for: one by one, or 64 at a time when the gap is long; never on a claim, always up to a quorum.
halt        Two Notarizations of one view or a Nullification beside a Finalization (exit 73), or a vote with the own
            signature that the journal does not hold (exit 74): stop for good.

Timers (`timers.py`): T(v) = wait + 4 delta min(1.5^k, 8), k = views since the last finalised one less two. A leader
that was silent for 2n views while a quorum of others spoke gets no time.

Why it is safe
--------------
Two quorums share n - 2f >= f + 1 members, so an honest one. (1) One NOTARIZE a view: at most one block of a view is
notarised. (2) Nobody honest sends both NULLIFY(v) and FINALIZE(v): never both quorums. (3) If block b of view v is
final, every notarised block of a later view descends from it: its parent's view is at least v, for else v would have to
be nullified; and if it is v it is b by (1); and if it is later, by induction. So final blocks form one chain, whatever
the network does. All of it rests on votes being remembered: the shell makes a vote durable before it is sent, and the
clause `vote` never contradicts a remembered one.

Why it is live
--------------
Once messages arrive within delta: if an honest node saw a Notarization it relays it and all follow; else nobody honest
voted to finalise, all time out, and the view is nullified. So every view ends, and an honest leader's proposal and two
rounds of votes take 3 delta, less than its timer. At most f views in a row go to faulty leaders.

Where this departs from the written protocol
--------------------------------------------
1. After its first timeout in a view a node sends again every 4 delta min(1.5^k, 8), without the interval for a block:
   nothing but lost messages is waited for any more.
2. A leader holds a block back from the parent's time on, but never longer than the interval from its entering the view:
   a leader whose clock is slow would otherwise sleep through its view.
3. The signers of a quorum count as seen, not only those of single votes.
4. Once the best Finalization's block is missing here, nothing is proposed or notarised until it is committed: every
   lawful block descends from it.

Epochs
------
One engine lives for one epoch of `epoch_length` blocks, with one set of validators. Every vote, effect and record names
its epoch, and views count from 1 in each; view 0 stands for the *base*, the last block of the epoch before.

again       Once the epoch's last block (the boundary) is notarised nothing is built on it: leaders propose the same
            block again, with the view that notarised it last as its parent's, until it is final. Who proposed it first
            and when does not matter any more. A position names the parent's view, so two of them are not confused.
end         When the boundary is committed the engine has ended and is silent. The shell makes the next one: epoch e+1,
            view 1, base (0, boundary), the validators that the boundary's state names. Who is not among them observes.
other epoch A message of an older epoch is answered with that epoch's boundary header and Finalization (`ServeBoundary`,
            at most once in delta for each peer), never dropped; for one of a newer epoch the end of the own is asked
            for. So a node that slept through epochs is led through them one by one, each by the quorum of its own set.

With `epoch_length` 0 there is one epoch for ever, and none of this happens.

Safety is that of each epoch by itself: exactly one boundary can be final in it, and all of the next epoch descends from
that. A repeated proposal keeps lemma (3): its parent's view is notarised and every view between nullified, as for any
other block, and the block descends from itself.
"""
