"""Files of a control plane's tree, over WebSockets: what `_tree.py` does over a mount."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import os
import posixpath
import random
import ssl
import stat as modes
import threading
from typing import Any, Awaitable, Callable, Optional, Sequence, TypeVar

from ._errors import AcheronError, Lost
from ._wire import Connection, begin_session, content_from, content_of

T = TypeVar("T")

CHUNK = 1024 * 1024
HEDGE_SECONDS = 0.5  # Without an answer for so long, the next address is tried beside this one.
PATIENCE_SECONDS = 4.0  # So long what is asked waits for a connection that was lost.
PAUSE_SECONDS = 0.1
KINDS = {"dir": modes.S_IFDIR, "file": modes.S_IFREG, "symlink": modes.S_IFLNK}


class PlaneTree:
    """The tree as the session of a token sees it. A connection that is lost comes back, at another address where there are several."""

    def __init__(
        self,
        urls: Sequence[str],
        token: str,
        ca_file: Optional[str] = None,
        project: Optional[str] = None,
        project_token: Optional[str] = None,
    ) -> None:
        # Each client has an order of its own, so that many spread evenly.
        self._urls = random.sample(urls, len(urls))
        self._token = token
        self._project = (project, project_token)
        self._tls = ssl.create_default_context() if any(url.startswith("wss:") for url in urls) else None
        if ca_file is not None and self._tls is not None:
            self._tls.load_verify_locations(ca_file)
        self._session: Optional[str] = None
        self._connection: Optional[Connection] = None
        self._connecting: Optional[asyncio.Task] = None
        self._is_closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="acheron", daemon=True)
        self._thread.start()
        try:
            self._run(self._connected(0))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is not None:
            await self._connection.close()

    # What a client asks for; each in a thread of the caller's.

    def names(self, path: str) -> list[str]:
        return [entry["name"] for entry in self._look(lambda at: _entries(at, path))]

    def dirs(self, path: str) -> list[str]:
        return [entry["name"] for entry in self._look(lambda at: _entries(at, path)) if entry["kind"] == "dir"]

    def stat(self, path: str) -> os.stat_result:
        return _stat_of(self._look(lambda at: _lookup(at, path)))

    def exists(self, path: str) -> bool:
        try:
            self.stat(path)
            return True
        except AcheronError as error:
            if error.code in ("ENOENT", "ENOTDIR"):
                return False
            raise

    def target(self, path: str) -> str:
        """The path that a link of the tree leads to; of what is no link its own."""
        return self._look(lambda at: _target(at, path))

    def read(self, path: str, start: int = 0) -> bytes:
        return self._look(lambda at: _read(at, path, start))

    def read_json(self, path: str) -> Any:
        return json.loads(self.read(path))

    def write(self, path: str, data: bytes, create: bool = False) -> None:
        self._do(lambda at: _create(at, path, data) if create else _write(at, path, data))

    def ask(self, path: str, request: bytes) -> Any:
        """Writes a request, and reads the reply that the same handle gives."""
        return json.loads(self._do(lambda at: _ask(at, path, request)))

    def remove(self, path: str) -> None:
        self._do(lambda at: _remove(at, path))

    # How it is asked.

    def _look(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        """What only reads is asked once more, where the connection was lost before its answer."""

        async def looked() -> T:
            try:
                return await self._once(act)
            except Lost:
                return await self._once(act)

        return self._run(looked())

    def _do(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        """What changes or calls something is never asked twice."""
        return self._run(self._once(act))

    async def _once(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        connection = await self._connected(PATIENCE_SECONDS)
        async with connection.use():
            return await act(connection)

    def _run(self, work: Any) -> Any:
        if self._is_closed:
            work.close()
            raise AcheronError("EBADF", "The client was closed.")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise AcheronError("EBADF", "The client was closed.") from None
        except KeyboardInterrupt:
            # The call that waits is given up, and so its driver; nobody waits for the answer.
            future.cancel()
            raise

    async def _connected(self, patience: float) -> Connection:
        """The connection, or a new one, which is tried for a while. All that ask at once wait for the same."""
        if self._connection is not None and self._connection.is_open:
            return self._connection
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.ensure_future(self._connect(patience))
        self._connection = await asyncio.shield(self._connecting)
        return self._connection

    async def _connect(self, patience: float) -> Connection:
        end = self._loop.time() + patience
        while True:
            try:
                return await self._first()
            except AcheronError as error:
                if error.code != "EHOSTDOWN" or self._loop.time() + PAUSE_SECONDS > end:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)

    async def _first(self) -> Connection:
        """The address that is ready first: the next is tried at once where one fails, after a while where it is silent."""
        left = list(self._urls)
        under: dict[asyncio.Task, str] = {}
        failure: AcheronError = AcheronError("EHOSTDOWN", "No control plane answers.")
        try:
            while left or under:
                if left:
                    url = left.pop(0)
                    under[asyncio.ensure_future(self._attach(url))] = url
                done, _ = await asyncio.wait(
                    set(under), timeout=HEDGE_SECONDS if left else None, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    url = under.pop(task)
                    error = task.exception()
                    if error is None:
                        return task.result()
                    if not isinstance(error, AcheronError) or error.code in ("EACCES", "ENOENT", "ENOSYS"):
                        raise error  # They know the same tokens and projects: where one refuses, so will the others.
                    failure = error
                    self._urls.remove(url)
                    self._urls.append(url)
            raise failure
        finally:
            for task in under:
                task.cancel()

    async def _attach(self, url: str) -> Connection:
        """In the session that there is; in another where that control plane does not know it."""
        if self._session is not None:
            try:
                return await Connection.open(url, self._token, self._tls, self._session)
            except AcheronError as error:
                if error.code != "ENOENT":
                    raise
        session = await begin_session(url, self._token, self._tls, *self._project)
        connection = await Connection.open(url, self._token, self._tls, session)
        self._session = session
        return connection


ROOT = 1


def _parts(path: str) -> str:
    """A path below the root; it never leaves the tree by `..`."""
    return posixpath.normpath("/" + path).lstrip("/")


async def _lookup(at: Connection, path: str) -> dict:
    below = _parts(path)
    if below == "":
        return {**await at.ask("getattr", node=ROOT), "node": ROOT}
    return await at.ask("lookup", {"path": below}, node=ROOT)


async def _entries(at: Connection, path: str) -> list[dict]:
    node = (await _lookup(at, path))["node"]
    found: list[dict] = []
    cookie = 0
    while True:
        page = await at.ask("readdirp", {"cookie": cookie}, node=node)
        found.extend(page["entries"])
        if page["eof"]:
            return found
        cookie = page["next"]


async def _target(at: Connection, path: str) -> str:
    found = await _lookup(at, path)
    if found["kind"] != "symlink":
        return path
    link = (await at.ask("readlink", node=found["node"]))["target"]
    target = posixpath.normpath(posixpath.join(posixpath.dirname("/" + _parts(path)), link))
    area = posixpath.join("/", *_parts(path).split("/")[:4])
    # Who looks follows links with his own rights: none leads out of the service or the export that has it.
    if area.startswith("/nodes/") and not target.startswith(area + "/"):
        raise AcheronError("EACCES", f"{path} is a link that leads out of {area}.")
    return target


async def _file(at: Connection, path: str, writes: bool) -> int:
    """The number of a file; a link is followed once, to read."""
    target = await _target(at, path)
    if writes and target != path:
        raise AcheronError("ELOOP", f"{path} is a link; nothing is written through it.")
    found = await _lookup(at, target)
    if found["kind"] != "file":
        raise AcheronError("EISDIR", f"{path} is a directory.")
    return found["node"]


async def _read(at: Connection, path: str, start: int) -> bytes:
    handle = (await at.ask("open", {"mode": "r"}, node=await _file(at, path, writes=False)))["handle"]
    try:
        return await _rest(at, handle, start)
    finally:
        await _close_quietly(at, handle)


async def _rest(at: Connection, handle: int, start: int) -> bytes:
    parts = []
    while True:
        reply = await at.ask("read", {"offset": start, "count": CHUNK}, h=handle)
        part = content_of(reply)
        parts.append(part)
        start += len(part)
        if reply["eof"] or not part:
            return b"".join(parts)


async def _write(at: Connection, path: str, data: bytes) -> None:
    node = await _file(at, path, writes=True)
    await _fill(at, (await at.ask("open", {"mode": "w"}, node=node))["handle"], data)


async def _fill(at: Connection, handle: int, data: bytes) -> None:
    """Writes all, and closes; what the file makes of the end is said by the close."""
    try:
        await _write_all(at, handle, data)
    except BaseException:
        await _close_quietly(at, handle)
        raise
    await at.ask("close", h=handle)


async def _write_all(at: Connection, handle: int, data: bytes) -> None:
    done = 0
    while done < len(data):
        part = content_from(data[done : done + CHUNK])
        done += (await at.ask("write", {"offset": done, "data_b64": part}, h=handle))["count"]


async def _ask(at: Connection, path: str, request: bytes) -> bytes:
    node = await _file(at, path, writes=True)
    handle = (await at.ask("open", {"mode": "rw"}, node=node))["handle"]
    try:
        await _write_all(at, handle, request)
        return await _rest(at, handle, len(request))
    finally:
        await _close_quietly(at, handle)


async def _create(at: Connection, path: str, data: bytes) -> None:
    parent, name = posixpath.split(_parts(path))
    folder = (await _lookup(at, parent))["node"]
    try:
        node = await _file(at, path, writes=True)
    except AcheronError as error:
        if error.code != "ENOENT":
            raise
        made = await at.ask("create", {"name": name, "perm": 0o644, "mode": "w"}, node=folder)
        await _fill(at, made["handle"], data)
        return
    await at.ask("truncate", {"size": 0}, node=node)
    await _fill(at, (await at.ask("open", {"mode": "w"}, node=node))["handle"], data)


async def _remove(at: Connection, path: str) -> None:
    parent, name = posixpath.split(_parts(path))
    kind = (await _lookup(at, path))["kind"]
    folder = (await _lookup(at, parent))["node"]
    await at.ask("rmdir" if kind == "dir" else "unlink", {"name": name}, node=folder)


async def _close_quietly(at: Connection, handle: int) -> None:
    """What a close would report, the write has said."""
    try:
        await at.ask("close", h=handle)
    except AcheronError:
        pass



def _stat_of(found: dict) -> os.stat_result:
    seconds = [int(found.get(name) or 0) // 10**9 for name in ("atime_ns", "mtime_ns", "ctime_ns")]
    mode = KINDS[found["kind"]] | (found.get("perm") or 0)
    ino, size = int(found.get("ino") or 0), found["size"]
    return os.stat_result(
        (mode, ino, 0, found.get("nlink") or 1, found.get("uid") or 0, found.get("gid") or 0, size, *seconds)
    )
