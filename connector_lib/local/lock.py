"""One run at a time on a warehouse folder, and a clear word about who holds it.

The lock is an ``flock`` on a file, and Spark's JVM inherits the open file. So the operating system holds the
lock until both the Python process and its JVM have ended: after ``kill -9`` of the Python process alone the
JVM may write for some seconds more, and nobody else can open the warehouse until it is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from connector_lib.errors import MissingRequirementError, WarehouseError

__all__ = ["WarehouseLock", "holding"]

_WAIT_FOR_ENDING_JVM = 30.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _Holder:
    """Who holds a warehouse: process id, what it does there (such as ``pipeline adt``), since when."""

    pid: int
    purpose: str
    since: str


class WarehouseLock:
    """Holds the lock file at ``path`` inside a ``with`` block; ``fd`` is the open file, to be handed to a
    child.

    With ``shared`` it only keeps runs away, and other readers may hold it too. Entering raises
    :class:`~connector_lib.errors.WarehouseError` at once where a living process runs something there. Where
    the holder has died and only its Spark is still ending, or a reader has it for a moment, it calls
    ``on_wait`` with words about that, and waits.
    """

    def __init__(
        self,
        path: Path,
        purpose: str,
        *,
        now: Callable[[], str],
        sleep: Callable[[float], None] = time.sleep,
        on_wait: Callable[[str], None] = lambda words: None,
        shared: bool = False,
    ) -> None:
        self.fd = -1
        self._path = path
        self._purpose = purpose
        self._now = now
        self._sleep = sleep
        self._on_wait = on_wait
        self._shared = shared

    def __enter__(self) -> WarehouseLock:
        self.fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._acquire()
            if not self._shared:
                self._write(_Holder(os.getpid(), self._purpose, self._now()))
        except BaseException:
            os.close(self.fd)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._shared:
            self._write(None)
        os.close(self.fd)
        self.fd = -1

    def _write(self, holder: _Holder | None) -> None:
        os.ftruncate(self.fd, 0)
        if holder is not None:
            os.pwrite(self.fd, json.dumps(asdict(holder)).encode(), 0)

    def _acquire(self) -> None:
        if _try_lock(self.fd, self._shared):
            return
        holder = self._holder()
        if holder is not None and _is_alive(holder.pid):
            raise _in_use(self._path.parent, holder)
        self._on_wait(_why_waiting(holder))
        waited = 0.0
        while not _try_lock(self.fd, self._shared):
            if waited >= _WAIT_FOR_ENDING_JVM:
                raise _in_use(self._path.parent, holder)
            self._sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS

    def _holder(self) -> _Holder | None:
        # The holder writes its name just after it has taken the lock: an empty file is read once more.
        for _ in range(5):
            try:
                return _Holder(**json.loads(os.pread(self.fd, 65536, 0)))
            except (ValueError, TypeError):
                self._sleep(_POLL_SECONDS)
        return None


def _why_waiting(holder: _Holder | None) -> str:
    if holder is None:
        return "another process reads the warehouse; waiting for it"
    return f"the Spark of an interrupted run (process {holder.pid}, {holder.purpose}) is still ending; waiting for it"


@contextlib.contextmanager
def holding(path: Path) -> Iterator[None]:
    """Holds the lock file at ``path`` for the time of the block, and waits for it as long as others take."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while not _try_lock(fd, shared=False):
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(fd)


def _try_lock(fd: int, shared: bool) -> bool:
    try:
        import fcntl
    except ImportError:
        raise MissingRequirementError(
            "local runs need file locks of Linux or macOS", hint="on Windows, use WSL"
        ) from None
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    # A killed child that its parent has not yet waited for still has a process id.
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


def _in_use(folder: Path, holder: _Holder | None) -> WarehouseError:
    if holder is None:
        return WarehouseError(f"the warehouse '{folder}' is in use by another process", hint="wait until it has ended")
    if _is_alive(holder.pid):
        return WarehouseError(
            f"the warehouse '{folder}' is in use by process {holder.pid} ({holder.purpose}) since {holder.since}",
            hint="wait until it has ended, or use another folder: --warehouse DIR",
        )
    return WarehouseError(
        f"the warehouse '{folder}' is still held by the Spark of process {holder.pid} ({holder.purpose}),"
        " which has ended",
        hint="a Java process of that run is still alive; end it, then run again",
    )
