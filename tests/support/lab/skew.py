"""Owns a clock that is wrong: a library that is loaded before others, and tells programs another time of day.

A time namespace can't do that: it has clocks that are never set alone (time_namespaces(7)).
"""

import subprocess
from pathlib import Path

_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

int clock_gettime(clockid_t which, struct timespec *found)
{
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(which, found);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        found->tv_sec += AHEAD;
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


def ahead(seconds: int, directory: Path) -> dict[str, str]:
    """Return the environment of programs whose clock is some seconds ahead of others', or behind them where negative.

    Args:
        seconds: how many.
        directory: where the library is made, for everybody to read.
    """
    library = directory / f"ahead{seconds}.so"
    argv = ["gcc", "-shared", "-fPIC", f"-DAHEAD={seconds}", "-x", "c", "-", "-o", str(library)]
    subprocess.run([*argv, "-ldl"], input=_SOURCE, text=True, check=True)
    library.chmod(0o755)
    return {"LD_PRELOAD": str(library)}
