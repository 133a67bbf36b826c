"""Extended communities as ExaBGP shows them, and as its peers have them: as measured, by octets, with its faults."""

from __future__ import annotations

from ipaddress import IPv4Address

_SHOWN = {2: "target", 3: "origin"}
_SENT = {2: "rt", 3: "soo"}


def _parts(word: str) -> tuple[int, int, bytes]:
    octets = bytes.fromhex(word.removeprefix("0x"))
    return octets[0], octets[1], octets[2:]


def received(word: str) -> str:
    """Return what a peer has of one that is given in hexadecimal: `rt:64500:1`."""
    form, kind, rest = _parts(word)
    size = 2 if form == 0 else 4
    own = int.from_bytes(rest[:size])
    name = IPv4Address(own) if form == 1 else own
    return f"{_SENT[kind]}:{name}:{int.from_bytes(rest[size:])}"


def shown(word: str, dialect: int) -> str:
    """Return how a dialect (4 or 5) lists one that is given in hexadecimal."""
    form, kind, rest = _parts(word)
    what = _SHOWN[kind]
    size = 2 if form == 0 else 4
    own, number = int.from_bytes(rest[:size]), int.from_bytes(rest[size:])
    if form == 2:
        return f"{what}:{own}{'L' if dialect == 4 else ''}:{number}"
    if what == "origin":  # whichever of the two is the address comes last
        first, last = (number, own) if form == 1 else (own, number)
        return f"origin:{first}:{IPv4Address(last)}"
    return f"target:{IPv4Address(own) if form == 1 else own}:{number}"
