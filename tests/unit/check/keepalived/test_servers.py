"""Proves what keepalived's statements mean: virtual servers, their checks, global definitions."""

from __future__ import annotations

import pytest

from speaker.check.keepalived.servers import Addresses, Mark, Server
from tests.unit.check.keepalived.files import conf


def server(head: str, *lines: str, real: str = "127.0.1.1 80", checks: str = "") -> str:
    """Return the text of a virtual server."""
    return "\n".join(
        [f"virtual_server {head} {{", *lines, f"real_server {real} {{", checks, "}", "}"]
    )


def only(written: str) -> Server:
    """Return the only virtual server of a file that is understood as a whole."""
    found = conf(written)
    assert (found.notes, found.complete, len(found.servers)) == ([], True, 1)
    return found.servers[0]


def where(written: str) -> list[str]:
    """Return where a virtual server is, in short."""
    shown = []
    for each in only(written).where:
        match each:
            case Addresses(first, last, port):
                shown.append(f"{first}{'' if first == last else f'-{last}'} {port}")
            case Mark(number, version):
                shown.append(f"mark {number} {version}")
    return shown


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("192.0.2.1 80", ["192.0.2.1 80"]),
        ("192.0.2.1", ["192.0.2.1 0"]),
        ("192.0.2.1-4 80", ["192.0.2.1 80"]),
        ("192.0.2.8/30 80", ["192.0.2.8 80"]),
        ("2001:db8::1 443", ["2001:db8::1 443"]),
        ("fwmark 7", ["mark 7 4"]),
    ],
)
def test_where(head: str, found: list[str]) -> None:
    """A virtual server has an address and a port, of a range the first alone, or a firewall mark."""
    assert where(server(head, real="::1 80" if "::" in head else "127.0.1.1 80")) == found


def test_groups() -> None:
    """A group has addresses, ranges of both forms, networks and marks; of both families where all is tunnelled.

    Of two groups of a name, the first holds.
    """
    group = """virtual_server_group G {
        192.0.2.1 80
        192.0.2.2-4
        192.0.2.250-192.0.3.2 80
        192.0.2.8/30 80
        2001:db8::1-f 80
        2001:db8::1:0-2001:db8::1:9 80
        fwmark 7
        fwmark 8 inet6
    }
    """
    group += "virtual_server_group G {\n192.0.2.77 80\n}\n"
    assert where(group + server("group G", "lvs_method TUN", "ip_family inet")) == [
        "192.0.2.1 80", "192.0.2.2-192.0.2.4 0", "192.0.2.250-192.0.3.2 80",
        "192.0.2.8-192.0.2.11 80", "2001:db8::1-2001:db8::f 80",
        "2001:db8::1:0-2001:db8::1:9 80", "mark 7 4", "mark 8 6",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "real", "version"),
    [
        ([], "127.0.1.1 80", 4),
        (["lvs_method DR"], "::1 80", 6),
        (["lvs_method TUN"], "127.0.1.1 80", None),
        (["lvs_method TUN type gue port 5"], "::1 80", None),
        (["lb_kind TUN"], "::1 80", None),
        (["lvs_method TUN", "ip_family inet6"], "127.0.1.1 80", 6),
        (["ip_family inet"], "127.0.1.1 80", 4),
        (["lvs_method TUN"], "127.0.1.1 80 {\nlvs_method NAT\n}\nreal_server ::2 80", 4),
    ],
)
def test_the_family_of_a_mark(lines: list[str], real: str, version: int | None) -> None:
    """It is that of a realserver which is not tunnelled to, or what is said; else it is not sure."""
    assert only(server("fwmark 7", *lines, real=real)).where == (Mark(7, version),)


