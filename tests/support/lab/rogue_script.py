"""A BGP peer that says what the test wants: in its OPEN, in any message, and as it ends its session.

Runs by itself: standard library only, no import from the tests. Its arguments: the address on which
it waits for ExaBGP, its AS number, the socket where the test listens, and more capabilities, in hex. It
tells the test of each session that is up. A line from there, in JSON, is a message to send, its kind and
its body in hex, or the text of a NOTIFICATION that ends the session.
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


def opening(asn: int, more: bytes) -> bytes:
    """Return an OPEN for IPv4, with more capabilities."""
    capabilities = UNICAST + struct.pack("!BBI", AS4, 4, asn)
    parameters = bytes([2, len(capabilities)]) + capabilities
    if more:
        parameters += bytes([2, len(more)]) + more
    head = struct.pack("!BHH4s", 4, asn, 180, socket.inet_aton("192.0.2.254"))
    return message(OPEN, head + bytes([len(parameters)]) + parameters)


def kinds(peer: socket.socket) -> Iterator[int]:
    """Yield the kind of each message that comes."""
    while head := peer.recv(19, socket.MSG_WAITALL):
        length, kind = struct.unpack("!HB", head[16:])
        if length > 19:
            peer.recv(length - 19, socket.MSG_WAITALL)
        yield kind


def main(address: str, asn: int, path: str, more: bytes) -> None:
    """Hold one session after the other."""
    control = socket.socket(socket.AF_UNIX)
    control.connect(path)
    orders = control.makefile("r", encoding="utf-8")
    with socket.create_server((address, 179)) as server:
        while True:
            peer, _ = server.accept()
            with peer:
                peer.sendall(opening(asn, more) + message(KEEPALIVE))
                if KEEPALIVE not in kinds(peer):
                    continue
                control.sendall(b"up\n")
                while not isinstance(order := json.loads(orders.readline()), str):
                    kind, body = order
                    peer.sendall(message(kind, bytes.fromhex(body)))
                peer.sendall(message(NOTIFICATION, CONNECTION_REJECTED + order.encode()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], bytes.fromhex(sys.argv[4]))
