"""A whole node, `wattest node start`, that goes on although it sees its own key vote elsewhere: what a thief would run.

python -m harness.villains.shameless --home HOME node start
"""

import sys

from cli.main import main
from consensus.own_votes import OwnVotes

OwnVotes.require_own = lambda *_: None  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main())
