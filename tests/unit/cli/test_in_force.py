"""A vip.toml that is faulty keeps no operator from asking, or draining, where a watchdog goes on with what it loaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from speaker.cli.in_force import in_force
from speaker.config import resolver_in, sockets_in
from speaker.control.client import NotServedError
from speaker.files.vip_toml import DEFAULT_CONTROL, VipTomlError, node_of, parsed
from tests.support.lab.dns import DnsServer
from tests.unit.test_vip_mgmt import PEER, SECOND, V4, V6, Run, reconciler, run, state, withdrawn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["run"]

KEY = '[health]\ndrop_at = "none"\n'
SYNTAX = "[vip\n"
LOADED = 1_700_000_000.25


@pytest.fixture(autouse=True)
def asked(run: Run) -> Iterator[DnsServer]:
    """Have a name server asked that knows no name, and keeps what it was asked."""
    with DnsServer({}) as server:
        path, (address, port) = run.directory / "vip.toml", server.endpoint
        head, dc, rest = path.read_text().partition('dc = "par1"\n')
        path.write_text(f'{head}{dc}resolver = "{address}:{port}"\n{rest}')
        yield server


def spoil(run: Run, fault: str) -> Path:
    """Write a fault into vip.toml, as the first thing or as the last; return the file."""
    path = run.directory / "vip.toml"
    text = path.read_text()
    path.write_text(fault + text if fault == SYNTAX else text + fault)
    return path


def answers(path: Path, **more: Any) -> dict[str, Any]:
    """Return what a watchdog tells that loaded a file before it was spoilt."""
    status = {
        "dc": "par1",
        "backend": "exabgp",
        "configuration": {"file": str(path), "state": "faulty", "loaded": LOADED},
        "last_cycle": 0.25,
        "peers": [PEER],
        "routes": [state(), state(V6), state(SECOND, vip="vip-2.tld")],
        "sessions": [],
        "trouble": ["vip.toml: it is faulty"],
    }
    return {"status": status, **more}


@pytest.mark.parametrize("fault", [KEY, SYNTAX])
def test_drains(run: Run, fault: str) -> None:
    """A name, an address and `all` mean what the watchdog has loaded; it is said what is wrong, and since when that holds."""
    path = spoil(run, fault)
    for words, prefixes in (
        (["vip-2.tld"], [SECOND]),
        (["vip-1.tld"], [V4, V6]),
        (["192.0.2.1"], [V4]),
        (["all"], [V4, V6, SECOND]),
    ):
        with reconciler(run.directory, **answers(path, intents=withdrawn(*prefixes))) as asked:
            assert run("-d", *words, "--reason", "night") == 0
        assert run.err[0].startswith(f"bgp_mgt: TROUBLE: vip.toml: {path}: ")
        assert run.err[0].endswith("; the watchdog runs what it loaded at 2023-11-14T22:13:20Z")
        assert run.err[-1] == f"Route {prefixes[-1]} already removed"
        method, target, body = asked[-1]
        assert (method, target) == ("POST", "/intents")
        assert (body["prefixes"], body["reason"]) == (prefixes, "night")
    assert not run.intents()


def test_other_commands(run: Run) -> None:
    """What the watchdog alone answers is answered; its status is theirs."""
    path = spoil(run, SYNTAX)
    window = {
        "number": 7,
        "prefixes": [V4],
        "mode": "drained",
        "owner": "alice",
        "made": 1.0,
        "at": 4e9,
        "reason": "",
        "seconds": None,
        "late": 600.0,
        "missed": None,
    }
    entry = {"time": 1.0, "prefix": V4, "event": "announced", "reason": "up"}
    reported = {"name": "web", "state": "up", "by": "alice", "at": 1.0, "until": 4e9, "weight": 1.0}
    told = answers(
        path,
        intents=[state()],
        history=[entry],
        plan=[],
        windows=[window],
        **{"windows/cancel": window, "v1/reports": [reported], "v1/reports/web": reported},
    )
    with reconciler(run.directory, **told):
        assert run("-a", V4) == 0
        assert run.err[-1] == f"Route {V4} already exists"
        assert run("history", V4) == 0
        assert "announced" in run.out[-1]
        assert run("plan") == 0
        assert run("schedule") == 0
        assert "alice" in run.out[-1]
        assert run("report", "web", "up", "--ttl", "30s") == 0
        assert run("report") == 0
        assert run("report", "wbe", "up", "--ttl", "30s") == 255
        assert run("cancel", "7") == 0
        assert run("cancel", "seven") == 255
        assert run("-d", V4, "--at", "never") == 255
        assert run("-d", V4, "--reason", "x" * 201) == 255
        assert run("explain", V4) == 1  # it does not know how to answer that
    assert not run.intents()


@pytest.mark.parametrize("fault", [KEY, SYNTAX])
def test_status(run: Run, fault: str) -> None:
    """The faults are said, and the exit status is theirs; what the watchdog goes on with is shown all the same."""
    path = spoil(run, fault)
    assert run("status") == 255
    assert run.out == []
    with reconciler(run.directory, **answers(path)):
        for words, prefixes in (
            ([], [V4, V6, SECOND]),
            (["all"], [V4, V6, SECOND]),
            (["vip-2.tld"], [SECOND]),
            (["192.0.2.1"], [V4]),
        ):
            assert run("status", *words) == 255
            assert run.out[1] == "TROUBLE: vip.toml: it is faulty"
            assert [line.split()[1] for line in run.out[3:]] == prefixes
            assert [line for line in run.err if line.startswith(f"configuration: {path}")]
        assert run("status", "--json") == 255
        shown = json.loads("\n".join(run.out))
        assert shown["configuration"]["state"] == "faulty"
        assert shown["configuration"]["loaded"] == LOADED


def test_nobody_runs(run: Run) -> None:
    """Where no watchdog runs, nothing is done, and what to do is said."""
    spoil(run, KEY)
    assert run("-d", V4) == 255
    assert "health.drop_at" in run.err[0]
    assert run.err[1].endswith("no vip_watchdog serves it")
    assert "nothing was changed: correct the file" in run.err[2]
    assert "vip_mgmt --config FILE" in run.err[2]
    assert run("history") == 255
    assert "nothing was changed" not in run.err[2]
    assert not (run.directory / "state.sqlite3").exists()


@pytest.mark.parametrize("file", ["/etc/vip-speaker/other.toml", ""])
def test_another_site(run: Run, file: str) -> None:
    """A watchdog that runs another file is asked for nothing but that."""
    path = spoil(run, KEY)
    told = answers(path, intents=withdrawn(V4))
    told["status"]["configuration"]["file"] = file
    with reconciler(run.directory, **told) as asked:
        assert run("-d", V4) == 255
        assert run("check", "--nagios") == 3
        with pytest.raises(NotServedError, match="not "):
            in_force(path)
    assert [target for _, target, _ in asked] == ["/status"] * 3
    assert run.intents() == {}


def test_the_operators_socket_of_another_site(run: Run) -> None:
    """An order goes where it was asked which file runs there: of a faulty file, one of the two sockets may be another's."""
    other = run.directory / "other"
    other.mkdir()
    path = run.directory / "vip.toml"
    head, dc, rest = path.read_text().partition('dc = "par1"\n')
    path.write_text(f'{head}{dc}read = "{other}/control.sock"\n{rest}')
    spoil(run, KEY)
    theirs = answers(path, intents=withdrawn(V4), windows=[])
    theirs["status"]["configuration"]["file"] = "/etc/vip-speaker/other.toml"
    with reconciler(other, **answers(path)) as ours, reconciler(run.directory, **theirs) as asked:
        assert run("status") == 255
        assert not asked
        for words in (["-d", V4], ["cancel", "1"], ["report", "shop", "down", "--ttl", "1m"]):
            assert run(*words) == 255
            assert "runs /etc/vip-speaker/other.toml, not" in " ".join(run.err)
    assert {target for _, target, _ in asked} == {"/status"}
    assert ours


