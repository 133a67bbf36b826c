"""What we are compared with: lines that write given lines to ExaBGP and read all that it says."""

import queue
import signal
import sys
import threading


def main(announce: str, withdraw: str) -> None:
    """Write the lines of one file at SIGUSR1, of the other at SIGUSR2, waiting for each ack."""
    signals = {signal.SIGUSR1: announce, signal.SIGUSR2: withdraw}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    acks: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=read, args=(acks,), daemon=True).start()
    while True:
        with open(signals[signal.Signals(signal.sigwait(signals))]) as lines:  # noqa: PTH123
            for line in lines:
                sys.stdout.write(line)
                sys.stdout.flush()
                acks.get()


def read(acks: "queue.SimpleQueue[str]") -> None:
    """Read always: ExaBGP stands still while nobody reads what it tells."""
    for line in sys.stdin:
        if line == "done\n":
            acks.put(line)


if __name__ == "__main__":
    main(*sys.argv[1:])
