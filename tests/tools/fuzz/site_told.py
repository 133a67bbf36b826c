"""What is in etcd: keys, and what machines tell of themselves."""

from __future__ import annotations

from speaker.site.keys import parse_key
from speaker.site.told import MachineTold, ObeysTold, StateTold, ToldError, parse_told

KEYS = (
    b"intent/site/192.0.2.1/32",
    b"intent/dc/par%201/2001:db8::1/128",
    b"intent/machine/par1/lb1/192.0.2.1/32",
    b"state/192.0.2.1/32/par1/lb1",
    b"machine/par1/lb1",
    b"obeys/par1/lb1",
)
VALUES = (
    b'{"v":1,"version":"0.2.0","config":"abc","wall":1796083200.0,"backend":"exabgp","process":"x"}',
    b'{"v":1,"revision":12,"differs":{"192.0.2.1/32":"the daemon does not answer","*":"more"}}',
    b'{"v":1,"announced":true,"as_path":"64699 64699","health":"up","intent":"auto"}',
)


def key(data: bytes) -> None:
    """Read a key."""
    parse_key(data.decode("utf-8", "surrogateescape"))


def value(data: bytes) -> None:
    """Read a value as each of the three in turn; the last that refuses it says why."""
    errors = []
    for form in (MachineTold, ObeysTold, StateTold):
        try:
            parse_told(form, data)
        except ToldError as error:
            errors.append(error)
    if errors:
        raise errors[-1]
