"""A realserver that accepts connections between SIGUSR1 and SIGUSR2."""

import signal
import socket
import sys


def main(port: int) -> None:
    """Wait for signals for ever; say on stdout when one has taken effect."""
    listener: socket.socket | None = None
    signals = {signal.SIGUSR1, signal.SIGUSR2}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    print("ready", flush=True)
    while True:
        if signal.sigwait(signals) == signal.SIGUSR1:
            listener = listener or socket.create_server(("127.0.0.1", port), backlog=1024)
        elif listener is not None:
            listener.close()
            listener = None


if __name__ == "__main__":
    main(int(sys.argv[1]))
