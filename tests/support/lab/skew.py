"""Owns a clock that is wrong: a library that is loaded before others, and tells programs another time of day.

A time namespace can't do that: it has clocks that are never set alone (time_namespaces(7)).
"""

import struct
import subprocess
from pathlib import Path

_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long ahead(void)
{
    static volatile long *shared;
    if (!shared) {
        int file = open(getenv("SKEW"), O_RDONLY | O_CLOEXEC);
        shared = mmap(0, sizeof *shared, PROT_READ, MAP_SHARED, file, 0);
        close(file);
        if (shared == MAP_FAILED)
            abort();
    }
    return *shared;
}

int clock_gettime(clockid_t which, struct timespec *found)
{
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(which, found);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        found->tv_sec += ahead();
    return failed;
}

time_t time(time_t *copy)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (copy)
        *copy = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *found, void *zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    found->tv_sec = now.tv_sec;
    found->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""


class Skew:
    """The clock of some programs, which may be set while they run.

    Attributes:
        env: the environment of these programs.
    """

    def __init__(self, directory: Path, seconds: int = 0) -> None:
        """Make it.

        Args:
            directory: where the library is made, for everybody to read.
            seconds: how far it is ahead of others', or behind them where negative.
        """
        library, self._file = directory / "skew.so", directory / "skew"
        argv = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
        subprocess.run([*argv, "-ldl"], input=_SOURCE, text=True, check=True)
        library.chmod(0o755)
        self._file.write_bytes(struct.pack("l", seconds))
        self._file.chmod(0o644)
        self.env = {"LD_PRELOAD": str(library), "SKEW": str(self._file)}

    def set(self, seconds: int) -> None:
        """Set the clock, while they look at it, to so many seconds ahead of others'."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("l", seconds))
