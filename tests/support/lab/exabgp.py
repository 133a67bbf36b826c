"""Owns ExaBGP in the lab: its two flavours, its configuration, its life."""

import shlex
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.support.lab.netns import Namespace
from tests.support.lab.process import Process
from tests.support.lab.session import Session

Flavour = Literal["v4", "v5"]
FLAVOURS: tuple[Flavour, ...] = ("v4", "v5")

SHIPPED = Path(__file__).parents[3] / "packaging" / "exabgp.env"


def shipped() -> dict[str, str]:
    """Return the environment that is shipped for ExaBGP, by the names with dots: it is what is tested."""
    lines = (line.strip() for line in SHIPPED.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.replace("_", ".", 2): value for name, _, value in pairs}


def executable(flavour: Flavour) -> str | None:
    """Return a flavour's program: `v4` is Debian's package, `v5` lies beside the tests' interpreter."""
    path = "/usr/sbin:/usr/bin" if flavour == "v4" else str(Path(sys.executable).parent)
    return shutil.which("exabgp", path=path)


@dataclass(frozen=True, slots=True)
class Config:
    """What exabgp.conf says: one helper process, told of every neighbour.

    Attributes:
        sessions: as ExaBGP's side sees them.
        run: the helper's command, which must be executable for the user that ExaBGP becomes.
        router_id: its BGP identifier.
        options: more statements for every neighbour, such as `hold-time 10;`.
        receive: whether the helper is told what the peers send.
        send: whether the helper is told what is sent to the peers.
        respawn: whether the helper is started again when it exits.
    """

    sessions: Sequence[Session]
    run: Sequence[str]
    router_id: str = "203.0.113.2"
    options: Sequence[str] = ()
    receive: bool = False
    send: bool = False
    respawn: bool = True

    def text(self) -> str:
        """Return the file's text; both flavours take the same."""
        process = _block(
            "process speaker",
            f"run {shlex.join(self.run)};",
            "encoder json;",
            f"respawn {'true' if self.respawn else 'false'};",
        )
        return "\n".join([process, *map(self.neighbor, self.sessions)]) + "\n"

    def neighbor(self, session: Session) -> str:
        """Return the text of one neighbour."""
        told = [f"{way} {{ parsed; update; }}" for way in ("receive", "send") if getattr(self, way)]
        return _block(
            f"neighbor {session.remote}",
            f"router-id {self.router_id};",
            f"local-address {session.local};",
            f"local-as {session.local_asn};",
            f"peer-as {session.remote_asn};",
            *self.options,
            _block("family", *(f"{family} unicast;" for family in session.families)),
            _block("api", "processes [ speaker ];", "neighbor-changes;", *told),
        )


class ExaBgp:
    """An ExaBGP and its helper, restartable over the same files."""

    def __init__(
        self,
        host: Namespace,
        flavour: Flavour,
        config: Config | str,
        *,
        user: str = "nobody",
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Write the configuration and start it; it is up when the helper has been spawned.

        Args:
            host: where it runs.
            flavour: which ExaBGP.
            config: its configuration, or the text of it.
            user: whom it becomes when it is started as root.
            env: settings such as `exabgp.api.ack`, and more environment for the helper.
        """
        self.flavour: Flavour = flavour
        self._host = host
        self._file = host.directory / "exabgp.conf"
        self._env = {**shipped(), "exabgp.daemon.user": user, **(env or {})}
        self.write(config if isinstance(config, str) else config.text())
        self.process = self._start()

    def write(self, text: str) -> None:
        """Replace the configuration's text; ExaBGP reads it when it starts, and at SIGUSR1."""
        self._file.write_text(text)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.alive

    def helpers(self) -> list[int]:
        """Return the process ids of its helpers."""
        return self.process.children()

    def log(self) -> str:
        """Return all that it has logged, over restarts too."""
        return self.process.log()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.signal(number)

    def terminate(self, within: float = 5) -> int:
        """Ask it to stop, wait for that, and return the exit status."""
        return self.process.terminate(within)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    def restart(self) -> None:
        """Stop it, if it still runs, and start it anew."""
        self.process.stop()
        self.process = self._start()

    def _start(self) -> Process:
        program = executable(self.flavour)
        if program is None:
            message = f"no ExaBGP of flavour {self.flavour}"
            raise FileNotFoundError(message)
        server = [] if self.flavour == "v4" else ["server"]
        process = self._host.spawn(
            [program, *server, str(self._file)], log="exabgp.log", env=self._env
        )
        process.ready(process.children, "the helper")
        return process


def _block(head: str, *lines: str) -> str:
    inside = "\n".join(lines).replace("\n", "\n    ")
    return f"{head} {{\n    {inside}\n}}"
