"""What the HTTP side refuses by itself, and the HTTP status of everything else that can be refused."""

from typing import Any, ClassVar

from state.errors import (
    AuthorityRefusal,
    ChainBreak,
    CloseConflict,
    CloseDiffers,
    CredentialOver,
    IntakeBusy,
    LateReading,
    MempoolFull,
    NoCredential,
    NotHeld,
    OutOfOrder,
    ReadingConflict,
    StateRefusal,
    StoreError,
    Unknown,
    WattestError,
    WrongCredential,
)

SCHEMA = "error/1"


class RequestRefusal(WattestError):
    """The request is wrong as HTTP, before the ledger is asked."""

    status: ClassVar[int] = 400
    code = "bad_request"
    sentence = "The request is not understood: {why}."


class BadParameter(RequestRefusal):
    code = "bad_parameter"
    sentence = "The parameter {name} is not allowed: {why}."


class BadReader(RequestRefusal):
    status = 401
    code = "bad_reader"
    sentence = "The reader's header does not hold: {why}."


class BadJson(RequestRefusal):
    code = "bad_json"
    sentence = "The body is not the JSON that is expected here: {why}."


class AuditorNeeded(RequestRefusal):
    status = 403
    code = "auditor_needed"
    sentence = "The whole chain holds what is not for everybody: auditors and authorities get it, by their signature."


class NotFound(RequestRefusal):
    status = 404
    code = "not_found"
    sentence = "There is nothing at {path}; /v1/openapi.json lists what there is."


class MethodNotAllowed(RequestRefusal):
    status = 405
    code = "method_not_allowed"
    sentence = "{method} is not possible at {path}."


class BodyTimeout(RequestRefusal):
    status = 408
    code = "body_timeout"
    sentence = "The body did not arrive within {seconds} seconds."


class LengthRequired(RequestRefusal):
    status = 411
    code = "length_required"
    sentence = "The body needs a Content-Length; bodies in chunks are not taken."


class BodyTooLarge(RequestRefusal):
    status = 413
    code = "body_too_large"
    sentence = "The body is larger than {limit} bytes."


class WrongMediaType(RequestRefusal):
    status = 415
    code = "wrong_media_type"
    sentence = "{why}."


class RateLimited(RequestRefusal):
    status = 429
    code = "rate_limited"
    sentence = "Too many requests from this address; try again in {retry_after_s} seconds."


class Busy(RequestRefusal):
    status = 429
    code = "overloaded"
    sentence = "This node serves {limit} {what} at a time; try again in {retry_after_s} seconds."


class Syncing(RequestRefusal):
    """There is no state to answer from yet."""

    status = 503
    code = "syncing"
    sentence = (
        "This node is fetching the state of height {height} from a peer ({entries} of {of_entries} entries are here); "
        "it answers once it holds and has checked all of it."
    )


class PastUnready(RequestRefusal):
    """The same question is answered a little later."""

    status: ClassVar[int] = 503
    code = "past_unready"
    sentence = "This node is executing its blocks again and is at height {reached} of {target}; ask once more."


class PastUnusable(RequestRefusal):
    status: ClassVar[int] = 503
    code = "past_unusable"
    sentence = "This node cannot tell of height {height}: {why}."


def status_of(error: WattestError) -> int:
    """4xx for whatever the sender can mend; a store that cannot be used is this node's own failure."""
    match error:
        case RequestRefusal():
            return error.status
        case Unknown():
            return 404
        case NotHeld():
            return 410
        case AuthorityRefusal():
            return 403
        case MempoolFull() | IntakeBusy():
            return 429
        case NoCredential() | WrongCredential() | CredentialOver():
            return 403
        case OutOfOrder() | ChainBreak() | ReadingConflict() | LateReading() | CloseConflict() | CloseDiffers():
            return 409
        case StateRefusal():
            return 409
        case StoreError():
            return 500
        case _:
            return 400


def refusal_dict(error: WattestError) -> dict[str, Any]:
    """`params` holds strings only: a number among them may exceed 2^53."""
    text = str(error)
    return {
        "code": error.code,
        "message": text.removesuffix(f" [{error.code}]"),
        "params": {name: _text(value) for name, value in error.params.items()},
        "action_index": error.action_index,
    }


def _text(value: int | str | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
