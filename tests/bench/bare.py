"""What we are compared with: twenty lines that write given lines to ExaBGP and read the acks."""

import signal
import sys


def main(announce: str, withdraw: str) -> None:
    """Write the lines of one file at SIGUSR1, of the other at SIGUSR2, waiting for each ack."""
    signals = {signal.SIGUSR1: announce, signal.SIGUSR2: withdraw}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    while True:
        with open(signals[signal.Signals(signal.sigwait(signals))]) as lines:  # noqa: PTH123
            for line in lines:
                sys.stdout.write(line)
                sys.stdout.flush()
                while sys.stdin.readline() != "done\n":
                    pass


if __name__ == "__main__":
    main(*sys.argv[1:])
