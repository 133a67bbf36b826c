"""The process that is a slow and lossy link between two tap devices: each frame takes its time, and some are lost.

Runs by itself: standard library only, no import from the tests. Frames stay in order, as on a wire.
"""

import fcntl
import os
import random
import select
import struct
import sys
import time
from collections import deque

DELAY, LOST = 0.06, 0.03
"""Seconds that each frame takes, either way, and the share of those that get lost."""
_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
_FRAME = 65536


def attach(name: str) -> int:
    """Return the descriptor of a tap device that there is."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TAP | _IFF_NO_PI))
    return fd


def run(one: int, other: int) -> None:
    """Pass frames for ever."""
    to = {one: other, other: one}
    late: deque[tuple[float, int, bytes]] = deque()
    chance = random.Random()
    while True:
        wait = max(0.0, late[0][0] - time.monotonic()) if late else None
        for fd in select.select([one, other], [], [], wait)[0]:
            frame = read(fd)
            if frame and chance.random() >= LOST:
                late.append((time.monotonic() + DELAY, to[fd], frame))
        while late and late[0][0] <= time.monotonic():
            _, fd, frame = late.popleft()
            write(fd, frame)


def read(fd: int) -> bytes:
    """Return a frame, or none where the device is down."""
    try:
        return os.read(fd, _FRAME)
    except OSError:
        time.sleep(0.01)
        return b""


def write(fd: int, frame: bytes) -> None:
    """Hand on a frame; a device that is down, or full, loses it."""
    try:
        os.write(fd, frame)
    except OSError:
        return


if __name__ == "__main__":
    run(attach(sys.argv[1]), attach(sys.argv[2]))
