"""Keep threads out of ONNX Runtime while the interpreter shuts down.

Python ends a thread that returns from native code during finalization (`pthread_exit`). The bindings of ONNX
Runtime acquire the GIL in a destructor, and the C++ runtime aborts the process if a thread ends there
("terminate called without an active exception"). Joining threads is not enough, because a second Ctrl-C
interrupts it and daemon threads are never joined. Therefore calls are counted: the interpreter waits at exit
for running calls, and blocks new ones.
"""

import atexit
import os
import signal
import threading
from contextlib import suppress
from types import TracebackType

_MAX_WAIT_S = 20.0
"""Longer than any single run; afterwards the process exits anyway."""


class NativeCalls:
    """Context manager for native calls; after `close`, it blocks all threads but the main thread."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Reset the counter, in a forked child that has no other threads."""
        self._changed = threading.Condition()
        self._running = 0
        self._is_closed = False

    def __enter__(self) -> None:
        with self._changed:
            while self._is_closed and threading.current_thread() is not threading.main_thread():
                self._changed.wait()  # forever: the process is about to exit
            self._running += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def close(self) -> bool:
        """Block new calls of other threads, and wait for running ones; False if that takes too long."""
        with suppress(ValueError):  # only the main thread may set signal handlers
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        with self._changed:
            self._is_closed = True
            return self._changed.wait_for(lambda: self._running == 0, _MAX_WAIT_S)


NATIVE_CALLS = NativeCalls()
atexit.register(NATIVE_CALLS.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=NATIVE_CALLS.reset)
