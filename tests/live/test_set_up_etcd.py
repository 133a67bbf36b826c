"""docs/how-to/set-up-etcd.md, from the top: who follows it has a cluster with TLS and a user, a copy, and the cluster back from it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speaker.config.settings_site import SiteSettings
from speaker.site.base import EtcdRefusedError, Put
from speaker.site.etcd.client import EtcdClient
from tests.live.runbook import blocks
from tests.support.lab.eventually import SLOW, eventually
from tests.support.lab.inside import inside
from tests.support.lab.netns import Network
from tests.support.lab.requirements import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.lab.netns import Namespace
    from tests.support.lab.process import Process

PAGE = Path(__file__).parents[2] / "docs/how-to/set-up-etcd.md"
DEFAULT = PAGE.parents[2] / "packaging/etcd.default"
ADDRESSES = "192.0.2.21", "192.0.2.22", "192.0.2.23"
WITHIN = 5.0 * SLOW


class Followed:
    """A machine on which the page's blocks are run, with its files in a folder of its own."""

    def __init__(self, host: Namespace, shared: Path, address: str) -> None:
        """Have programs that stand for Debian's: what apt-get installs is there, and systemctl is heeded by `systemd`.

        Args:
            host: where it is.
            shared: the folder where the page's authority is, which in the page somebody copies.
            address: its own.
        """
        self.host, self._shared, self._address = host, shared, address
        self.root = host.directory / "root"
        for each in ("bin", "default", "etcd", "lib", "vip-speaker"):
            (self.root / each).mkdir(parents=True)
        self._programs = {
            "apt-get": "true",
            "systemctl": f'echo "$@" >> {self.root}/asked',
        }
        for name, line in self._programs.items():
            (self.root / "bin" / name).write_text(f"#!/bin/sh\n{line}\n")
            (self.root / "bin" / name).chmod(0o755)
        self.etcd: Process | None = None

    def adapted(self, block: str) -> str:
        """Return a block with this machine's address, and its files where they are here."""
        text = re.sub(r"^here=\S+", f"here={self._address}", block)
        text = re.sub(r"/root\b", str(self._shared), text)
        text = text.replace("/var/backups", str(self._shared))
        text = re.sub(r"/etc/(etcd|default|vip-speaker)\b", rf"{self.root}/\1", text)
        return text.replace("-g exabgp", "-g nogroup").replace(
            "/var/lib/etcd/", f"{self.root}/lib/"
        )

    def follow(self, *parts: str) -> str:
        """Run blocks as one shell does; do what systemd was asked for."""
        done = subprocess.run(
            self.host.command("sh", "-e", "-c", "\n".join(map(self.adapted, parts))),
            cwd=self._shared / "etcd-ca" if (self._shared / "etcd-ca").exists() else self._shared,
            env={**os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{parts}\n{done.stdout}{done.stderr}"
        self._systemd()
        return done.stdout

    def _systemd(self) -> None:
        asked = self.root / "asked"
        for line in asked.read_text().splitlines() if asked.exists() else ():
            assert line in {"restart etcd", "stop etcd", "start etcd"}
            if self.etcd is not None:
                self.etcd.stop()
            if line != "stop etcd":
                lines = self.adapted((self.root / "default/etcd").read_text()).splitlines()
                env = dict(each.split("=", 1) for each in lines if not each.startswith("#"))
                self.etcd = self.host.spawn(
                    ["etcd"], log="etcd.log", env={"GOMAXPROCS": "1", **env}
                )
        asked.unlink(missing_ok=True)


@pytest.fixture
def members() -> Iterator[list[Followed]]:
    """Three machines on a LAN, with the page's addresses."""
    require("etcd", "etcdctl", "openssl")
    with Network() as network:
        hub = network.host("lan")
        hub.run("ip", "link", "add", "br0", "type", "bridge")
        hub.run("ip", "link", "set", "br0", "up")
        found = []
        for number, address in enumerate(ADDRESSES, 1):
            host = network.host(f"member{number}")
            device, port = network.wire(host, hub)
            hub.run("ip", "link", "set", port, "master", "br0")
            host.add(device, f"{address}/24")
            found.append(Followed(host, network.directory, address))
        yield found


def settings(files: Path) -> SiteSettings:
    """Return what the page has a load balancer know."""
    return SiteSettings(
        tuple(f"https://{each}:2379" for each in ADDRESSES),
        "lb1",
        ca=files / "etcd-ca.pem",
        cert=files / "etcd.pem",
        key=files / "etcd.key",
        user="vip",
        password_file=files / "etcd.password",
    )


async def use(etcd: EtcdClient) -> None:
    """Do all that a watchdog does, in its prefix; and what it must not, beside that."""
    contents = await etcd.read("/vip-speaker/", within=WITHIN)
    lease = await etcd.grant(10, within=WITHIN)
    done = await etcd.transact([], [Put("/vip-speaker/kept", b"1"), Put("/vip-speaker/a", b"2", lease)], within=WITHIN)  # fmt: skip
    assert done.done
    async with aclosing(etcd.watch("/vip-speaker/", contents.revision + 1)) as watch:
        async for changes in watch:
            if changes:
                assert {each.key for each in changes} == {"/vip-speaker/kept", "/vip-speaker/a"}
                break
    assert await etcd.keep(lease, within=WITHIN)
    await etcd.revoke(lease, within=WITHIN)
    with pytest.raises(EtcdRefusedError, match="permission denied"):
        await etcd.read("/", within=WITHIN)
    with pytest.raises(EtcdRefusedError, match="permission denied"):
        await etcd.transact([], [Put("/other", b"")], within=WITHIN)


def run_client(member: Followed, files: Path) -> Mapping[str, bytes]:
    """Use the cluster as a load balancer does; return what stays there."""

    async def main() -> Mapping[str, bytes]:
        etcd = EtcdClient(settings(files))
        try:
            await use(etcd)
            left = await etcd.read("/vip-speaker/", within=WITHIN)
            return {each.key: each.value for each in left.items}
        finally:
            await etcd.close()

    with inside(member.host):
        return asyncio.run(main())


def test_page(members: list[Followed]) -> None:
    """Each block succeeds as it stands; the user may do what vip-speaker does, and nothing beside it; what was stored is there again."""
    steps = blocks(PAGE)
    first = members[0]
    authority, member, shell, look = steps["Three members, with TLS"]
    assert len(f"{authority}\n{member}".strip().splitlines()) <= 10
    first.follow(authority, f"cp {DEFAULT} .")
    for each in members:
        each.follow(member)
    eventually(lambda: first.follow(shell, look), within=30, what="all members serve")
    (user,) = steps["A user that may do no more than it needs"]
    first.follow(shell, user)
    (files,) = steps["The load balancers"]
    first.follow(files)
    here = first.root / "vip-speaker"
    # Newer Pythons are as strict.
    first.follow("openssl verify -x509_strict -CAfile ca.pem 192.0.2.21.pem 127.0.0.1.pem")
    assert run_client(first, here) == {"/vip-speaker/kept": b"1"}

    (space,) = steps["When it has no space left"]
    first.follow(shell, space)
    (copy,) = steps["Back it up"]
    first.follow(shell, copy)
    (restore,) = steps["Restore it"]
    before = cluster(first, shell)
    for each in members:
        each.follow(shell, restore)
    eventually(lambda: cluster(first, shell) != before, within=30, what="another cluster")
    assert run_client(first, here) == {"/vip-speaker/kept": b"1"}


def cluster(member: Followed, shell: str) -> int:
    """Return the id of the cluster that a member is of."""
    root = '--user "root:$(cat /root/etcd.root)"'
    text = member.follow(shell, f"etcdctl {root} endpoint status -w json")
    found: int = json.loads(text)[0]["Status"]["header"]["cluster_id"]
    return found
