"""Owns keepalived: its configuration, its life, and what it writes to its fifo."""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.lab.eventually import eventually
from tests.support.lab.netns import Namespace
from tests.support.lab.process import Process

REAL = "127.0.1.1"
"""The address of all realservers, which differ by their ports."""


@dataclass(frozen=True, slots=True)
class VirtualServer:
    """A `virtual_server`, checked by its protocol; several times a second where nothing else is said.

    Attributes:
        where: its address and port, or `fwmark 7`.
        ports: the ports of its realservers.
        options: more statements, such as `alpha`.
        real: more statements of each realserver, such as `inhibit_on_failure`.
        address: the address of its realservers.
        delay: seconds between two checks; where they are long, the first is at a random time.
        protocol: TCP or UDP.
    """

    where: str
    ports: tuple[int, ...]
    options: tuple[str, ...] = ()
    real: tuple[str, ...] = ()
    address: str = REAL
    delay: float = 0.2
    protocol: str = "TCP"

    def text(self) -> str:
        """Return the configuration's text."""
        warmup = self.delay if self.delay >= 1 else 0
        lines = [f"virtual_server {self.where} {{", f"delay_loop {self.delay:g}"]
        lines += ["lvs_sched rr", "lvs_method NAT", f"protocol {self.protocol}"]
        lines += self.options
        for port in self.ports:
            lines += [f"real_server {self.address} {port} {{", "weight 1", *self.real]
            lines += [
                f"{self.protocol}_CHECK {{",
                "connect_timeout 2",
                "retry 0",
                f"warmup {warmup:g}",
                "}",
                "}",
            ]
        return "\n".join([*lines, "}", ""])


class Keepalived:
    """A keepalived, restartable over the same files."""

    def __init__(
        self,
        host: Namespace,
        servers: Sequence[VirtualServer],
        *,
        fifo: Path | None = None,
        options: Sequence[str] = (),
        more: str = "",
        arguments: Sequence[str] = ("-C",),
    ) -> None:
        """Write the configuration; start nothing yet.

        Args:
            host: where it runs.
            servers: its virtual servers.
            fifo: what `lvs_notify_fifo` names.
            options: more global definitions.
            more: more of the configuration, such as VRRP instances.
            arguments: more arguments; by default it does no VRRP.
        """
        self._host = host
        self._folder = host.directory
        self._arguments = list(arguments)
        self.options = list(options)
        if fifo is not None:
            self.options.append(f"lvs_notify_fifo {fifo}")
        self.more = more
        self.process: Process | None = None
        self.write(servers)

    def write(self, servers: Sequence[VirtualServer]) -> None:
        """Replace the configuration; it is read at the start and at a HUP."""
        self.servers = list(servers)
        head = "\n".join(["global_defs {", "router_id lab", *self.options, "}", ""])
        text = head + "".join(server.text() for server in servers) + self.more
        (self._folder / "keepalived.conf").write_text(text)

    def start(self) -> None:
        """Start it, and wait until it has read its configuration."""
        before = len(self.log())
        folder = self._folder
        argv = ["keepalived", "-n", "-l", "-D", "-G", *self._arguments]
        argv += ["-f", str(folder / "keepalived.conf"), "-p", str(folder / "keepalived.pid")]
        argv += ["-c", str(folder / "checkers.pid"), "-r", str(folder / "vrrp.pid")]
        self.process = self._host.spawn(argv, log="keepalived.log")
        self.process.ready(lambda: "Startup complete" in self.log()[before:], "start")

    def log(self) -> str:
        """Return all that it has logged, over restarts too."""
        path = self._folder / "keepalived.log"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.alive

    @property
    def _running(self) -> Process:
        assert self.process is not None
        return self.process

    def reload(self, servers: Sequence[VirtualServer] | None = None) -> None:
        """Have it read its configuration again, and wait until it has."""
        if servers is not None:
            self.write(servers)
        before = len(self.log())
        self._running.signal(signal.SIGHUP)
        eventually(lambda: "Reload complete" in self.log()[before:], within=20, what="a reload")

    def stop(self) -> None:
        """Ask it to end, as systemd does, and wait for that."""
        self._running.terminate(20)

    def kill(self) -> None:
        """End it and its children at once, none of which can do anything about it."""
        self._running.signal(signal.SIGSTOP)
        for child in self._running.children():
            os.kill(child, signal.SIGKILL)
        self._running.kill()

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()
