"""Owns a conversation with a bgpd over its own vty socket: each line, and whether it was taken."""

import socket
from pathlib import Path
from typing import Self


class Vty:
    """A vty of bgpd, for lines by the thousand: a vtysh for each would take all day."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(str(path))
        for line in ("enable", "configure terminal"):
            said, status = self.say(line)
            assert status == 0, f"{line}: {said}"

    def say(self, line: str) -> tuple[str, int]:
        """Say a line; return what bgpd answers, and its status: 0 where it was taken."""
        self._socket.sendall(line.encode() + b"\0")
        answer = b""
        while len(answer) < 4 or answer[-4:-1] != b"\0\0\0":
            part = self._socket.recv(65536)
            assert part, f"bgpd has hung up after {line}"
            answer += part
        return answer[:-4].decode(errors="replace"), answer[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()
