"""Files of a mount: the calls of the system that the client needs, and no others."""

from __future__ import annotations

import json
import os
from typing import Any

from ._errors import AcheronError, from_os_error

CHUNK = 256 * 1024


class Tree:
    """The directory where a tree is mounted; paths are those of the tree ("/nodes/…")."""

    def __init__(self, top: str) -> None:
        self.top = os.path.abspath(top)
        try:
            names = os.listdir(self.top)
        except OSError as error:
            raise from_os_error(error) from None
        if "session.json" not in names or "nodes" not in names:
            raise AcheronError(
                "EINVAL",
                f"Nothing of Acheron is mounted on {self.top}.",
                "Mount it: acheron up DIR, or acheron mount DIR.",
            )

    def host_path(self, path: str) -> str:
        """Where a path of the tree is; it never leaves the tree by `..`."""
        return os.path.join(self.top, os.path.normpath("/" + path).lstrip("/"))

    def close(self) -> None:
        """Nothing is kept open."""

    def names(self, path: str) -> list[str]:
        return self._try(lambda: os.listdir(self.host_path(path)))

    def dirs(self, path: str) -> list[str]:
        """The names of directories; links to them count."""
        host = self.host_path(path)
        return [name for name in self.names(path) if os.path.isdir(os.path.join(host, name))]

    def stat(self, path: str) -> os.stat_result:
        return self._try(lambda: os.lstat(self.host_path(path)))

    def exists(self, path: str) -> bool:
        return os.path.lexists(self.host_path(path))

    def target(self, path: str) -> str:
        """The path that a link of the tree leads to; of what is no link its own."""
        if not os.path.islink(self.host_path(path)):
            return path
        link = self._try(lambda: os.readlink(self.host_path(path)))
        return os.path.normpath(os.path.join(os.path.dirname(path), link))

    def read(self, path: str, start: int = 0) -> bytes:
        """What a file has from `start` on."""

        def rest() -> bytes:
            with open(self.host_path(path), "rb", buffering=0) as file:
                file.seek(start)
                return _rest(file.fileno(), None)

        return self._try(rest)

    def read_json(self, path: str) -> Any:
        return json.loads(self.read(path))

    def write(self, path: str, data: bytes, create: bool = False) -> None:
        flags = os.O_WRONLY | os.O_NOFOLLOW | (os.O_CREAT | os.O_TRUNC if create else 0)

        def write() -> None:
            fd = os.open(self.host_path(path), flags, 0o644)
            try:
                _write_all(fd, data)
            finally:
                os.close(fd)

        self._try(write)

    def ask(self, path: str, request: bytes) -> Any:
        """Writes a request, and reads the reply that the same descriptor gives."""
        try:
            fd = os.open(self.host_path(path), os.O_RDWR | os.O_NOFOLLOW)
        except OSError as error:
            raise from_os_error(error) from None
        try:
            _write_all(fd, request)
            return json.loads(_rest(fd, len(request)))
        except OSError as error:
            raise from_os_error(error, _said(fd)) from None
        finally:
            _close_quietly(fd)

    def remove(self, path: str) -> None:
        host = self.host_path(path)
        is_dir = os.path.isdir(host) and not os.path.islink(host)
        self._try(lambda: os.rmdir(host) if is_dir else os.unlink(host))

    @staticmethod
    def _try(act: Any) -> Any:
        try:
            return act()
        except OSError as error:
            raise from_os_error(error) from None


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _rest(fd: int, at: Any) -> bytes:
    """What a descriptor shows from `at` on; from where it is, for None."""
    parts = []
    while True:
        part = os.read(fd, CHUNK) if at is None else os.pread(fd, CHUNK, at)
        if not part:
            return b"".join(parts)
        parts.append(part)
        if at is not None:
            at += len(part)


def _said(fd: int) -> Any:
    """What a descriptor says of a write that failed; None where it says nothing."""
    try:
        return json.loads(_rest(fd, 0))
    except (OSError, ValueError):
        return None  # The errno is true, and all there is.


def _close_quietly(fd: int) -> None:
    """What a close would report, the write has said."""
    try:
        os.close(fd)
    except OSError:
        pass
