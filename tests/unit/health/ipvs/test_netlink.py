"""Proves what is read over netlink, from messages that a kernel sent, and how races are met."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.generic.ipvs import ipvsmsg

from speaker.health.ipvs.netlink import Connection, Key, NetlinkReader, dump, key_of
from speaker.health.ipvs.table import IpvsTable, TableAccessError, TableError
from tests.unit.health.ipvs.tables import RECORDED, RECORDED_TABLE

if TYPE_CHECKING:
    from collections.abc import Callable


def message(text: str) -> Any:
    decoded = ipvsmsg(bytes.fromhex(text))
    decoded.decode()
    return decoded


class Kernel:
    """Answers as the recorded kernel did; `hide` takes services away from single answers."""

    def __init__(self, hide: Callable[[int, str], bool] = lambda _call, _kind: False) -> None:
        recorded = json.loads((RECORDED / "linux-6.1-netlink.json").read_text())
        self.services = [message(entry["service"]) for entry in recorded]
        self.dests = {
            key_of(service): [message(text) for text in entry["dests"]]
            for service, entry in zip(self.services, recorded, strict=True)
        }
        self.hide = hide
        self.calls = 0
        self.closed = False

    def service(self, command: str) -> list[Any]:
        assert command == "dump"
        self.calls += 1
        hidden = self.hide(self.calls, "service")
        return self.services[1:] if hidden else self.services

    def dest(self, command: str, service: Key) -> list[Any]:
        assert command == "dump"
        self.calls += 1
        return [] if self.hide(self.calls, "dest") else self.dests[service]

    def close(self) -> None:
        self.closed = True


COUNT = len(Kernel().services)


def ordered(shown: IpvsTable) -> tuple[dict[Any, Any], dict[int, Any]]:
    return (
        {server: sorted(found, key=str) for server, found in shown.services.items()},
        {
            mark: sorted((each.version, sorted(each.realservers, key=str)) for each in services)
            for mark, services in shown.marks.items()
        },
    )


def test_recorded() -> None:
    """What Linux 6.1 sent is the table that it wrote to /proc at the same moment."""
    assert ordered(dump(Kernel())) == ordered(RECORDED_TABLE)


def test_key() -> None:
    """A virtual server is asked for by the attributes that it came with, and no others."""
    keys = {str(sorted(dict(key.attributes).items())) for key in Kernel().dests}
    assert str([("IPVS_SVC_ATTR_AF", 10), ("IPVS_SVC_ATTR_FWMARK", 8)]) in keys
    assert len(keys) == COUNT
    for key in Kernel().dests:
        assert key.dump_key() == {"attrs": list(key.attributes)}


@pytest.mark.parametrize("call", range(2, COUNT + 2))
def test_realservers_missing_once(call: int) -> None:
    """A virtual server without realservers is asked again: it may have vanished and come back."""
    kernel = Kernel(lambda now, kind: kind == "dest" and now == call)
    assert ordered(dump(kernel)) == ordered(RECORDED_TABLE)


@pytest.mark.parametrize("call", [1, COUNT + 2])
def test_service_gone_meanwhile(call: int) -> None:
    """A virtual server that is not there before and after makes the table be read again."""
    kernel = Kernel(lambda now, kind: kind == "service" and now == call)
    assert ordered(dump(kernel)) == ordered(RECORDED_TABLE)


def test_restless() -> None:
    """A table that never stands still is unknown."""
    turns = iter([True, False] * 3)
    kernel = Kernel(lambda _now, kind: kind == "service" and next(turns))
    with pytest.raises(TableError, match="changes while it is being read; read 3 times"):
        dump(kernel)


def read(opener: Callable[[], Connection]) -> IpvsTable:
    return asyncio.run(NetlinkReader(opener).read())


def test_reader() -> None:
    """A look opens a connection and closes it."""
    kernel = Kernel()
    assert ordered(read(lambda: kernel)) == ordered(RECORDED_TABLE)
    assert kernel.closed


def raising(error: Exception) -> Callable[[], Connection]:
    def opener() -> Connection:
        raise error

    return opener


def test_no_ip_vs() -> None:
    """A kernel without the netlink family has no ip_vs."""
    with pytest.raises(TableError, match=r"no ip_vs.*modprobe ip_vs"):
        read(raising(NetlinkError(2, "No such file or directory")))


@pytest.mark.parametrize(
    "error",
    [NetlinkError(1, "Operation not permitted"), PermissionError(1, "Operation not permitted")],
)
def test_not_permitted(error: Exception) -> None:
    """Without CAP_NET_ADMIN this way is barred, and the remedy is told."""
    with pytest.raises(TableAccessError, match="CAP_NET_ADMIN"):
        read(raising(error))


def test_no_library() -> None:
    """Without the library this way is barred, and the remedy is told."""
    with pytest.raises(TableAccessError, match="install pyroute2"):
        read(raising(ImportError("No module named 'pyroute2'")))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NetlinkError(16, "busy"), "busy"),
        (OSError(12, "no memory"), "no memory"),
        (KeyError(1), "KeyError: 1"),
    ],
)
def test_other_errors(error: Exception, said: str) -> None:
    """Whatever else goes wrong, the table is unknown, and it is said why; of what nobody foresaw, its kind too."""
    with pytest.raises(TableError, match=f"^IPVS: netlink: {said}; the table is unknown$"):
        read(raising(error))


def test_an_error_closes() -> None:
    """A look that fails closes its connection."""
    kernel = Kernel()
    kernel.dests.clear()
    with pytest.raises(TableError, match="KeyError"):
        read(lambda: kernel)
    assert kernel.closed
