"""Owns one gRPC server with its service of health, in a process of its own."""

import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Self

SCRIPT = Path(__file__).with_name("grpc_script.py")


class GrpcServer:
    """grpcio's server, while the context lasts. It is where this thread is: see `inside`.

    Args:
        files: those of its certificate and key, where it speaks TLS.
        listen: its address and port.
    """

    def __init__(self, *files: Path, listen: str = "127.0.0.1:0") -> None:
        words = [sys.executable, str(SCRIPT), listen, *map(str, files)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self._pipe(self._process.stdout).readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.communicate()

    def say(self, status: str, service: str = "-") -> None:
        """Have it say the status of a service, or of itself as a whole."""
        stdin = self._pipe(self._process.stdin)
        stdin.write(f"{service} {status}\n")
        stdin.flush()
        assert self._pipe(self._process.stdout).readline() == "done\n"

    def freeze(self) -> None:
        """Have it take connections, and say nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        self._process.send_signal(signal.SIGCONT)

    @staticmethod
    def _pipe(found: IO[str] | None) -> IO[str]:
        assert found is not None
        return found
