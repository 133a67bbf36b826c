"""Owns a cluster of etcd in a network of the lab: three members on one LAN, and what can go wrong with each."""

import base64
import json
import shlex
import shutil
import signal
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.lab.eventually import eventually
from tests.support.lab.netns import Namespace, Network
from tests.support.lab.nginx import Certificates
from tests.support.lab.process import Process

LAN = "198.51.100"
"""The LAN's network, a /24: the hub is .1, members are .11 and on; hosts that join choose others."""
CLIENT, PEER = 2379, 2380


@dataclass(eq=False)
class EtcdMember:
    """One member: a host of its own, a process, and its data."""

    name: str
    address: str
    host: Namespace
    data: Path
    argv: list[str] = field(default_factory=list)
    process: Process | None = None

    @property
    def running(self) -> bool:
        """Whether its process is there, be it paused."""
        return self.process is not None and self.process.alive

    def start(self, *more: str) -> None:
        """Start it; it may not serve yet. `more`: options besides."""
        # Threads of several members would only get into each other's way here.
        argv = [*self.argv, *more]
        self.process = self.host.spawn(argv, log="etcd.log", env={"GOMAXPROCS": "1"})

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self.process:
            self.process.signal(signal.SIGCONT)
            self.process.kill()

    def pause(self) -> None:
        """Have it accept connections, and say nothing."""
        assert self.process
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on."""
        assert self.process
        self.process.signal(signal.SIGCONT)

    def cut(self, *addresses: str) -> None:
        """Have nothing that it sends reach these addresses: a partition, which no end is told of."""
        for each in addresses:
            self.host.run("ip", "route", "replace", "blackhole", f"{each}/32")

    def heal(self) -> None:
        """End every partition of it."""
        self.host.run("ip", "route", "flush", "type", "blackhole")
        self.link("up")

    def link(self, state: str) -> None:
        """Take its link `up` or `down`: nobody reaches it, whoever asks."""
        self.host.run("ip", "link", "set", "link0", state)


class EtcdCluster:
    """Three members in namespaces on a LAN of their own, which other hosts can join.

    Args:
        network: where.
        tls: whether all is by TLS, with certificates of an authority of the cluster's own, and clients must show one.
        size: how many members.
        options: options of each member besides.
    """

    def __init__(
        self, network: Network, *, tls: bool = False, size: int = 3, options: Sequence[str] = ()
    ) -> None:
        self._network = network
        self.tls = tls
        self.user = self.password = ""
        self._tokens = 1
        self.hub = network.host("lan")
        self.hub.run("ip", "link", "add", "br0", "type", "bridge")
        self.hub.run("ip", "link", "set", "br0", "up")
        self.hub.add("br0", f"{LAN}.1/24")
        self.home = network.directory / "cluster"
        self.home.mkdir()
        # In memory where that can be: three members that wait for one disk take turns.
        memory = Path("/dev/shm")
        self._data = Path(
            tempfile.mkdtemp(prefix="vip-etcd-", dir=memory if memory.is_dir() else "/tmp")
        )
        self.hub.cleanup.callback(shutil.rmtree, self._data, ignore_errors=True)
        self.certificates = Certificates(self.home) if tls else None
        self.members = [self._member(number) for number in range(1, size + 1)]
        if self.certificates:
            self.certify()
        self._options = [*options]
        self._configure()

    def join(self, host: Namespace, number: int) -> str:
        """Put a host on the LAN, as `.number`; return its address."""
        device, port = self._network.wire(host, self.hub)
        self.hub.run("ip", "link", "set", port, "master", "br0")
        host.add(device, f"{LAN}.{number}/24")
        return f"{LAN}.{number}"

    @property
    def endpoints(self) -> tuple[str, ...]:
        """What clients ask."""
        return tuple(f"{self._scheme}://{each.address}:{CLIENT}" for each in self.members)

    @property
    def ca(self) -> Path | None:
        """The authority's certificate."""
        return self.home / "ca.pem" if self.tls else None

    @property
    def shown(self) -> tuple[Path, Path] | None:
        """The certificate that a client shows, and its key."""
        return (self.home / "client.pem", self.home / "client.key") if self.tls else None

    def start(self, *more: str) -> None:
        """Start those members that do not run, and wait until all serve."""
        for each in self.members:
            if not each.running:
                each.start(*more)
        self.ready()

    def ready(self) -> None:
        """Wait until each member that runs serves, with a leader."""
        for each in self.members:
            if each.running:
                eventually(
                    lambda each=each: self._serves(each),  # type: ignore[misc]  # of a lambda with a default
                    within=15,
                    what=f"{each.name} has a leader",
                )

    def _serves(self, member: EtcdMember) -> bool:
        return bool(self._status(member).get("leader"))

    def leader(self) -> EtcdMember:
        """Return the leader, once there is one that answers."""

        def asked() -> EtcdMember | None:
            for each in self.members:
                with suppress(AssertionError):
                    found = self._status(each)
                    if found.get("leader") == found["header"]["member_id"]:
                        return each
            return None

        found = eventually(asked, within=15, what="a leader of etcd")
        assert found
        return found

    def followers(self) -> list[EtcdMember]:
        """Return those that are not the leader."""
        leader = self.leader()
        return [each for each in self.members if each is not leader]

    def heal(self) -> None:
        """End all that is wrong with processes and links, and wait until all members serve."""
        for each in self.members:
            each.heal()
            if each.running:
                each.resume()
        self.start()

    def isolate(self, member: EtcdMember) -> None:
        """Part a member from the others; clients still reach it."""
        member.cut(*(each.address for each in self.members if each is not member))

    def ctl(self, *words: str, member: EtcdMember | None = None) -> str:
        """Run etcdctl at one member, or at those that there are; return its stdout.

        Raises:
            RuntimeError: it failed; says what it printed on stderr.
        """
        return self.hub.run(*self._ctl(*words, member=member))

    def command(self, *words: str) -> str:
        """Return etcdctl with some words as a shell on the LAN's hub is told it."""
        return shlex.join(self._ctl(*words))

    def _ctl(self, *words: str, member: EtcdMember | None = None) -> list[str]:
        where = [f"{self._scheme}://{member.address}:{CLIENT}"] if member else self.endpoints
        return [
            "env", "ETCDCTL_API=3", "etcdctl", f"--endpoints={','.join(where)}",
            "--command-timeout=5s", "--dial-timeout=2s", *self._tls_of_ctl(),
            *([f"--user=root:{self.password}"] if self.user else []), *words,
        ]  # fmt: skip

    def get(self, under: str) -> dict[str, bytes]:
        """Return the keys that begin with a text, and their values."""
        found = json.loads(self.ctl("get", "--prefix", under, "--write-out=json"))
        return {
            base64.b64decode(each["key"]).decode(): base64.b64decode(each.get("value", ""))
            for each in found.get("kvs", [])
        }

    def authenticate(self, user: str, password: str, prefix: str) -> None:
        """Have all clients say who they are, and one user do what it likes under a prefix, and nothing else."""
        self.ctl("user", "add", f"root:{password}")
        self.ctl("user", "grant-role", "root", "root")
        self.ctl("user", "add", f"{user}:{password}")
        self.ctl("role", "add", user)
        self.ctl("role", "grant-permission", user, "--prefix=true", "readwrite", prefix)
        self.ctl("user", "grant-role", user, user)
        self.ctl("auth", "enable")
        self.user, self.password = user, password

    def compact(self) -> int:
        """Forget all revisions up to the one before now; return that of now."""
        revision = int(self._status(self.leader())["header"]["revision"])
        self.ctl("compaction", str(revision))
        return revision

    def fill(self) -> None:
        """Fill the space that members have (of `--quota-backend-bytes`), until they refuse to store."""
        with suppress(RuntimeError):
            for number in range(10_000):
                self.ctl("put", f"/filling/{number}", "x" * 100_000)
        eventually(lambda: self.ctl("alarm", "list"), within=10, what="the alarm NOSPACE")

    def free(self) -> None:
        """Free that space, as an operator does: remove, compact, defragment, disarm."""
        self.ctl("del", "--prefix", "/filling/")
        self.compact()
        for each in self.members:
            self.ctl("defrag", member=each)
        self.ctl("alarm", "disarm")

    def snapshot(self, path: Path) -> None:
        """Save a copy of all that is stored."""
        self.ctl("snapshot", "save", str(path), member=self.leader())

    def restore(self, path: Path, *, new_token: bool = True) -> None:
        """Stop all members, and start them with what a copy has.

        Args:
            path: the copy.
            new_token: whether the cluster gets a name of its own by another token, as it should.
        """
        for each in self.members:
            each.kill()
            shutil.rmtree(each.data)
        self._tokens += new_token
        for each in self.members:
            self.hub.run(
                "env", "ETCDCTL_API=3", "etcdctl", "snapshot", "restore", str(path),
                f"--name={each.name}", f"--data-dir={each.data}",
                f"--initial-cluster={self._initial}", f"--initial-cluster-token={self._token}",
                f"--initial-advertise-peer-urls={self._scheme}://{each.address}:{PEER}",
            )  # fmt: skip
        self._configure()
        self.start()

    def certify(self, *, days: int = 30, subject: str = "/O=vip-speaker") -> None:
        """Give clients another certificate, which lasts so many days: negative ones have expired. Who reads it again shows it.

        Where a cluster asks for a certificate and for a user, its gateway takes none that has a CommonName.
        """
        assert self.certificates
        self.certificates.make("client", f"{LAN}.1", days, subject)

    def certify_member(self, name: str, *, days: int = 30) -> None:
        """Give a member another certificate, which it shows from the next connection on."""
        assert self.certificates
        (member,) = (each for each in self.members if each.name == name)
        self.certificates.make(name, member.address, days)

    def _member(self, number: int) -> EtcdMember:
        name, address = f"etcd{number}", f"{LAN}.{10 + number}"
        host = self._network.host(name)
        self.join(host, 10 + number)
        if self.certificates:
            self.certificates.make(name, address)
        return EtcdMember(name, address, host, self._data / name)

    def _configure(self) -> None:
        for each in self.members:
            client, peer = (f"{self._scheme}://{each.address}:{port}" for port in (CLIENT, PEER))
            each.argv = [
                "etcd", f"--name={each.name}", f"--data-dir={each.data}",
                f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster={self._initial}", f"--initial-cluster-token={self._token}",
                "--logger=zap", "--log-level=warn", *self._tls_of(each), *self._options,
            ]  # fmt: skip

    def _tls_of(self, member: EtcdMember) -> list[str]:
        if not self.tls:
            return []
        own, ca = self.home / member.name, self.ca
        return [
            f"--cert-file={own}.pem", f"--key-file={own}.key", f"--trusted-ca-file={ca}",
            "--client-cert-auth", f"--peer-cert-file={own}.pem", f"--peer-key-file={own}.key",
            f"--peer-trusted-ca-file={ca}", "--peer-client-cert-auth",
        ]  # fmt: skip

    def _tls_of_ctl(self) -> list[str]:
        if not self.shown:
            return []
        cert, key = self.home / "etcd1.pem", self.home / "etcd1.key"
        return [f"--cacert={self.ca}", f"--cert={cert}", f"--key={key}"]

    @property
    def _scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def _token(self) -> str:
        return f"lab-{self._tokens}"

    @property
    def _initial(self) -> str:
        return ",".join(f"{one.name}={self._scheme}://{one.address}:{PEER}" for one in self.members)

    def _status(self, member: EtcdMember) -> Any:
        try:
            text = self.ctl("endpoint", "status", "--write-out=json", member=member)
        except RuntimeError as error:  # not yet: it starts, or there is an election
            raise AssertionError(str(error)) from error
        return json.loads(text)[0]["Status"]
