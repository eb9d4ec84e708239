"""Keeps threads out of ONNX Runtime while the interpreter ends.

A thread that comes back from native code while Python finalizes is ended inside it (`pthread_exit`). The
bindings of ONNX Runtime take the interpreter's lock again in a destructor, which may not be left so: the C++
runtime then aborts the process with "terminate called without an active exception". Joining threads is not
enough: a second Ctrl-C interrupts that, and daemon threads are never joined. So every call is counted. The
end of the interpreter waits for those under way and admits no other.
"""

import atexit
import os
import signal
import threading
from contextlib import suppress
from types import TracebackType

_PATIENCE_S = 20.0
"""More than any single run takes; then the process ends as it may."""


class NativeCalls:
    """A context manager for calls from any thread; after `close` only the main thread passes."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all calls, as in a forked child, which has none of the other threads."""
        self._changed = threading.Condition()
        self._running = 0
        self._is_closed = False

    def __enter__(self) -> None:
        with self._changed:
            while self._is_closed and threading.current_thread() is not threading.main_thread():
                self._changed.wait()  # for ever: the process is about to end
            self._running += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def close(self) -> bool:
        """Admit no more calls of other threads and wait for those under way; False if they take too long."""
        with suppress(ValueError):  # not in the main thread; there is no signal to ignore then
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        with self._changed:
            self._is_closed = True
            return self._changed.wait_for(lambda: self._running == 0, _PATIENCE_S)


NATIVE_CALLS = NativeCalls()
atexit.register(NATIVE_CALLS.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=NATIVE_CALLS.reset)
