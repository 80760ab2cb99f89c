"""One connection to a control plane: requests with tags, answers in any order."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from contextlib import asynccontextmanager
from errno import errorcode
from typing import Any, AsyncIterator, Optional

from ._errors import AcheronError, Lost

try:
    from websockets.asyncio.client import connect as _dial  # 13 and later

    _HEADERS = "additional_headers"
except ImportError:
    try:
        from websockets.client import connect as _dial  # type: ignore[assignment,no-redef]

        _HEADERS = "extra_headers"
    except ImportError:
        _dial = None  # type: ignore[assignment]

MAX_FRAME = 8 * 1024 * 1024
OPEN_SECONDS = 10
PING_SECONDS = 5  # A peer that answers none for as long again is gone.


async def dial(url: str, token: str, tls: Optional[ssl.SSLContext]) -> Any:
    """A WebSocket. Raises EACCES where the token is not taken, EHOSTDOWN where nobody answers."""
    if _dial is None:
        raise AcheronError(
            "ENOSYS",
            "A control plane is spoken to by the package websockets, which is not here.",
            "Install it: pip install 'acheron[plane]', or Debian's python3-websockets.",
        )
    more = {"ssl": tls} if url.startswith("wss:") and tls is not None else {}
    try:
        return await _dial(
            url,
            **{_HEADERS: {"Authorization": f"Bearer {token}"}},
            max_size=MAX_FRAME,
            compression=None,
            open_timeout=OPEN_SECONDS,
            ping_interval=PING_SECONDS,
            ping_timeout=PING_SECONDS,
            close_timeout=1,
            **more,
        )
    except asyncio.CancelledError:
        raise
    except Exception as error:  # The package has exceptions of its own, and others in each release.
        status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise AcheronError(
                "EACCES", f"{url} refused the connection (HTTP {status}).", "Check the token and the address."
            ) from None
        raise AcheronError(
            "EHOSTDOWN", f"No connection to {url}: {error or type(error).__name__}.", "Is it running, and is the address right?"
        ) from None


async def begin_session(url: str, token: str, tls: Any, project: Optional[str], project_token: Optional[str]) -> str:
    """A session of the token's, attached to the project. Raises EACCES, ENOENT for the project, EHOSTDOWN."""
    socket = await dial(url, token, tls)
    try:
        await _control(socket, "version", {"protocol": "unified-v2"})
        session = (await _control(socket, "connect", {"client": "acheron-python"})).get("session")
        if not isinstance(session, str):
            raise AcheronError("EPROTO", "The control plane began no session for this token.")
        if project is not None:
            proof = {} if project_token is None else {"project_token": project_token}
            await _control(socket, "session_attach", {"project_id": project, **proof})
        return session
    finally:
        await socket.close()


CODES = {"not_found": "ENOENT", "forbidden": "EACCES", "provider_auth_failed": "EACCES", "session_busy": "EBUSY"}


async def _control(socket: Any, name: str, payload: dict) -> dict:
    await _send(socket, {"channel": "control", "type": f"control.{name}", "id": name, "payload": payload})
    while True:
        frame = await _receive(socket)
        if frame.get("id") != name:
            continue
        if frame.get("type") != "control.error":
            return frame.get("payload") or {}
        raise _failure(frame.get("error") or {})


class Connection:
    """Asks for files in a session; ended, it fails all that is under way with `Lost`."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._waiting: dict[int, asyncio.Future] = {}
        self._tag = 1
        self._users = 0
        self._numbers: set[int] = set()
        self._reader: Optional[asyncio.Task] = None
        self.is_open = True

    @classmethod
    async def open(cls, url: str, token: str, tls: Any, session: str) -> "Connection":
        """Raises ENOENT where this control plane does not know the session."""
        socket = await dial(f"{url}/v2/fs", token, tls)
        connection = cls(socket)
        connection._reader = asyncio.ensure_future(connection._read())
        try:
            await connection.ask("hello", payload={"protocol": "unified-v2-fs", "proto": 2, "session": session})
        except BaseException:
            await connection.close()
            raise
        return connection

    async def ask(self, name: str, payload: Optional[dict] = None, **root: int) -> dict:
        """Sends a request and answers with what its reply carries. Cancelled, it asks the peer to give up, too."""
        if not self.is_open:
            raise Lost("it is closed")
        tag = self._tag = self._tag + 1
        future = self._waiting[tag] = asyncio.get_running_loop().create_future()
        try:
            await self._request(name, tag, payload, root)
            reply = await future
            if name in ("lookup", "create"):
                self._numbers.add(reply["node"])
            return reply
        except asyncio.CancelledError:
            await self._request("cancel", self._next(), {"oldtag": tag}, {})
            raise
        finally:
            self._waiting.pop(tag, None)

    def _next(self) -> int:
        self._tag += 1
        return self._tag

    async def _request(self, name: str, tag: int, payload: Optional[dict], root: dict) -> None:
        frame = {"channel": "acheron", "type": f"acheron.t_fs_{name}", "tag": tag, **root, "payload": payload or {}}
        try:
            await _send(self._socket, frame)
        except AcheronError:
            self._end("it is closed")
            raise

    @asynccontextmanager
    async def use(self) -> AsyncIterator[None]:
        """While something is asked; after that, what was looked up is forgotten, so that a server keeps no numbers for nothing.

        Equal files have equal numbers, so none is forgotten while another may have just got it.
        """
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if self._users == 0 and self._numbers and self.is_open:
                numbers, self._numbers = sorted(self._numbers), set()
                await self._request("forget", self._next(), {"nodes": numbers}, {})

    async def _read(self) -> None:
        try:
            while True:
                self._take(await _receive(self._socket))
        except AcheronError as error:
            self._end(error.message)

    def _take(self, frame: dict) -> None:
        future = self._waiting.get(frame.get("tag", 0))
        if future is None or future.done():
            return
        error = frame.get("error")
        if error is None:
            # What stands beside the payload belongs to the answer too.
            future.set_result({**frame, **(frame.get("payload") or {})})
            return
        future.set_exception(_failure(error))

    def _end(self, why: str) -> None:
        self.is_open = False
        for future in list(self._waiting.values()):
            if not future.done():
                future.set_exception(Lost(why))

    async def close(self) -> None:
        self._end("it is closed")
        if self._reader is not None:
            self._reader.cancel()
        await self._socket.close()


def _failure(error: dict) -> AcheronError:
    number = error.get("errno")
    name = errorcode.get(number) if isinstance(number, int) else CODES.get(str(error.get("code")), "EPROTO")
    return AcheronError(name or "EIO", str(error.get("message")), error.get("hint"))


def content_of(reply: dict) -> bytes:
    return base64.b64decode(reply.get("data_b64") or "")


def content_from(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def _send(socket: Any, frame: dict) -> None:
    try:
        await socket.send(json.dumps(frame, ensure_ascii=False))
    except asyncio.CancelledError:
        raise
    except Exception as error:
        raise Lost(str(error) or type(error).__name__) from None


async def _receive(socket: Any) -> dict:
    try:
        return json.loads(await socket.recv())
    except asyncio.CancelledError:
        raise
    except Exception as error:
        raise Lost(str(error) or type(error).__name__) from None
