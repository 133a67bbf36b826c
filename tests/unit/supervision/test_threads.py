"""Threads beside the event loop: where none can be started, that is an error of the call alone."""

from __future__ import annotations

import errno
import os
import resource
from typing import TYPE_CHECKING

import pytest

from speaker.supervision.threads import Threads
from tests.support.lab.installed import NOBODY
from tests.support.lab.requirements import require

if TYPE_CHECKING:
    from collections.abc import Callable


def in_a_process_of_another_user(check: Callable[[], None]) -> None:
    """Root is under no limit of processes, so another user has to meet it, in a process of its own."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            check()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_no_thread_can_be_started() -> None:
    """The limit of processes is met: the caller is told by an OSError that names what to do."""
    require()

    def check() -> None:
        assert Threads().submit(lambda: 1).result(10.0) == 1
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        error = Threads().submit(lambda: 1).exception(10.0)
        assert isinstance(error, BlockingIOError)
        assert error.errno == errno.EAGAIN
        assert "TasksMax" in str(error)

    in_a_process_of_another_user(check)