@pytest.mark.parametrize(
    "written",
    [
        server("192.0.2.300 80"),
        server("192.0.2.1 http"),
        server("192.0.2.1 65536"),
        server("lb.example 80"),
        server("fwmark x"),
        server("group NONE"),
        server("1 2 3 4"),
        server("192.0.2.1 80", "protocol X"),
        "virtual_server_group G {\n192.0.2.9/30 80\n}\n" + server("group G"),
        "virtual_server_group G {\n192.0.2.9-3 80\n}\n" + server("group G"),
        "global_defs {\nnftables_ipvs\n}\n",
    ],
)
def test_what_is_not_sure(written: str) -> None:
    """What has no sure meaning is a note with its place, and there may be more than was found."""
    found = conf(written)
    assert (found.servers, found.complete) == ([], False)
    assert "/etc/keepalived/keepalived.conf:" in found.notes[0]


@pytest.mark.parametrize(
    "written",
    [
        "virtual_server 192.0.2.1 80 {\n}\n",
        server("192.0.2.1 80", real="127.0.1.300 80"),
        server("192.0.2.1 80", real="127.0.1.1 http"),
        server("192.0.2.1 80", real="127.0.1.1 65536"),
        server("192.0.2.1 80", real="::1 80"),
        server("2001:db8::1 80", real="127.0.1.1 80 {\nlvs_method NAT\n}\nreal_server ::x 80"),
        "virtual_server_group G {\n192.0.2.1 80\n2001:db8::1 80\n}\n" + server("group G"),
        "virtual_server_group G {\n192.0.2.1 80\nfwmark 7 inet6\n}\n" + server("group G"),
    ],
)
def test_without_realservers(written: str) -> None:
    """keepalived ignores a virtual server without one that it takes, and a group of both families."""
    found = conf(written)
    assert (found.servers, found.complete) == ([], True)
    assert found.notes[-1].endswith("keepalived ignores it")


def test_realservers_that_count() -> None:
    """Those of the other family do where they are tunnelled; each counts once, and not where its weight stays 0."""
    reals = "127.0.1.1 80 {\n}\nreal_server 127.0.1.1 80 {\n}\nreal_server ::1 80"
    assert conf(server("192.0.2.1 80", real=reals)).servers[0].realservers == 1
    assert only(server("192.0.2.1 80", "lvs_method TUN", real=reals)).realservers == 2
    for lines, checks, count in (
        ((), "weight 0\nTCP_CHECK {\n}", 0),
        ((), "weight 0\nMISC_CHECK {\n}", 1),
        (("weight 0",), "", 0),
        (("weight 0",), "weight 1", 1),
    ):
        assert only(server("192.0.2.1 80", *lines, checks=checks)).realservers == count


@pytest.mark.parametrize(
    ("head", "tail", "named"),
    [
        ("virtual_servers x {\n", "}\n", ":2: virtual_server within virtual_servers"),
        ("a {\nb {\n", "}\n}\n", ":3: virtual_server within b"),
        ("virtual_server 192.0.2.2 80 {\nreals {\n", "}\n}\n", ":3: virtual_server within reals"),
    ],
)
def test_within_a_block_that_is_not_known(head: str, tail: str, named: str) -> None:
    """keepalived goes on behind a brace of nothing that it knows: what is behind it is not sure."""
    found = conf(f"{head}{server('192.0.2.1 80')}\n{tail}")
    assert (found.servers, found.complete) == ([], False)
    assert found.notes[-1] == f"/etc/keepalived/keepalived.conf{named}: not understood"


def test_protocols_and_sorry_servers() -> None:
    """UDP where nothing else is said; a sorry server may name a port, and the last one holds."""
    lines = ("protocol TCP", "sorry_server 127.0.1.8 81", "sorry_server 127.0.1.9 81")
    first = only(server("192.0.2.1 80", *lines))
    assert first.protocol == "tcp"
    assert [(str(each.address), each.port) for each in first.sorry] == [("127.0.1.9", 81)]
    second = only(server("192.0.2.1 53", "sorry_server 127.0.1.9"))
    assert (second.protocol, second.sorry[0].port) == ("udp", None)
    for bad in ("sorry_server ::9", "sorry_server 127.0.1.300", "sorry_server 127.0.1.9 x"):
        found = conf(server("192.0.2.1 80", "sorry_server 127.0.1.8", bad))
        assert [str(each.address) for each in found.servers[0].sorry] == ["127.0.1.8"]
        assert len(found.notes) == 1


