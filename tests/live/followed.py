"""Owns a machine on which the commands of docs/migration.md are followed: programs, files, what systemd does."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.lab.exabgp import ExaBgp
from tests.support.lab.frr_site import BIN
from tests.support.lab.installed import NOBODY
from tests.support.lab.site import merge, toml

if TYPE_CHECKING:
    from tests.support.lab.exabgp import Flavour
    from tests.support.lab.frr import Frr
    from tests.support.lab.installed import Installed
    from tests.support.lab.netns import Namespace

PAGE = Path(__file__).parents[2] / "docs/migration.md"
WALK = "A walk: two files, two upstreams, a running ExaBGP"
"""The heading of the page's example from start to end."""


class Followed:
    """A load balancer that runs the page's blocks, with files and devices where they are here."""

    def __init__(
        self, host: Namespace, device: str, installed: Installed, flavour: Flavour
    ) -> None:
        """Make its folders.

        Args:
            host: where it is.
            device: its interface, the page's eth0.
            installed: the programs that ExaBGP starts.
            flavour: which ExaBGP.
        """
        self._installed, self._flavour = installed, flavour
        self.host, self._device = host, device
        self.root = host.directory / "root"
        for name in ("bin", "vip-speaker", "exabgp", "quagga", "state", "work"):
            (self.root / name).mkdir(parents=True)
        os.chown(self.root / "state", NOBODY, NOBODY)
        self.exabgp: ExaBgp | None = None
        self._vtysh = Path()

    def programs(self, frr: Frr) -> None:
        """Have the page's programs where a shell finds them."""
        self._vtysh = frr.vtysh
        self.program("vip_mgmt", f'exec {BIN}/vip_mgmt "$@"')
        self.program("vip_watchdog", f'exec {BIN}/vip_watchdog "$@"')
        self.program("vtysh", f'exec {frr.vtysh} "$@"')
        self.program("systemctl", f'echo "$@" >> {self.root}/asked')

    def program(self, name: str, line: str) -> None:
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def follow(self, block: str) -> str:
        """Run one block of the page, with files and devices where they are here."""
        text = re.sub(r"/etc/(vip-speaker|exabgp|quagga)\b", rf"{self.root}/\1", block)
        text = text.replace("eth0", self._device)
        done = subprocess.run(
            self.host.command("sh", "-e", "-c", text),
            cwd=self.root / "work",
            env={
                **os.environ,
                "PATH": f"{self.root}/bin:{os.environ['PATH']}",
                "VIP_CONFIG": str(self.root / "vip-speaker/vip.toml"),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        self._systemd()
        return done.stdout + done.stderr

    def _systemd(self) -> None:
        """Do what systemd was asked for."""
        asked = self.root / "asked"
        if not asked.exists():
            return
        match asked.read_text().split():
            case ["start", "exabgp-vip"]:
                self.exabgp = ExaBgp(self.host, self._flavour, self._exabgp_conf())
            case ["stop", "exabgp-vip"] if self.exabgp is not None:
                self.exabgp.process.stop()
            case words:
                pytest.fail(f"systemctl {words}: the page asks for something new")
        asked.unlink()

    def _exabgp_conf(self) -> str:
        """Return what was installed, with the program and its file where they are here."""
        command = (
            f"{self._installed.program('vip_watchdog')} --config {self.root}/vip-speaker/vip.toml;"
        )
        text = (self.root / "exabgp/exabgp.conf").read_text()
        text, count = re.subn(r"(run \S+ VIP_DC=par1) .*;", rf"\1 {command}", text)
        assert count == 1
        return text

    def adapt(self) -> None:
        """Change in vip.toml what this lab has elsewhere, and what it has not: realservers in IPVS."""
        file = self.root / "vip-speaker/vip.toml"
        state = self.root / "state"
        here: dict[str, Any] = {
            "node": {"state": f"{state}/state.sqlite3", "control": f"{state}/control.sock"},
            "health": {"source": "none"},
            "backend": {"quagga": {"vtysh": str(self._vtysh)}},
        }
        file.write_text(toml(merge(tomllib.loads(file.read_text()), here)))
