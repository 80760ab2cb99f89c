"""The one error of this package."""

from __future__ import annotations

import errno as numbers
from typing import Any, Optional


class AcheronError(OSError):
    """An errno, a sentence on what happened, and where it is known what to do about it.

    It is an ``OSError``: ``error.errno`` is the number. ``error.code`` is its name ("EINVAL"), ``error.message`` says
    what happened, and ``error.hint`` what to do, or is None.
    """

    def __init__(self, code: str, message: str, hint: Optional[str] = None) -> None:
        super().__init__(getattr(numbers, code, numbers.EIO), message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        said = f"{self.code}: {self.message}"
        return said if self.hint is None else f"{said}\n{self.hint}"


class Lost(AcheronError):
    """The connection was lost; what was under way may have been done, or not."""

    def __init__(self, why: str) -> None:
        hint = "What was under way may have been done: a `key` makes it safe to try again."
        super().__init__("EHOSTDOWN", f"The connection to the control plane was lost: {why}.", hint)


# OSError makes an object of a subclass by its number (``FileNotFoundError``); ours stays what it is.
def from_os_error(error: OSError, reply: Any = None) -> AcheronError:
    """What a file said, in its own words where a descriptor gave them as its reply."""
    if isinstance(error, AcheronError):
        return error
    told = from_reply(reply)
    if told is not None:
        return told
    code = numbers.errorcode.get(error.errno or numbers.EIO, "EIO")
    if code in ("ENOTCONN", "ECONNABORTED"):
        return AcheronError(
            "EHOSTDOWN",
            "Nothing serves the mount any more.",
            "Take it away with `acheron unmount DIR`, and mount anew.",
        )
    where = "" if error.filename is None else f": {error.filename}"
    return AcheronError(code, f"{error.strerror}{where}.")


def from_reply(reply: Any) -> Optional[AcheronError]:
    """The failure in what a descriptor answers: the status of a call, or why it was refused."""
    if not isinstance(reply, dict):
        return None
    error = reply.get("error")
    if isinstance(error, str) and isinstance(reply.get("errno"), str):
        return AcheronError(reply["errno"], error)
    if isinstance(error, dict) and isinstance(error.get("errno"), str):
        return AcheronError(error["errno"], str(error.get("message")), error.get("hint"))
    return None
