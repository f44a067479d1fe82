"""`wattest`: the root of all commands, and the one place where errors become exit codes.

wattest <noun> <verb>, e.g. `wattest certificate list`; the actions stand alone, e.g. `wattest transfer`.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence

import click

from cli import exits
from cli.options import FLAGS, LazyGroup
from cli.show import inert
from state.errors import Param, WattestError

SECTIONS = {
    "Network": {
        "init": ("cli.start:init", "Make a home with its configuration and keys."),
        "testnet": ("cli.testnet:testnet", "A whole network on this machine: init, start."),
        "node": ("cli.node:node", "Run a validator: start."),
        "status": ("cli.node:status", "Height, state root, validators and peers of a node."),
        "gateway": ("cli.gateway:gateway", "Take raw readings by HTTP, sign them, hand them to nodes."),
        "dashboard": ("cli.dashboard:dashboard", "The running network in the terminal."),
        "demo": ("cli.demo.command:demo", "Four validators, three real plants, the whole story."),
    },
    "Registry": {
        "keys": ("cli.rotation:keys", "Keys: add, list, show, export, import, passwd; rotate, recover, veto, history."),
        "participant": ("cli.participants:participant", "Participants: register, list, show."),
        "device": (
            "cli.debts:device",
            "Plants: propose, list, show; appeal, appeals, answer; pledge, unpledge, debts, withdraw, buy-back.",
        ),
        "meter": (
            "cli.meters:meter",
            "Credentials of readings, and meters that use them: propose, list, show, rotate, renew; send, status.",
        ),
        "climate": ("cli.climate:climate", "Climate sources without a plant: propose, list."),
        "proposal": (
            "cli.proposals:proposal",
            "Accreditation: list, show, approve, refuse; role, gateway, profile, renew, recover, correct, scheme.",
        ),
        "validator": ("cli.validators:validator", "Validators: list, propose, approve, remove, rotate-key."),
        "certificate": ("cli.certificates:certificate", "Certificates: list, show, history, where."),
        "transfer": ("cli.certificates:transfer", "Hand certificates to another participant."),
        "handover": ("cli.handover:handover", "Transfers that wait for their receiver: list, accept, decline."),
        "standing": ("cli.standing:standing", "Shares of every issue of a plant: set, end, list."),
        "batch": ("cli.batch:batch", "Many transfers from a list, with a result for each."),
        "retire": ("cli.certificates:retire", "End certificates with a claim, for ever."),
        "statement": ("cli.statements:statement", "Retirement statements: show, verify, export, amend."),
        "chain": ("cli.chain:chain", "The whole chain as one file: export."),
        "consumption": (
            "cli.consumption:consumption",
            "Consumption by the hour: propose, list, report, match, retire.",
        ),
        "audit": (
            "cli.audit_device:audit",
            "Derive a whole chain again, or with `device` one plant's verdicts from its readings.",
        ),
        "reading": ("cli.readings:reading", "Meter readings: post, replay, export."),
        "verify": ("cli.verify:verify", "Does the weather allow this energy? Verdicts of a file of readings."),
    },
    "Market": {
        "auction": ("cli.market:auction", "Auctions: open, list, show, results, receipt, reveal."),
        "offer": ("cli.orders:offer", "Put certificates up for sale in an auction."),
        "bid": ("cli.orders:bid", "Bid for certificates in an auction."),
        "replace": ("cli.orders:replace", "Change an own order in one transaction."),
        "cancel": ("cli.orders:cancel", "Take an own order or a posted lot back."),
        "deals": ("cli.deals:deals", "Posted lots and standing bids: board, list, post, every, end."),
        "buy": ("cli.deals:buy", "Buy a posted lot, whole or in part."),
        "deposit": ("cli.money:deposit", "Credit money that came in at the bank (payment operator)."),
        "payout": ("cli.money:payout", "Ask a payment operator to pay out at the bank, or pay out with it."),
        "payouts": ("cli.money:payouts", "Payouts that wait for their operator: list, confirm, drop."),
        "pay": ("cli.money:pay", "Pay what is owed for certificates bought on margin."),
    },
    "Tools": {
        "tx": ("cli.tx:tx", "Transactions by steps: build, sign, send, show."),
        "config": ("cli.config:config", "Settings and where they come from: show, set."),
        "completion": ("cli.start:completion", "Completion script for bash, zsh or fish."),
    },
}

EPILOG = "\b\nExit codes:\n" + exits.table()


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "WATTEST", "max_content_width": 110},
)
@click.version_option(package_name="wattest", message="wattest %(version)s")
def root() -> None:
    """Registry, market and verifier of renewable-energy certificates.

    Global options may stand before or after the command. A flag wins over its WATTEST_* variable, that over
    config.toml in the home, that over the default; `wattest config show --origin` tells which it was.
    """


root.hide_globals = False


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing that is raised on purpose shows a traceback."""
    context = None
    try:
        context = root.make_context("wattest", list(arguments))
        with context:
            result = root.invoke(context)
    except click.exceptions.Exit as left:
        return left.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nInterrupted; nothing was sent after this point.", err=True)
        return exits.INTERRUPTED
    except click.ClickException as error:
        return _report(arguments, context, "usage", error.format_message(), exits.USAGE, _usage_hint(error))
    except WattestError as error:
        code = getattr(error, "reason", error.code)
        return _report(arguments, context, code, str(error), exits.exit_code(error), "", error.params)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our stdout left, as `| head` does
        return exits.DONE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _report(arguments, context, "file", f"{where}{error.strerror or error}.", exits.USAGE, "")
    return result if isinstance(result, int) else exits.DONE


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"Try `{context.command_path} --help`." if context is not None else ""


def _report(
    arguments: Sequence[str],
    context: click.Context | None,
    code: str,
    message: str,
    status: int,
    hint: str,
    params: Mapping[str, Param] | None = None,
) -> int:
    """Say on stderr what went wrong, as JSON where JSON was asked for."""
    flags = context.meta.get(FLAGS, {}) if context else {}
    if flags.get("json") or "--json" in arguments:
        shown = {name: part.hex() if isinstance(part, bytes) else part for name, part in (params or {}).items()}
        value = {"schema": "error/1", "code": code, "message": message, "params": shown, "exit": status}
        click.echo(json.dumps(value), err=True)
    else:
        click.echo(inert(f"wattest: {message}") + (f"\n{hint}" if hint else ""), err=True)
    return status


def main() -> None:
    if "_WATTEST_COMPLETE" in os.environ:
        root.main(prog_name="wattest")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