def test_what_needs_the_file(run: Run) -> None:
    """What the file alone tells is refused with its faults, and nobody is asked."""
    path = spoil(run, KEY)
    with reconciler(run.directory, **answers(path)) as asked:
        for arguments in (["plan", "--without", "par1"], ["reload"], ["compare", "bgpd.conf"]):
            assert run(*arguments) == 255
            assert "health.drop_at" in run.err[0]
    assert not asked


def test_an_unknown_name(run: Run) -> None:
    """An address that the watchdog lacks is refused, and nothing is done for any."""
    path = spoil(run, KEY)
    with reconciler(run.directory, **answers(path, intents=withdrawn(V4))) as asked:
        assert run("-d", V4, "203.0.113.9") == 255
    assert [target for _, target, _ in asked] == ["/status"]


def test_a_file_that_is_gone(run: Run) -> None:
    """A file that was removed names no socket: the usual one is asked, which is none here."""
    path = run.directory / "vip.toml"
    path.unlink()
    assert resolver_in(path) is None
    assert sockets_in(path)[1].as_posix() == DEFAULT_CONTROL
    assert run("-d", V4) == 255
    assert "No such file" in run.err[0]


NODE = b'[node]\ndc = "par1" # here\ncontrol = "/run/one.sock"\n\n'
REST = (
    b'[dc.par1]\nasn = 64699\ncontrol = "/run/two.sock"\n[vip."a.tld"]\naddresses = ["192.0.2.1"]\n'
)


