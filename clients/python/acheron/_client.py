"""The files and services of a tree, as the session of a mount has them."""

from __future__ import annotations

import json
import os
import re
import time
from typing import Any, Iterator, Optional, Union

from ._errors import AcheronError
from ._job import LEAST_LOOK, MOST_LOOK, Job
from ._tree import Tree

TRACEPARENT = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")


def connect(mount: Optional[str] = None) -> "Client":
    """A client of the tree that is mounted on `mount`; by default on what ACHERON_MOUNT names.

    Raises EINVAL where nothing is mounted, EHOSTDOWN where its server is gone.
    """
    where = mount if mount is not None else os.environ.get("ACHERON_MOUNT")
    if not where:
        raise AcheronError("EINVAL", "It is not said where Acheron is mounted.", "Name the directory, or set ACHERON_MOUNT.")
    return Client(Tree(where))


class Client:
    """Lists, describes, invokes, submits, follows, hears of events, reads and writes files."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_why: Any) -> None:
        return None  # Nothing is kept open.

    def services(self) -> list[dict]:
        """The entries of SERVICES.json of every node that the mount shows."""
        found: list[dict] = []
        for node in self._nodes():
            found.extend(self._tree.read_json(f"/nodes/{node}/services/SERVICES.json"))
        return found

    def describe(self, service: str) -> dict:
        """What a service ("echo", "node/echo", or a path) is, takes and gives."""
        path = self._find(service)
        descriptor = self._tree.read_json(f"{path}/SERVICE.json")
        schema = self._read_if_there(f"{path}/SCHEMA.json") or {}
        return {
            "service_id": descriptor.get("service_id"),
            "node_id": path.split("/")[2],
            "path": path,
            "has_invoke": self._tree.exists(f"{path}/control/invoke.json"),
            "readme": self._tree.read(f"{path}/README.md").decode(),
            "input": schema.get("input"),
            "output": schema.get("output"),
            "template": self._read_if_there(f"{path}/TEMPLATE.json"),
            "descriptor": descriptor,
        }

    def invoke(self, service: str, payload: dict, *, key: Optional[str] = None) -> Any:
        """Runs a service and answers with its result; raises AcheronError with the errno of the call.

        `key` makes a retry safe: the same key with the same payload runs once. Ctrl-C ends the call, and its driver.
        """
        return self._tree.ask(f"{self._find(service)}/control/invoke.json", _request(payload, key))

    def submit(self, service: str, payload: dict, *, key: Optional[str] = None) -> Job:
        """Begins a call, and answers as soon as it is accepted; raises why it is refused."""
        path = self._find(service)
        reply = self._tree.ask(f"{path}/control/submit.json", _request(payload, key))
        return Job(self._tree, f"{path}/jobs/{reply['invocation_id']}")

    def job(self, job: str) -> Job:
        """A job by its id, or by its path ("…/jobs/by-key/KEY" too)."""
        if "/" in job:
            path = self._tree.target(job)
            self._tree.stat(path)
            return Job(self._tree, path)
        for node in self._nodes():
            for service in self._services_of(node):
                path = f"/nodes/{node}/services/{service}/jobs/{job}"
                if self._tree.exists(path):
                    return Job(self._tree, path)
        raise AcheronError("ENOENT", f"There is no job {json.dumps(job)} that you may see.")

    def events(self, *, since: Union[str, int] = "now", timeout: Optional[float] = None) -> Iterator[dict]:
        """What happens, each event once: from "now" on, or first what is "kept", or what follows a revision.

        `timeout` ends the loop when nothing has happened for so many seconds.
        """
        revision = since if isinstance(since, int) else None
        skips = since == "now"
        last: Optional[str] = None
        pause = LEAST_LOOK
        quiet_since = time.monotonic()
        while True:
            lines = self._event_lines()
            known = -1 if last is None else max((at for at, line in enumerate(lines) if line == last), default=-1)
            fresh = [] if skips else [json.loads(line) for line in lines[known + 1 :]]
            skips = False
            last = lines[-1] if lines else last
            for event in fresh:
                number = event.get("revision")
                if revision is not None and isinstance(number, int) and number <= revision:
                    continue
                yield event
                quiet_since = time.monotonic()
            pause = LEAST_LOOK if fresh else min(2 * pause, MOST_LOOK)
            if timeout is not None and time.monotonic() - quiet_since >= timeout:
                return
            time.sleep(pause)

    def list(self, path: str) -> "list[str]":
        """The names in a directory."""
        return sorted(self._tree.names(path))

    def stat(self, path: str) -> os.stat_result:
        return self._tree.stat(path)

    def read(self, path: str) -> str:
        """The whole text of a file."""
        return self._tree.read(path).decode()

    def read_bytes(self, path: str) -> bytes:
        return self._tree.read(path)

    def write(self, path: str, content: Union[str, bytes], *, create: bool = False) -> None:
        """Writes to a file, as `echo > path` does; `create` makes or replaces one, in exports and `calls/`."""
        data = content.encode() if isinstance(content, str) else content
        self._tree.write(path, data, create)

    def remove(self, path: str) -> None:
        """Removes a file or an empty directory."""
        self._tree.remove(path)

    def _event_lines(self) -> "list[str]":
        for attempt in range(5):
            try:
                return self._tree.read("/events.ndjson").decode().splitlines()
            except AcheronError as error:
                # It was rotated between the open and the read.
                if error.code != "ESTALE" or attempt == 4:
                    raise
        return []

    def _read_if_there(self, path: str) -> Any:
        return self._tree.read_json(path) if self._tree.exists(path) else None

    def _nodes(self) -> "list[str]":
        return self._dirs("/nodes")

    def _services_of(self, node: str) -> "list[str]":
        return self._dirs(f"/nodes/{node}/services")

    def _dirs(self, path: str) -> "list[str]":
        host = self._tree.host_path(path)
        return [name for name in sorted(self._tree.names(path)) if os.path.isdir(os.path.join(host, name))]

    def _find(self, service: str) -> str:
        parts = service.split("/")
        if len(parts) > 1:
            path = f"/nodes/{parts[0]}/services/{parts[1]}" if len(parts) == 2 and parts[0] else service
            self._tree.stat(path)
            return os.path.normpath("/" + path.lstrip("/"))
        for node in self._nodes():
            path = f"/nodes/{node}/services/{service}"
            if self._tree.exists(path):
                return path
        raise AcheronError(
            "ENOENT",
            f"There is no service {json.dumps(service)}.",
            "client.services() lists those there are.",
        )


def _request(payload: dict, key: Optional[str]) -> bytes:
    """The request of a call; what the environment names as its cause goes with it, as `acheron invoke` does it."""
    if not isinstance(payload, dict):
        raise AcheronError("EINVAL", "The request is not a JSON object.")
    request = dict(payload)
    if key is not None:
        request["_key"] = key
    cause = os.environ.get("TRACEPARENT", "")
    if "_traceparent" not in request and TRACEPARENT.match(cause):
        request["_traceparent"] = cause
    return json.dumps(request, ensure_ascii=False).encode()
