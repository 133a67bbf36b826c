"""A BGP peer that ends its session by a NOTIFICATION with a text that the test wants.

Runs by itself: standard library only, no import from the tests. Its arguments: the address on which
it waits for ExaBGP, its AS number, and the socket where the test listens. It tells the test of each
session that is up, and ends it at a line from there: the text, in JSON.
"""

import json
import socket
import struct
import sys
from collections.abc import Iterator

MARKER = b"\xff" * 16
OPEN, UPDATE, NOTIFICATION, KEEPALIVE = 1, 2, 3, 4
AS4, UNICAST = 65, b"\x01\x04\x00\x01\x00\x01"
CONNECTION_REJECTED = b"\x06\x05"


def message(kind: int, body: bytes = b"") -> bytes:
    """Return a message (RFC 4271 §4.1)."""
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def opening(asn: int) -> bytes:
    """Return an OPEN for IPv4."""
    capabilities = UNICAST + struct.pack("!BBI", AS4, 4, asn)
    parameters = bytes([2, len(capabilities)]) + capabilities
    head = struct.pack("!BHH4s", 4, asn, 180, socket.inet_aton("192.0.2.254"))
    return message(OPEN, head + bytes([len(parameters)]) + parameters)


def kinds(peer: socket.socket) -> Iterator[int]:
    """Yield the kind of each message that comes."""
    while head := peer.recv(19, socket.MSG_WAITALL):
        length, kind = struct.unpack("!HB", head[16:])
        if length > 19:
            peer.recv(length - 19, socket.MSG_WAITALL)
        yield kind


def main(address: str, asn: int, path: str) -> None:
    """Hold one session after the other."""
    control = socket.socket(socket.AF_UNIX)
    control.connect(path)
    orders = control.makefile("r", encoding="utf-8")
    with socket.create_server((address, 179)) as server:
        while True:
            peer, _ = server.accept()
            with peer:
                peer.sendall(opening(asn) + message(KEEPALIVE))
                if KEEPALIVE not in kinds(peer):
                    continue
                control.sendall(b"up\n")
                text = json.loads(orders.readline())
                peer.sendall(message(NOTIFICATION, CONNECTION_REJECTED + text.encode()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
