"""A cache of RPKI's router protocol (RFC 8210), which has one set of ROAs and never changes it.

Its arguments: the port, then `PREFIX AS` for each ROA. Bound to loopback.
"""

import socket
import socketserver
import struct
import sys
from ipaddress import ip_network

RESET, SERIAL = 2, 1
RESPONSE, END_OF_DATA = 3, 7
SESSION = 1


def _prefix(version: int, text: str, asn: str) -> bytes:
    prefix = ip_network(text)
    body = struct.pack("!BBBB", 1, prefix.prefixlen, prefix.prefixlen, 0)
    body += prefix.network_address.packed + struct.pack("!I", int(asn))
    return struct.pack("!BBHI", version, prefix.version, 0, 8 + len(body)) + body


class _Cache(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while head := self.request.recv(8, socket.MSG_WAITALL):
            if len(head) < 8:
                return
            version, kind, _, length = struct.unpack("!BBHI", head)
            if length > 8:
                self.request.recv(length - 8, socket.MSG_WAITALL)
            if kind in {RESET, SERIAL}:
                self.request.sendall(self._all(version))

    def _all(self, version: int) -> bytes:
        answer = struct.pack("!BBHI", version, RESPONSE, SESSION, 8)
        for text, asn in zip(ROAS[::2], ROAS[1::2], strict=True):
            answer += _prefix(version, text, asn)
        end = struct.pack("!I", 1) + (struct.pack("!III", 3600, 600, 7200) if version else b"")
        return answer + struct.pack("!BBHI", version, END_OF_DATA, SESSION, 8 + len(end)) + end


ROAS = sys.argv[2:]

if __name__ == "__main__":
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), _Cache) as server:
        server.daemon_threads = True
        server.serve_forever()
