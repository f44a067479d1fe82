"""What can go wrong on the way to the ledger, apart from the ledger's own refusals.

    KeystoreError       a key file or its passphrase cannot be used
    NodeUnreachable     nobody answers at the node's address, or not in this protocol
    TimedOut            the node answers, but what was waited for did not happen in time
    VerificationFailed  something was recomputed and differs
    WrongNetwork        the node serves another network than the one that was named
    NoFont              a statement cannot be printed with the fonts of this machine
    RefusedByNode       a refusal as the node sent it: the ledger's code, sentence and numbers

They stand alone so that a command can name them without loading sodium or a network stack.
"""

from typing import Any

from state.errors import Refusal, WattestError


class KeystoreError(WattestError):
    code = "keystore"
    sentence = "The key cannot be used: {why}."


class KeyFileUnusable(KeystoreError):
    """The file is missing, damaged or another key's: its backup helps, a new key does not."""

    code = "key_file"


class WrongPassphrase(KeystoreError):
    code = "wrong_passphrase"
    sentence = "The passphrase of {path} is wrong, or the file was changed since it was written."


class NodeUnreachable(WattestError):
    code = "node_unreachable"
    sentence = "No node answers at {url}: {why}."


class TimedOut(WattestError):
    code = "timed_out"
    sentence = "{what} did not happen within {seconds} s."


class VerificationFailed(WattestError):
    code = "verification_failed"
    sentence = "Verification failed: {why}."


class WrongNetwork(Refusal):
    """Said before anything that the node answers is taken for true."""

    code = "wrong_network"
    sentence = "The node at {url} serves network {found}, but the one named here is {named}: see `wattest config show`."


class NoFont(WattestError):
    code = "no_font"
    sentence = "No font of this machine has the characters {missing}; name a font file that has them."


class RefusedByNode(Refusal):
    """`reason` is the stable code of the refusal, as in `state/errors.py`; `message` the node's sentence."""

    code = "node_refused"

    def __init__(
        self, reason: str, message: str, params: dict[str, Any], action_index: int | None, status: int
    ) -> None:
        super().__init__(**{name: value for name, value in params.items() if isinstance(value, int | str)})
        self.reason = reason
        self.message = message
        self.action_index = action_index
        self.status = status

    def __str__(self) -> str:
        where = "" if self.action_index is None else f" (action {self.action_index})"
        suffix = f"[{self.reason}]"
        text = self.message.removesuffix(suffix).rstrip()
        return f"{text}{where} {suffix}"
