"""`python -m attacks [--short] [--only NAME]`: what `make attack` runs."""

import argparse
import sys
import time

from attacks.report import run, summary, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="attacks", description="Attack a running network of four validators.")
    parser.add_argument("--short", action="store_true", help="fewer of each, as in `make check`")
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="this attack alone; repeatable")
    given = parser.parse_args()
    began = time.monotonic()
    verdicts = run(given.short, names=tuple(given.only))
    print(table(verdicts))
    print(summary(verdicts, time.monotonic() - began))
    return 0 if verdicts and all(verdict.held for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
