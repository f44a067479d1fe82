"""From a day's verdict and the windows over it to energy: what may be certified at once, later, or never.

When the week around a day is clean, nine tenths of its energy become certifiable; the last tenth waits for the month
and the season. A factor of 1.1 that only a season shows has then certified nothing above the truth, since 0.9 x 1.1 is
less than 1, and a false alarm of a long window costs an honest plant a tenth at most.
"""

from collections.abc import Sequence

from state.attestation import PROMPT, STEP_DAYS
from state.codec import Wire
from verifier.finding import RAMP, Finding, codes
from verifier.verdict import DayVerdict, Outcome
from verifier.windows import Flag

PROMPT_BASIS_POINTS = 9_000  # of a file run; on the ledger the shares are the scheme's
PROMPT_DAYS = 7  # what a window that ends later shows comes too late for the prompt part
LONGEST_DAYS = 90  # nothing depends on later readings
HOLD_DAYS = 90  # a ramp without an event on record is refused after as many


class FinalVerdict(Wire, frozen=True):
    """A day after every window: `accepted_wh + withheld_wh + refused_wh = energy_wh`, `prompt_wh <= accepted_wh`."""

    verdict: Outcome
    reasons: tuple[str, ...]
    energy_wh: int
    accepted_wh: int
    prompt_wh: int
    withheld_wh: int
    refused_wh: int
    findings: tuple[Finding, ...]
    open_until: int = 0  # the day on which its last window closes, beyond the end of the readings; 0 if all are closed


def climb(day: int, verdict: DayVerdict, flags: Sequence[Flag], last: int) -> FinalVerdict:
    """`flags`: any that may cover `day`; `last`: the last day of the run."""
    energy_wh = verdict.energy_wh
    open_until = day + LONGEST_DAYS - 1 if day + LONGEST_DAYS - 1 > last else 0
    if verdict.verdict != "accept":
        return FinalVerdict(
            verdict.verdict,
            verdict.reasons,
            energy_wh,
            0,
            0,
            verdict.withheld_wh,
            verdict.refused_wh,
            verdict.findings,
        )
    over = [flag for flag in flags if flag.end - flag.length < day <= flag.end and day not in flag.spared]
    soon = [flag for flag in over if flag.end <= day + PROMPT_DAYS and not flag.lightly]
    prompt_wh = 0 if soon else energy_wh * PROMPT_BASIS_POINTS // 10_000
    rest_wh = energy_wh - prompt_wh
    if not over:
        return _final(verdict, energy_wh, prompt_wh, 0, 0, (), open_until)
    if all(flag.finding.code == RAMP for flag in over) and day + HOLD_DAYS > last:
        return _final(verdict, prompt_wh, prompt_wh, rest_wh, 0, _first(over), open_until)
    return _final(verdict, prompt_wh, prompt_wh, 0, rest_wh, _first(over), open_until)


def climb_step(step: int, flags: Sequence[Flag], day: int) -> tuple[Outcome, tuple[Finding, ...]]:
    """One step of the release of an accepted `day`; `flags`: all that the days up to the step's last one raise."""
    over = [flag for flag in flags if flag.end - flag.length < day <= flag.end and day not in flag.spared]
    if step == PROMPT:
        over = [flag for flag in over if not flag.lightly]
    if not over:
        return "accept", ()
    waits = step < len(STEP_DAYS) - 1 and all(flag.finding.code == RAMP for flag in over)
    return ("hold" if waits else "reject"), _first(over)


def _final(
    verdict: DayVerdict,
    accepted_wh: int,
    prompt_wh: int,
    withheld_wh: int,
    refused_wh: int,
    because: tuple[Finding, ...],
    open_until: int,
) -> FinalVerdict:
    findings = sorted([*verdict.findings, *because], key=lambda finding: (finding.code, finding.at_s, finding.value))
    outcome: Outcome = "reject" if refused_wh else "hold" if withheld_wh else "accept"
    if because and not refused_wh and not withheld_wh:
        outcome = "reject"  # a day without energy inside a refused window
    return FinalVerdict(
        outcome,
        codes(findings),
        verdict.energy_wh,
        accepted_wh,
        prompt_wh,
        withheld_wh,
        refused_wh,
        tuple(findings),
        open_until,
    )


def _first(over: Sequence[Flag]) -> tuple[Finding, ...]:
    """One finding for each code: of the window that saw it first."""
    firsts: dict[str, Flag] = {}
    for flag in sorted(over, key=lambda flag: (flag.end, flag.length)):
        firsts.setdefault(flag.finding.code, flag)
    return tuple(flag.finding for flag in firsts.values())