@pytest.mark.parametrize(
    ("text", "control"),
    [
        (NODE + REST, "/run/one.sock"),
        (NODE + REST + b"addresses = [\n", "/run/one.sock"),
        (NODE + b"[dc\n" + REST, "/run/one.sock"),
        (b"[vip\n" + REST + NODE, "/run/one.sock"),
        (NODE.replace(b"# here", b'"') + REST, "/run/one.sock"),
        (NODE.replace(b"sock", b"sock\xff") + REST, None),
        (b"[vip\nnode = { dc = 'par1', control = '/run/one.sock' }\n" + REST, "/run/one.sock"),
        (b"node.control = '/run/one.sock'\n[x\n" + REST, "/run/one.sock"),
        (b"[x]\nnode.control = '/run/one.sock'\n[x\n" + REST, None),
        (b"[[node]]\ncontrol = '/run/one.sock'\n[x\n" + REST, None),
        (NODE + NODE + REST, None),
        (b"[[node]]\n" + NODE.partition(b"\n")[2] + b"[x\n", None),
        (REST + b"[x\n", None),
        (b"node = 3\n" + b"[x\n", None),
        (b"", None),
        (b"node = 3\n", None),
    ],
)
def test_node_of_a_faulty_file(text: bytes, control: str | None) -> None:
    """[node] is found in a file that is no TOML, as far as its lines are; what is there twice is not chosen from."""
    assert node_of(text).get("control") == control


def test_node_of_a_good_file() -> None:
    """Of a good file it is what the file has."""
    assert node_of(NODE + REST) == parsed(NODE + REST, {})["node"]
    with pytest.raises(VipTomlError):
        parsed(NODE + NODE, {})


def test_the_name_server(run: Run) -> None:
    """The name server that the file has is asked, where that can be read."""
    path = spoil(run, SYNTAX)
    assert resolver_in(path) is not None
    path.write_text(path.read_text().replace("resolver = ", "resolver = 1"))
    assert resolver_in(path) is None
    path.write_text('[x\n[node]\nresolver = "nowhere"\n')
    assert resolver_in(path) is None
