"""Signals of a process that stays: none is missed, and none kills it, whenever it comes."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading

from speaker.runtime.signals import heeded

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ENDS = """
import asyncio, signal, sys
from speaker.runtime.signals import heeded

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ending = False

def at_each_line(*_):
    if ending:
        for number in SIGNALS:
            signal.raise_signal(number)
    return at_each_line

async def end():
    global ending
    with heeded(dict.fromkeys(SIGNALS, lambda: None)) as signals:
        await asyncio.sleep(0)
        ending = True
        signals.ignore()

sys.settrace(at_each_line)
asyncio.run(end())
"""


def test_signals_at_every_moment_of_an_end() -> None:
    """Each line of the end, and of the event loop's close, has a signal: none has its default action."""
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_signal_to_another_thread() -> None:
    """It wakes an event loop that waits for nothing else."""
    done = threading.Event()
    other = threading.Thread(target=done.wait)

    async def main() -> None:
        stop = asyncio.Event()
        with heeded({signal.SIGTERM: stop.set}):
            await asyncio.sleep(0)
            assert other.ident is not None
            signal.pthread_kill(other.ident, signal.SIGTERM)
            async with asyncio.timeout(20):
                await stop.wait()

    other.start()
    try:
        asyncio.run(main())
    finally:
        done.set()
        other.join()


def test_whom_they_belonged_to() -> None:
    """One that is not ignored for good is given back, and so is the byte that wakes."""
    before = [signal.getsignal(number) for number in SIGNALS]

    async def main() -> int:
        with heeded(dict.fromkeys(SIGNALS, asyncio.Event().set)):
            assert not {*before} & {signal.getsignal(number) for number in SIGNALS}
        waker = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(waker)
        return waker

    assert asyncio.run(main()) == -1
    assert [signal.getsignal(number) for number in SIGNALS] == before
