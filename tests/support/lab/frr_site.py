"""Owns one data centre beside FRR: bgpd, the two commands as cron and an operator run them."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.frr import Frr, config
from tests.support.lab.inside import Realservers
from tests.support.lab.netns import Namespace, Network
from tests.support.lab.process import Process
from tests.support.lab.site import Tables, _become, merge, toml

BIN = Path(sys.executable).parent
DEFAULTS: Tables = {
    "node": {"dc": "par1", "backend": "quagga"},
    "dc": {"par1": {"asn": 64699}, "lyo1": {"asn": 64699}},
    "policy": {"max_withdraw": "100%"},
    "health": {"source": "tcp", "interval": "100ms"},
}


class FrrSite:
    """A data centre. Its vip.toml is a nested mapping; what a test leaves out has a default."""

    def __init__(
        self,
        host: Namespace,
        frr: Frr,
        tables: Tables,
        *,
        up: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Write vip.toml and start the realservers.

        Args:
            host: where it runs.
            frr: its bgpd.
            tables: what vip.toml says beyond the defaults.
            up: ports of realservers that live from the start.
            env: more environment for the commands.
        """
        self.host, self.frr, self._env = host, frr, dict(env or {})
        self._passes = itertools.count()
        self.file = host.directory / "vip.toml"
        self.state = host.directory / "state"
        self.state.mkdir()
        here = {
            "node": {
                "state": str(self.state / "state.sqlite3"),
                "control": str(self.state / "control.sock"),
            },
            "backend": {"quagga": {"vtysh": str(frr.vtysh), "start_files": [str(frr.file)]}},
        }
        self.tables = merge(DEFAULTS, here)
        self.configure(tables)
        self.realservers = Realservers(host)
        self.realservers.open(*up)

    def configure(self, tables: Tables) -> None:
        """Change vip.toml: tables are merged into what is there, None removes."""
        self.replace(merge(self.tables, tables))

    def replace(self, tables: dict[str, Any]) -> None:
        """Write vip.toml anew."""
        self.tables = tables
        self.file.write_text(toml(self.tables))
        self.file.chmod(0o644)

    def fresh(self) -> None:
        """Forget all that was: intents, what is owned, history, health."""
        for path in self.state.glob("state.*"):
            path.unlink()

    def _command(self, name: str, *arguments: str) -> list[str]:
        return [str(BIN / name), "--config", str(self.file), *arguments]

    def _run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.host.command(*argv),
            stdin=subprocess.PIPE,
            env={**os.environ, **self._env},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def cron(self, *, before: Sequence[str] = (), uid: int | None = None) -> tuple[int, str]:
        """Run `vip_watchdog` once, as cron does; return its exit status and what it said.

        Args:
            before: a command that runs it.
            uid: the user, root where None.
        """
        become = [] if uid is None else _become(uid)
        done = self._run([*before, *become, *self._command("vip_watchdog")])
        return done.returncode, done.stderr

    def passes(self) -> None:
        """Run passes, as cron does, until one ends with all as decided: a session may have to come up."""
        eventually(
            self.cron, until=lambda done: done[0] == 0, within=15, what="a pass that is well"
        )

    def begin_cron(self) -> Process:
        """Start `vip_watchdog` once, with a log of its own, and do not wait for its end."""
        return self.host.spawn(self._command("vip_watchdog"), log=f"cron-{next(self._passes)}.log")

    def begin(self, *arguments: str) -> Process:
        """Start vip_mgmt and do not wait for its end."""
        return self.host.spawn(self._command("vip_mgmt", *arguments), log="mgmt.log")

    def daemon(self) -> Process:
        """Start `vip_watchdog --daemon` and wait until it serves."""
        process = self.host.spawn(
            self._command("vip_watchdog", "--daemon"), log="daemon.log", env=self._env
        )
        process.ready((self.state / "control.sock").exists, "the control socket")
        return process

    def mgmt(self, *arguments: str, uid: int | None = None) -> tuple[int, str]:
        """Run vip_mgmt to its end; return its exit status and what it said on stderr."""
        done = self.asked(*arguments, uid=uid)
        return done.returncode, done.stderr

    def confirmed(self, *arguments: str) -> tuple[int, str]:
        """Do as `mgmt`, until it is known what came of it: bgpd on a busy machine takes longer than vip_mgmt waits."""
        return eventually(
            lambda: self.mgmt(*arguments),
            until=lambda done: "not confirmed within" not in done[1],
            within=10,
            what=f"what came of vip_mgmt {' '.join(arguments)}",
        )

    def asked(self, *arguments: str, uid: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run vip_mgmt to its end, and keep its stdout too."""
        become = [] if uid is None else _become(uid)
        return self._run([*become, *self._command("vip_mgmt", *arguments)])

    def status(self, *names: str) -> dict[str, Any]:
        """Return `vip_mgmt status --json`. Its exit status says whether all is as wanted."""
        done = self.asked("status", "--json", *names)
        assert done.returncode in {0, 1}, done.stderr
        return dict(json.loads(done.stdout))

    def routes(self, *names: str) -> dict[str, dict[str, Any]]:
        """Return what `status --json` has of routes, by prefix."""
        return {route["prefix"]: route for route in self.status(*names)["routes"]}


class Bench:
    """A data centre beside FRR and the far peer that it announces to."""

    def __init__(
        self,
        network: Network,
        tables: Tables,
        *,
        up: Sequence[int] = (),
        label: str = "par1",
        text: str | None = None,
        options: Sequence[str] = (),
        root: Path | None = None,
    ) -> None:
        """Make the two hosts, start the daemons, and wait for the session.

        Args:
            network: where they are.
            tables: what vip.toml says beyond the defaults.
            up: ports of realservers that live from the start.
            label: the host's name.
            text: bgpd's start file; None for one with the session alone.
            options: more statements for BIRD's neighbour.
            root: the root file system that FRR is installed in, None for this machine's own.
        """
        self.host = network.host(label)
        self.link = network.link(network.host(f"{label}-far"), self.host)
        self.session = self.link.session(64500, 64699)
        self.bird = Bird(self.link.a.namespace, [self.session], options=options)
        self.text = config([self.session.flipped()]) if text is None else text
        self.frr = Frr(self.host, self.text, root=root)
        self.site = FrrSite(self.host, self.frr, tables, up=up)
        self.keep()

    def keep(self) -> None:
        """Take vip.toml and the realservers as they are now for what `reset` goes back to."""
        self._first = (self.site.tables, self.site.realservers.open_ports)

    def reset(self) -> None:
        """Have everything as at the start: no VIP announced, nothing remembered, vip.toml as it was."""
        self.frr.wrap()
        running = self.frr.ask("show running-config").splitlines()
        lines: dict[int, list[str]] = {4: [], 6: []}
        for prefix in self.frr.networks():
            lines[ip_network(prefix).version].append(f"no network {prefix}")
        maps = {line.split()[1] for line in running if line.startswith("route-map ")}
        batch = ["configure terminal", "router bgp 64699", *lines[4]]
        batch += ["address-family ipv6", *lines[6], "exit-address-family", "exit"]
        # In this order: FRR 8.4 may crash where a route-map goes that a network line names.
        self.frr.ask(*batch, *(f"no route-map {name}" for name in maps))
        self.site.fresh()
        tables, ports = self._first
        self.site.replace(tables)
        self.site.realservers.close(*(self.site.realservers.open_ports - ports))
        self.site.realservers.open(*ports)
        eventually(self.bird.count, until=lambda count: count == 0, within=5, what="no route")
