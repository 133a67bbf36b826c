"""Owns the lab's network: namespaces, the links between them, the processes in them."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Self

from tests.support.lab.eventually import eventually
from tests.support.lab.process import Process
from tests.support.lab.session import BOTH, Family, Session

_serial = itertools.count()


def _run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"exit status {done.returncode}: {' '.join(argv)}: {done.stderr.strip()}"
        raise RuntimeError(message)
    return done.stdout


@dataclass(eq=False, slots=True)
class Namespace:
    """One host of the lab."""

    name: str
    directory: Path
    cleanup: ExitStack = field(default_factory=ExitStack)
    devices: "itertools.count[int]" = field(default_factory=itertools.count)

    def command(self, *argv: str) -> list[str]:
        """Return `argv` as a command that runs in here."""
        return ["nsenter", f"--net=/run/netns/{self.name}", *argv]

    def run(self, *argv: str) -> str:
        """Run a command to its end and return its stdout.

        Raises:
            RuntimeError: it failed; says what it printed on stderr.
        """
        return _run(*self.command(*argv))

    def believe_addresses(self) -> None:
        """Have link-local addresses of links to come usable at once, not when no duplicate was found for a second."""
        for which in ("all", "default"):
            self.run("sh", "-c", f"echo 0 > /proc/sys/net/ipv6/conf/{which}/accept_dad")

    def add(self, device: str, *addresses: str) -> None:
        """Give a device addresses with their prefix lengths."""
        for address in addresses:
            nodad = ["nodad"] if ":" in address else []
            self.run("ip", "address", "add", address, "dev", device, *nodad)

    def spawn(
        self, argv: Sequence[str], *, log: str, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a long-lived process, stopped at the latest when the network goes.

        Args:
            argv: the command and its arguments.
            log: the name of its log file in this host's folder.
            env: added to the environment of the test run.
        """
        process = Process(self.command(*argv), self.directory / log, env)
        self.cleanup.callback(process.stop)
        return process

    def stop(self) -> None:
        """End all that was started in here, and what that has left behind."""
        self.cleanup.close()
        eventually(
            self._kill_all, until=lambda pids: not pids, within=10, what=f"nobody in {self.name}"
        )

    def _kill_all(self) -> list[str]:
        """Kill whoever is in here, and return who that was: somebody may have forked meanwhile."""
        pids = _run("ip", "netns", "pids", self.name).split()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        return pids


@dataclass(frozen=True, slots=True)
class End:
    """One end of a link: a device with an address of each family."""

    namespace: Namespace
    device: str
    ipv4: str
    ipv6: str

    def address(self, family: Family) -> str:
        """Return its address of a family."""
        return self.ipv4 if family == "ipv4" else self.ipv6

    def set(self, state: str) -> None:
        """Take the device `up` or `down`."""
        self.namespace.run("ip", "link", "set", self.device, state)


@dataclass(frozen=True, slots=True)
class Link:
    """A point-to-point link, dual stack: `a` has the .1 and ::1, `b` the .2 and ::2."""

    a: End
    b: End

    def session(
        self,
        asn_a: int,
        asn_b: int,
        *,
        transport: Family = "ipv4",
        families: tuple[Family, ...] = BOTH,
    ) -> Session:
        """Return the session of `a` with `b` over one transport."""
        return Session(self.a.address(transport), asn_a, self.b.address(transport), asn_b, families)

    def session_per_family(self, asn_a: int, asn_b: int) -> list[Session]:
        """Return the sessions of `a` with `b` where each family has its own transport."""
        return [self.session(asn_a, asn_b, transport=family, families=(family,)) for family in BOTH]

    def second_session(self, asn_a: int, asn_b: int) -> Session:
        """Return a session of `a`, from an IPv4 address that it has besides, with the same address of `b`."""
        local, near = (str(IPv4Address(end.ipv4) + 128) for end in (self.a, self.b))
        self.a.namespace.add(self.a.device, f"{local}/30")
        self.b.namespace.add(self.b.device, f"{near}/30")
        return Session(local, asn_a, self.b.ipv4, asn_b)

    def down(self) -> None:
        """Cut the link; both ends notice, as with a pulled cable."""
        self.a.set("down")

    def up(self) -> None:
        """Restore the link."""
        self.a.set("up")


class Network:
    """A set of namespaces and links that goes without a trace when closed."""

    def __init__(self) -> None:
        """Make an empty network with its own folder, which every user can read."""
        self._stem = f"vip{os.getpid()}-{next(_serial)}"
        self._links = itertools.count(1)
        self._hosts: list[Namespace] = []
        # Neither pytest's tmp_path nor $TMPDIR: they may be closed to the users that daemons run as,
        # and too long for the path of a socket.
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self._stem}-", dir="/tmp"))
        self.directory.chmod(0o755)

    def host(self, label: str) -> Namespace:
        """Add a host, with a folder of its own where anybody may make sockets."""
        directory = self.directory / label
        directory.mkdir()
        directory.chmod(0o1777)
        host = Namespace(f"{self._stem}-{label}", directory)
        _run("ip", "netns", "add", host.name)
        self._hosts.append(host)
        host.run("ip", "link", "set", "lo", "up")
        # A link that goes down and comes back keeps its IPv6 addresses, like its IPv4 ones.
        host.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/keep_addr_on_down")
        return host

    def link(self, a: Namespace, b: Namespace) -> Link:
        """Join two hosts; a pair may have several links."""
        number = next(self._links)
        v4 = f"203.0.113.{4 * number + 1}", f"203.0.113.{4 * number + 2}"
        v6 = f"2001:db8:ffff:{number:x}::1", f"2001:db8:ffff:{number:x}::2"
        devices = self._join(a, b, 10 * number)
        ends = [End(host, *each) for host, *each in zip((a, b), devices, v4, v6, strict=True)]
        for end in ends:
            end.namespace.add(end.device, f"{end.ipv4}/30", f"{end.ipv6}/64")
            end.set("up")
        one, two = ends
        return Link(one, two)

    def wire(self, a: Namespace, b: Namespace) -> tuple[str, str]:
        """Join two hosts by a pair of devices that are up and have no addresses; return their names."""
        devices = self._join(a, b, 10 * next(self._links))
        for host, device in zip((a, b), devices, strict=True):
            host.run("ip", "link", "set", device, "up")
        return devices

    def _join(self, a: Namespace, b: Namespace, index: int) -> tuple[str, str]:
        # Where both ends have the same index, the kernel takes up to a second to see the carrier.
        one, two = (f"link{next(host.devices)}" for host in (a, b))
        _run(
            "ip", "link", "add", one, "netns", a.name, "index", str(index), "type", "veth",
            "peer", "name", two, "netns", b.name, "index", str(index + 1),
        )  # fmt: skip
        return one, two

    def close(self) -> None:
        """Stop every process and remove every namespace and file."""
        with ExitStack() as last:
            last.callback(shutil.rmtree, self.directory)
            for host in self._hosts:
                last.callback(_run, "ip", "netns", "delete", host.name)
            for host in self._hosts:
                last.callback(host.stop)

    def __enter__(self) -> Self:
        """Return the network itself, to be closed at the end of the block."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self.close()
