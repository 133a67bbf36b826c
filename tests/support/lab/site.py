"""Owns one data centre of the lab: ExaBGP, the watchdog that it spawns, realservers, an operator."""

import copy
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Config, ExaBgp, Flavour
from tests.support.lab.inside import Realservers
from tests.support.lab.installed import NOBODY, Installed
from tests.support.lab.netns import Namespace
from tests.support.lab.session import FarPeer, Session

Tables = Mapping[str, Any]


class Site:
    """A data centre. Its vip.toml is a nested mapping; what a test leaves out has a default."""

    def __init__(
        self,
        host: Namespace,
        flavour: Flavour,
        installed: Installed,
        sessions: Sequence[Session],
        tables: Tables,
        *,
        up: Sequence[int] = (),
        user: str = "nobody",
        env: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        wrapper: Sequence[str] = (),
        told: bool = True,
        heard: bool = False,
    ) -> None:
        """Start it all.

        Args:
            host: where it runs.
            flavour: which ExaBGP.
            installed: the product.
            sessions: as ExaBGP's side sees them.
            tables: what vip.toml says beyond the defaults.
            up: ports of realservers that live from the start.
            user: whom ExaBGP becomes.
            env: more environment for ExaBGP and the commands.
            options: more statements for every neighbour of ExaBGP.
            wrapper: a command that runs the watchdog's command.
            told: whether ExaBGP tells of each UPDATE that it sends, as the example has it.
            heard: whether it tells of each that comes.
        """
        self.host = host
        self._installed = installed
        self._env = dict(env or {})
        self.file = host.directory / "vip.toml"
        self.state = host.directory / "state"
        self.state.mkdir()
        self.state.chmod(0o750)
        if user == "nobody":
            os.chown(self.state, NOBODY, NOBODY)
        self.tables: dict[str, Any] = {}
        self.configure(merge(self._defaults(), tables))
        self.realservers = Realservers(host)
        self.realservers.open(*up)
        run = [*wrapper, installed.program("vip_watchdog"), "--config", str(self.file)]
        self.config = Config(sessions, run, options=options, receive=heard, send=told)
        self.exabgp = ExaBgp(host, flavour, self.config, user=user, env=self._env)

    def _defaults(self) -> dict[str, Any]:
        node = {
            "dc": "par1",
            "state": str(self.state / "state.sqlite3"),
            "control": str(self.state / "control.sock"),
        }
        return {
            "node": {key: value for key, value in node.items() if self._differs(key)},
            "dc": {"par1": {"asn": 64699}, "lyo1": {"asn": 64699}},
            "policy": {"max_withdraw": "100%"},
            "health": {"source": "tcp", "interval": "100ms"},
        }

    def _differs(self, key: str) -> bool:
        return not (key == "dc" and "VIP_DC" in self._env)

    # --- vip.toml --------------------------------------------------------------------------

    def configure(self, tables: Tables) -> None:
        """Change vip.toml: tables are merged into what is there, None removes."""
        self.tables = merge(self.tables, tables)
        self.write(toml(self.tables))

    def write(self, text: str) -> None:
        """Replace vip.toml's text."""
        new = self.file.with_suffix(".new")
        new.write_text(text)
        # In one step: a reload that is still under way reads one or the other.
        new.replace(self.file)
        self.file.chmod(0o644)

    def reload(self) -> None:
        """Have the watchdog read vip.toml again."""
        os.kill(self.reconciler, signal.SIGHUP)

    # --- processes -------------------------------------------------------------------------

    @property
    def reconciler(self) -> int:
        """The watchdog's process id."""
        (pid,) = eventually(
            self.exabgp.helpers,
            until=lambda helpers: len(helpers) == 1,
            within=5,
            what="one helper of ExaBGP",
        )
        return pid

    def end_watchdog(self, number: signal.Signals) -> None:
        """End the watchdog with a signal and wait for its successor to serve."""
        old = self.reconciler
        os.kill(old, number)
        self.succeeded(old)

    def succeeded(self, old: int) -> None:
        """Wait until another watchdog than the one of a process id serves."""
        eventually(lambda: self.reconciler != old, within=10, what=f"a successor of process {old}")
        self.ready()

    def restart(self) -> None:
        """Stop ExaBGP, start it again, and wait for the watchdog."""
        self.exabgp.restart()
        self.ready()

    def ready(self) -> None:
        """Wait until the watchdog serves its control socket."""
        eventually(self._serves, within=10, what="a served control socket")

    def _serves(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.state / "control.sock")) == 0

    # --- the operator ----------------------------------------------------------------------

    def mgmt(
        self, *arguments: str, uid: int | None = None, gid: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run vip_mgmt to its end, as root or as another user, who may be in another group than their own."""
        become = [] if uid is None else _become(uid, gid)
        argv = [*become, self._installed.program("vip_mgmt"), "--config", str(self.file)]
        return subprocess.run(
            self.host.command(*argv, *arguments),
            env={**os.environ, **self._env},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def status(self, *names: str) -> dict[str, Any]:
        """Return `vip_mgmt status --json`. Its exit status says whether all is as wanted."""
        done = self.mgmt("status", "--json", *names)
        assert done.returncode in {0, 1}, done.stderr
        return dict(json.loads(done.stdout))

    def routes(self, *names: str) -> dict[str, dict[str, Any]]:
        """Return what `status --json` has of routes, by prefix."""
        return {route["prefix"]: route for route in self.status(*names)["routes"]}


def _become(uid: int, gid: int | None = None) -> list[str]:
    group = uid if gid is None else gid
    return ["setpriv", f"--reuid={uid}", f"--regid={group}", "--clear-groups"]


def vip(*addresses: str | Tables, ports: Sequence[int], **more: Any) -> dict[str, Any]:
    """Return the table of a VIP of one service, whose realservers are ports of this host."""
    realservers = [f"127.0.0.1:{port}" for port in ports]
    services = {"tcp/80": {"realservers": realservers}}
    return {"addresses": list(addresses), "services": services, **more}


def sees(peer: FarPeer, *prefixes: str, neighbor: str | None = None, within: float = 5) -> None:
    """Wait until a peer has all of some prefixes."""
    eventually(
        lambda: sorted(set(prefixes) - peer.routes(neighbor).keys()),
        until=lambda missing: not missing,
        within=within,
        what=f"{prefixes} at the peer (seen is what is missing)",
    )


def misses(peer: FarPeer, *prefixes: str, neighbor: str | None = None, within: float = 5) -> None:
    """Wait until a peer has none of some prefixes."""
    eventually(
        lambda: sorted(set(prefixes) & peer.routes(neighbor).keys()),
        until=lambda left: not left,
        within=within,
        what=f"the peer loses {prefixes} (seen is what is left)",
    )


def steadily_misses(peer: FarPeer, *prefixes: str, during: float) -> None:
    """Look again and again for some seconds: a peer must not have any of some prefixes."""
    until = time.monotonic() + during

    def over() -> bool:
        back = set(prefixes) & peer.routes().keys()
        if back:
            message = f"the peer has {sorted(back)} again"
            raise ValueError(message)
        return time.monotonic() >= until

    eventually(over, within=during + 5, what="the end of the look-out", every=0.02)


def merge(base: Tables, over: Tables) -> dict[str, Any]:
    """Return tables with others put over them; None removes a key."""
    merged = dict(copy.deepcopy(base))
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def toml(tables: Tables) -> str:
    """Return a mapping as TOML: a line for each of its values."""
    return "".join(f"{json.dumps(key)} = {_value(value)}\n" for key, value in tables.items())


def _value(value: Any) -> str:
    match value:
        case Mapping():
            pairs = (f"{json.dumps(key)} = {_value(inner)}" for key, inner in value.items())
            return f"{{ {', '.join(pairs)} }}"
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case _:
            return json.dumps(value)
