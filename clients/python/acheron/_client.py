"""The files and services of a tree, as one session has them."""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING, Any, Iterator, Optional, Sequence, Union

from ._errors import AcheronError, from_os_error
from ._job import LEAST_LOOK, MOST_LOOK, Job
from ._tree import Tree

if TYPE_CHECKING:
    from ._plane import PlaneTree

TRACEPARENT = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")


def connect(
    mount: Optional[str] = None,
    *,
    url: Union[str, Sequence[str], None] = None,
    token: Optional[str] = None,
    token_file: Optional[str] = None,
    ca_file: Optional[str] = None,
    project: Optional[str] = None,
    project_token: Optional[str] = None,
) -> "Client":
    """A client of the tree that is mounted on `mount`, or of the control plane at `url`, as the bearer of a token.

    Without either it is what ACHERON_MOUNT names, or else ACHERON_CONTROL_URL with ACHERON_TOKEN or ACHERON_TOKEN_FILE. Several
    addresses are of control planes that do the same: one that is lost is left for another. `ca_file` has certificates to trust
    (PEM) in place of those of the system. For a control plane, the package `websockets` is needed: pip install 'acheron[plane]'.

    Raises EINVAL where nothing is mounted, EHOSTDOWN where nobody serves, EACCES for a token that is not good, ENOENT for a project.
    """
    told = mount is not None or url is not None
    where = mount if told else os.environ.get("ACHERON_MOUNT")
    if where:
        return Client(Tree(where))
    addresses = _addresses(url if told else os.environ.get("ACHERON_CONTROL_URL"))
    if not addresses:
        raise AcheronError(
            "EINVAL", "It is not said where Acheron is.", "Name a mount or a url; or set ACHERON_MOUNT or ACHERON_CONTROL_URL."
        )
    from ._plane import PlaneTree

    return Client(PlaneTree(addresses, _token(token, token_file), ca_file, project, project_token))


def _addresses(url: Union[str, Sequence[str], None]) -> "list[str]":
    given = url.split(",") if isinstance(url, str) else list(url or [])
    addresses = [re.sub(r"^http", "ws", one.strip()).rstrip("/") for one in given if one.strip()]
    for one in addresses:
        if not re.match(r"^wss?://[^/@?#]+$", one):
            raise AcheronError("EINVAL", f"{one} is no address of a control plane.", "It looks like wss://plane.example:18790.")
    return list(dict.fromkeys(addresses))


def _token(token: Optional[str], token_file: Optional[str]) -> str:
    if token is None and token_file is None:
        token, token_file = os.environ.get("ACHERON_TOKEN"), os.environ.get("ACHERON_TOKEN_FILE")
    if not token and token_file:
        try:
            with open(token_file, encoding="utf-8") as file:
                token = file.readline().strip()
        except OSError as error:
            raise from_os_error(error) from None
    if not token:
        raise AcheronError("EACCES", "There is no token.", "Give token or token_file, or set ACHERON_TOKEN or ACHERON_TOKEN_FILE.")
    return token.strip()


class Client:
    """Lists, describes, invokes, submits, follows, hears of events, reads and writes files."""

    def __init__(self, tree: Union[Tree, PlaneTree]) -> None:
        self._tree = tree

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_why: Any) -> None:
        self.close()

    def close(self) -> None:
        self._tree.close()

    def services(self) -> list[dict]:
        """The entries of SERVICES.json of every node that the session sees."""
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
        return sorted(self._tree.dirs("/nodes"))

    def _services_of(self, node: str) -> "list[str]":
        return sorted(self._tree.dirs(f"/nodes/{node}/services"))

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
