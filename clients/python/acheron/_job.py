"""A call of a service, wherever it was begun."""

from __future__ import annotations

import codecs
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Iterator, Optional, Union

from ._errors import AcheronError, Lost

if TYPE_CHECKING:
    from ._plane import PlaneTree
    from ._tree import Tree

# A mount tells nobody that a file has grown behind it (docs/NAMESPACE.md, inotify), and its streams end where they end for
# now, as files do. So what grows is looked at now and then, which is cheap; a job's end alone has a file that waits.
LEAST_LOOK = 0.02
MOST_LOOK = 0.25
LONGEST = 86_400.0


@dataclass(frozen=True)
class Event:
    """What a job says: `type` is "stdout", "stderr" (`text`), "progress" (`progress`) or, at last, "end" (`status`)."""

    type: str
    text: str = ""
    progress: Optional[dict] = None
    status: Optional[dict] = None


class Job:
    """One call; `id` is its invocation id, `path` its folder in the tree."""

    def __init__(self, tree: Union[Tree, PlaneTree], path: str) -> None:
        self._tree = tree
        self.path = path

    @property
    def id(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    def __repr__(self) -> str:
        return f"<Job {self.path}>"

    def status(self) -> dict:
        """`status.json`, as it is now."""
        return self._tree.read_json(f"{self.path}/status.json")

    def wait(self, timeout: Optional[float] = None) -> dict:
        """Waits until it has ended, and answers with its status. Raises ETIMEDOUT after `timeout` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = LONGEST if end is None else max(0.0, end - time.monotonic())
            turn = min(left, LONGEST)
            try:
                self._tree.write(f"{self.path}/wait", b"%.3f\n" % turn)
                return self.status()
            except Lost:
                continue  # To wait twice does no harm; where nobody is there any more, that is said.
            except AcheronError as error:
                if error.code != "ETIMEDOUT" or (end is not None and turn >= left):
                    raise

    def result(self, timeout: Optional[float] = None) -> Any:
        """Waits until it has ended, and answers with its result; raises what it failed with."""
        status = self.wait(timeout)
        if status["state"] == "ok":
            return self._tree.read_json(f"{self.path}/result.json")
        raise AcheronError(status.get("errno") or "EIO", status.get("error") or "It failed.")

    def cancel(self) -> None:
        """Ends it, and its processes. Raises ESRCH where it has ended already."""
        self._tree.write(f"{self.path}/cancel", b"1\n")

    def follow(self) -> Iterator[Event]:
        """What it prints and how far it is, as it comes; at last how it ended. Leaving the loop leaves the job alone."""
        streams = {name: _Tail(self._tree, f"{self.path}/{name}") for name in ("stdout", "stderr")}
        shown: Any = None
        pause = LEAST_LOOK
        while True:
            status = self.status()
            is_over = status["state"] != "running"
            news = False
            progress = status.get("progress")
            if progress is not None and progress != shown:
                shown = progress
                news = True
                yield Event("progress", progress=progress)
            for name, tail in streams.items():
                text = tail.more(is_over)
                if text:
                    news = True
                    yield Event(name, text=text)
            if is_over:
                yield Event("end", status=status)
                return
            pause = LEAST_LOOK if news else min(2 * pause, MOST_LOOK)
            time.sleep(pause)


class _Tail:
    """What was added to a stream since it was looked at last, as text."""

    def __init__(self, tree: Union[Tree, PlaneTree], path: str) -> None:
        self._tree = tree
        self._path = path
        self._at = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def more(self, is_last: bool) -> str:
        data = self._tree.read(self._path, self._at)
        self._at += len(data)
        return self._decoder.decode(data, is_last)
