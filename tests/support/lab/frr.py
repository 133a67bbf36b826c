"""Owns FRR in the lab: its daemons in a namespace, their files, a vtysh that finds them."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from tests.support.lab.eventually import eventually
from tests.support.lab.netns import Namespace
from tests.support.lab.process import Process
from tests.support.lab.release import inside, outside
from tests.support.lab.session import Session

DAEMONS = Path("/usr/lib/frr")
VTYSH = "/usr/bin/vtysh"
CURED: Sequence[str] = ("no bgp ebgp-requires-policy", "no bgp network import-check")
"""What a configuration that served Quagga needs on FRR."""


def config(
    sessions: Sequence[Session],
    *,
    asn: int = 64699,
    router_id: str = "203.0.113.2",
    options: Sequence[str] = CURED,
    ipv4: Sequence[str] = (),
    ipv6: Sequence[str] = (),
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> str:
    """Return the text of a bgpd.conf.

    Args:
        sessions: as FRR's side sees them.
        asn: its own.
        router_id: its BGP identifier.
        options: more lines of `router bgp`.
        ipv4: more lines of the IPv4 address family, such as network lines.
        ipv6: likewise.
        before: lines before `router bgp`, such as route-maps.
        after: lines behind it.
    """
    lines = ["frr defaults traditional", *before]
    lines += [f"router bgp {asn}", f" bgp router-id {router_id}"]
    lines += [f" {option}" for option in (*options, "timers bgp 1 30")]
    for session in sessions:
        lines.append(f" neighbor {session.remote} remote-as {session.remote_asn}")
        lines.append(f" neighbor {session.remote} timers connect 1")
    for family, more in (("ipv4", ipv4), ("ipv6", ipv6)):
        lines.append(f" address-family {family} unicast")
        for session in sessions:
            no = "" if family in session.families else "no "
            lines.append(f"  {no}neighbor {session.remote} activate")
        lines += [f"  {line}" for line in more]
        lines.append(" exit-address-family")
    return "\n".join([*lines, "exit", *after, ""])


class Frr:
    """A bgpd with its zebra and mgmtd, restartable over the same file."""

    def __init__(
        self,
        host: Namespace,
        text: str | None,
        *,
        root: Path | None = None,
        modules: Sequence[str] = (),
    ) -> None:
        """Start it and wait until it can be asked.

        Args:
            host: where it runs; one for each.
            text: its start file, None for no `router bgp`.
            root: the root file system that it is installed in, None for this machine's own.
            modules: names of modules that bgpd loads.
        """
        self._host, self._root, self._modules = host, root, modules
        self.folder = host.directory / "frr"
        self.folder.mkdir()
        self.folder.chmod(0o1777)  # the daemons are frr's
        self.file = self.folder / "bgpd.conf"
        self.write(text or "")
        self.program = shlex.join([VTYSH] if root is None else outside(root, VTYSH))
        """The vtysh itself, as a shell has it."""
        self.vtysh = self.folder / "vtysh"
        self.wrap()
        has_mgmtd = ((root or Path("/")) / "usr/lib/frr/mgmtd").exists()
        self.mgmtd = self._spawn("mgmtd") if has_mgmtd else None
        self.zebra = self._spawn("zebra", *self._zserv)
        self.start()

    @property
    def _zserv(self) -> tuple[str, str]:
        return "-z", str(self.folder / "zserv.api")

    def write(self, text: str) -> None:
        """Replace the file that bgpd reads when it starts."""
        self.file.write_text(text)
        self.file.chmod(0o644)

    def wrap(self, *before: str) -> None:
        """Make the vtysh of this host, which runs lines of a shell first."""
        exec_ = f'exec {self.program} --vty_socket {self.folder} "$@"'
        self.vtysh.write_text("\n".join(["#!/bin/sh", *before, exec_, ""]))
        self.vtysh.chmod(0o755)

    def inside(self, *argv: str) -> list[str]:
        """Return a command that runs where FRR is installed."""
        return list(argv) if self._root is None else inside(self._root, argv)

    def _spawn(self, daemon: str, *options: str) -> Process:
        vty = self.folder / f"{daemon}.vty"
        vty.unlink(missing_ok=True)
        argv = [str(DAEMONS / daemon), "-i", str(self.folder / f"{daemon}.pid"), *options]
        argv += ["--vty_socket", str(self.folder), "--log", "stdout"]
        process = self._host.spawn(self.inside(*argv), log=f"{daemon}.log")
        process.ready(lambda: self._answers(daemon), "the vty")
        return process

    def _answers(self, daemon: str) -> bool:
        if not (self.folder / f"{daemon}.vty").is_socket():
            return False
        try:
            return "FRRouting" in self._vtysh("-d", daemon, "-c", "show version")
        except RuntimeError:
            return False

    def _vtysh(self, *words: str) -> str:
        argv = [*shlex.split(self.program), "--vty_socket", str(self.folder), *words]
        return self._host.run(*argv)

    def ask(self, *commands: str) -> str:
        """Run commands in one vtysh and return what it said; bgpd must take them all."""
        words = [word for command in commands for word in ("-c", command)]
        return self._host.run(str(self.vtysh), "-d", "bgpd", *words)

    def stop(self) -> None:
        """End bgpd."""
        self.bgpd.stop()

    def kill(self) -> None:
        """End bgpd as a crash would."""
        self.bgpd.kill()

    def start(self) -> None:
        """Start bgpd, with what its file has."""
        modules = [word for name in self._modules for word in ("-M", name)]
        self.bgpd = self._spawn("bgpd", "-f", str(self.file), *self._zserv, *modules)

    def restart(self) -> None:
        """Stop bgpd and start it again."""
        self.stop()
        self.start()

    def networks(self) -> dict[str, str]:
        """Return its network lines: the route-map by prefix, empty for none."""
        words = [line.split() for line in self.ask("show running-config").splitlines()]
        return {w[1]: w[3] if len(w) > 3 else "" for w in words if w[:1] == ["network"]}

    def wait_for_network(self, prefix: str) -> None:
        """Wait until a network line is there."""
        eventually(lambda: prefix in self.networks(), within=5, what=f"network {prefix}")

    def reload(self, *, whole: bool = False) -> str:
        """Run frr-reload.py, which has FRR be as the file says; return what it said.

        Args:
            whole: whether the file is that of all daemons, as frr.conf is, and not of bgpd alone.
        """
        reload = [
            "/usr/lib/frr/frr-reload.py",
            "--reload",
            *([] if whole else ["--daemon", "bgpd"]),
        ]
        reload += [
            "--confdir",
            str(self.folder),
            "--bindir",
            "/usr/bin",
            "--vty_socket",
            str(self.folder),
        ]
        reload += ["--rundir", str(self.folder), "--stdout", str(self.file)]
        return self._host.run(*self.inside(*reload))