@pytest.mark.parametrize(
    ("lines", "checks", "dead", "alive", "alpha"),
    [
        ([], "TCP_CHECK {\n}", 61, 60, False),
        (["delay_loop 6"], "TCP_CHECK {\n}", 7, 6, False),
        (["delay_loop 6.5"], "TCP_CHECK {\nretry 3\ndelay_before_retry 2\n}", 12.5, 6.5, False),
        (["delay_loop 6", "retry 0"], "TCP_CHECK {\n}", 7, 6, False),
        (["delay_loop 6", "retry 4"], "retry 0\nTCP_CHECK {\n}", 10, 6, False),
        (["delay_loop 6", "retry 4"], "TCP_CHECK {\nretry 0\n}", 6, 6, False),
        (["delay_loop 0"], "TCP_CHECK {\n}", 61, 60, False),
        (["delay_loop +.5"], "TCP_CHECK {\n}", 1.5, 0.5, False),
        (["delay_loop 6"], "HTTP_GET {\nretry 2\nnb_get_retry 5\n}", 21, 6, False),
        (["delay_loop 6"], "HTTP_GET {\nnb_get_retry 5\nretry 2\n}", 12, 6, False),
        (["delay_loop 6", "alpha off"], "TCP_CHECK {\n}", 7, 6, True),
        (["delay_loop 6", "alpha"], "alpha no\nTCP_CHECK {\n}", 7, 6, False),
        (["delay_loop 6"], "delay_loop 20\nTCP_CHECK {\ndelay_loop 2\n}", 3, 2, False),
        (["delay_loop 60"], "TCP_CHECK {\nwarmup 0\n}", 1, 0, False),
        (["delay_loop 6"], "HTTP_GET {\nnb_get_retry 2\n}", 12, 6, False),
        (["delay_loop 6"], "DNS_CHECK {\n}", 24, 6, False),
        (["delay_loop 6"], "MISC_CHECK {\n}", 6, 6, False),
        (["delay_loop 6", "alpha"], "TCP_CHECK {\n}", 7, 6, True),
        (["delay_loop 6", "alpha"], "TCP_CHECK {\nalpha no\n}", 7, 6, False),
        (["alpha", "delay_loop 6"], "HTTP_GET {\nurl {\n}\nurl {\n}\n}", 9, 12, True),
        (["alpha", "delay_loop 6"], "HTTP_GET {\nfast_recovery\nurl {\n}\nurl {\n}\n}", 9, 6, True),
    ],
)
def test_timing(lines: list[str], checks: str, dead: float, alive: float, *, alpha: bool) -> None:
    """What a virtual server says holds for its realservers, and what those say for their checkers."""
    (timing,) = only(server("192.0.2.1 80", *lines, checks=checks)).timings
    assert (timing.dead, timing.alive, timing.alpha) == (dead, alive, alpha)


@pytest.mark.parametrize(
    "checks",
    [
        "",
        "BFD_CHECK {\n}",
        "TCP_CHECK {\nretry x\n}",
        "TCP_CHECK {\nretry 2.5\n}",
        "TCP_CHECK {\nalpha x\n}",
    ],
)
def test_no_timing(checks: str) -> None:
    """A realserver that is not checked, or by values that are none, has no timing."""
    assert only(server("192.0.2.1 80", checks=checks)).timings == ()


def test_global_definitions() -> None:
    """The fifos, of which the first holds, names of processes, and how long scripts may take."""
    found = conf("""global_defs {
        lvs_notify_fifo '/run/a' root
        notify_fifo /run/b
        lvs_notify_fifo /run/c
        lvs_notify_fifo_script /bin/x
        process_names
        startup_script /bin/up
        shutdown_script /bin/down
        shutdown_script_timeout 3
    }""")
    assert [path for _, path in found.fifos.values()] == ["/run/a", "/run/b"]
    assert found.fifo_scripts == {"lvs_notify_fifo"}
    assert found.renamed is not None
    assert found.scripts is not None
    assert found.scripts[1] == 13
