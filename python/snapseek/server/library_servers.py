"""Servers of other libraries: one process for each, started on request, stopped with this one.

A server serves one library, with its own caches, jobs and trust. To show another library, it starts a second
server. Only the first server, the *parent*, starts servers; those that it has started pass requests on to it,
so that each library has one server, whichever page asks.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

from snapseek.errors import SnapseekError
from snapseek.library.source_states import path_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import IO

PARENT = "SNAPSEEK_PARENT_SERVER"
"""The environment variable that names the parent of a server."""

_START_S = 120.0
_STOP_S = 10.0
_MAX_LINES = 20
_URL = re.compile(r"serving (http://\S+)")


class LibraryServers:
    """The servers that this process has started. Safe to use from many threads.

    Parameters
    ----------
    library
        The library of this server.
    arguments
        What `snapseek serve` gets besides the library: the host, and whether it watches folders.
    token
        The access token of all servers.
    parent
        The address of the server that started this one; None for the first one.
    """

    def __init__(
        self,
        library: Path,
        arguments: Sequence[str] = (),
        token: str | None = None,
        parent: str | None = None,
    ) -> None:
        self._library = library
        self._arguments = list(arguments)
        self._token = token
        self._parent = parent
        self._lock = threading.Lock()
        self._children: dict[Path, _Child] = {}
        self._is_closed = False
        self.address: str | None = None
        """The address of this server, once it listens."""

    def address_of(self, library: Path) -> str:
        """Return the address of a server of a library, which is started if there is none. Takes seconds.

        Raises SnapseekError if it cannot be started.
        """
        if library == self._library and self.address is not None:
            return self.address
        if self._parent is not None:
            return self._ask_parent(library)
        with self._lock:
            child = self._children.get(library)
            if self._is_closed:
                raise SnapseekError("this server is being stopped")
            if child is not None and not child.is_running:
                child.stop()
                child.wait(_STOP_S)
                child = None
            if child is None:
                child = self._children[library] = self._start(library)
        return child.address()

    def close(self) -> None:
        """Stop the servers that were started here."""
        with self._lock:
            self._is_closed = True
            children = list(self._children.values())
        for child in children:
            child.stop()
        for child in children:
            child.wait(_STOP_S)

    def _start(self, library: Path) -> _Child:
        environment = os.environ | {PARENT: self.address or "", "PYTHONUNBUFFERED": "1"}
        if self._token is not None:
            environment["SNAPSEEK_TOKEN"] = self._token
        return _Child(["serve", *self._arguments, "--", str(library)], environment)

    def _ask_parent(self, library: Path) -> str:
        headers = {"content-type": "application/json"}
        if self._token is not None:
            headers["authorization"] = f"Bearer {self._token}"
        body = json.dumps({"id": path_id(library)}).encode()
        request = Request(f"{self._parent}api/libraries", body, headers)  # noqa: S310 (our own parent)
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=_START_S) as answer:
                return str(json.load(answer)["url"])
        except (URLError, OSError, ValueError, KeyError) as error:
            raise SnapseekError(
                f"the server at {self._parent} did not open the library: {error}",
                hint="open it in a terminal with: snapseek serve LIBRARY",
            ) from error


class _Child:
    """A server in a process of its own, which stops when its standard input is closed."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str]) -> None:
        self._lines: list[str] = []
        self._address: str | None = None
        self._has_answered = threading.Event()
        self._process = subprocess.Popen(  # noqa: S603 (our own command)
            [sys.executable, "-m", "snapseek", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            # A process group of its own: Ctrl-C in the terminal reaches its parent only.
            start_new_session=sys.platform != "win32",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        assert self._process.stderr is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr,), daemon=True)
        self._reader.start()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def address(self) -> str:
        """Return the address once the server listens. Raises SnapseekError if it ends instead."""
        if not self._has_answered.wait(_START_S) or self._address is None:
            self.stop()
            reason = " ".join(line.removeprefix("snapseek: ") for line in self._lines[-2:])
            raise SnapseekError(f"the library cannot be served: {reason or 'it took too long'}")
        return self._address

    def stop(self) -> None:
        """Make the server stop."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def wait(self, timeout_s: float) -> None:
        """Wait until the server has stopped; kill it if that takes too long."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout_s)

    def _read(self, errors: IO[str]) -> None:
        with errors:
            for line in errors:
                self._lines = [*self._lines, line.strip()][-_MAX_LINES:]
                if found := _URL.search(line):
                    self._address = found[1]
                    self._has_answered.set()
        self._has_answered.set()


def stop_with_parent() -> None:
    """Stop this process, which another server has started, when that one closes its standard input."""

    def wait() -> None:
        with contextlib.suppress(OSError, ValueError):
            while os.read(sys.stdin.fileno(), 1024):  # no buffer, whose lock would block the end of Python
                pass
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()
