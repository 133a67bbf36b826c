"""Settings: what is of this machine, and where its health and its routes go. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from policy.keep_last import KeepLast
from speaker.config.settings_api import ApiSettings
from speaker.files.vip_toml import BESIDE

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address
    from pathlib import Path

    from policy.guard import GuardRule
    from policy.health import Service
    from policy.topology import DataCentre, Topology
    from speaker.config.settings_checks import CheckSettings
    from speaker.config.settings_site import SiteSettings
    from speaker.units import Endpoint, IpAddress

Backend = Literal["exabgp", "quagga"]
Source = Literal["ipvs", "tcp", "none"]
SPAWNING: frozenset[Backend] = frozenset({"exabgp"})
"""Backends whose daemon runs vip_watchdog as its process. Beside the others cron or systemd does."""


@dataclass(frozen=True, slots=True)
class NextHop:
    """NEXT_HOP by family: an address, or None for the speaker's own (`self`)."""

    ipv4: IPv4Address | None = None
    ipv6: IPv6Address | None = None


@dataclass(frozen=True, slots=True)
class ExabgpSettings:
    """What only the ExaBGP driver needs. `process` is its name there, None for any."""

    next_hop: NextHop
    withdraw_on_exit: bool
    process: str | None


HISTORY = 90 * 86400.0
"""For how long history is kept by default, in seconds."""
LogFormat = Literal["text", "json"]
"""What a line of the log is on stderr."""


@dataclass(frozen=True, slots=True)
class QuaggaSettings:
    """What only the Quagga driver needs.

    `route_map` is a pattern, or the site's names by profile. `start_files` are those that bgpd
    may read when it starts. `outbound`: whether single neighbours may be given route-maps out.
    """

    vtysh: Path
    route_map: str | dict[str, str]
    start_files: tuple[Path, ...] = ()
    outbound: bool = False


@dataclass(frozen=True, slots=True)
class ReadSocket:
    """The socket whose callers may only ask: `group` is the one that it is given, None for none."""

    path: Path
    group: str | None
    mode: int


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """Where a VIP's health comes from.

    `ignore` has the realservers that do not count: an address with a port, or None for any port.
    `realservers` are those to connect to, for the source `tcp`. `checks` are those of the VIP's rule.
    """

    source: Source
    ignore: frozenset[tuple[IpAddress, int | None]]
    realservers: dict[Service, tuple[Endpoint, ...]]
    checks: tuple[CheckSettings, ...] = ()


@dataclass(frozen=True, slots=True)
class LintSettings:
    """What `vip_mgmt check` takes for a fault: see `policy.lint.lint`."""

    max_path: int | None
    load_tolerance: float


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """Where metrics and the status page are served: nowhere, unless it says so.

    `hosts` are names by which they may be asked for, beside addresses, this machine's own and
    `localhost`. `textfile` is what node_exporter reads.
    """

    listen: Endpoint | None = None
    hosts: frozenset[str] = frozenset()
    textfile: Path | None = None


@dataclass(frozen=True, slots=True)
class EventsSettings:
    """Who receives each event: a URL that takes it by POST, a program that gets it on stdin."""

    webhook: str | None = None
    exec: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WitnessSettings:
    """What is done with what witnesses tell.

    `keep_last`: whether the last announcement of a VIP is withdrawn for bad health. `settle`: for how long a witness may
    have something else than what was sent, in seconds. `named`: the addresses of witnesses; without any, all that bring routes.
    """

    keep_last: KeepLast = KeepLast.NEVER
    settle: float = 30.0
    named: tuple[IpAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """What is of this machine. Times in seconds; `health` is by the VIP's name.

    `history` is for how long it is kept, `log` the form of the log's lines on stderr. `checks` are all of the
    file, by name, whether a rule names them or not; `unused_rules` are the names of `[rule]` that no VIP's rule
    comes to. `site` is None where this machine stands alone.

    `keepalived_fifo_named`: the file says so, it is not the default. `keepalived_conf` is what
    `vip_mgmt check` reads, None for keepalived's own default, which need not be there.
    """

    dc: DataCentre
    backend: Backend
    state: Path
    control: Path
    read: ReadSocket
    resolver: Endpoint | None
    guard: GuardRule
    lint: LintSettings
    interval: float
    keepalived_fifo: Path
    keepalived_fifo_named: bool
    keepalived_conf: Path | None
    health: dict[str, HealthSettings]
    exabgp: ExabgpSettings
    quagga: QuaggaSettings
    metrics: MetricsSettings = MetricsSettings()
    events: EventsSettings = EventsSettings()
    history: float = HISTORY
    log: LogFormat = "text"
    witness: WitnessSettings = WitnessSettings()
    checks: dict[str, CheckSettings] = field(default_factory=dict)
    unused_rules: tuple[str, ...] = ()
    api: ApiSettings = field(default_factory=ApiSettings)
    site: SiteSettings | None = None

    @property
    def paths(self) -> dict[str, str]:
        """The paths of `[node]` that take effect at the next start only, by their keys."""
        return {"state": str(self.state), "control": str(self.control), "read": str(self.read.path)}

    @property
    def beside(self) -> Path:
        """The socket to read of the vip_watchdog of a second ExaBGP: see `speaker.runtime.exabgp_process`."""
        return self.control.with_name(BESIDE)

    @property
    def is_spawned(self) -> bool:
        """Whether the daemon runs vip_watchdog: then one always runs, where the daemon does."""
        return self.backend in SPAWNING


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The file that a configuration was read from, and what tells its content from any other.

    `of_site` tells what it says of a whole site from what another one says: without what is of one machine. Empty without `[site]`.
    """

    path: Path
    digest: str
    of_site: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that holds together. `file` is None where it was read from no file."""

    topology: Topology
    settings: Settings
    file: ConfigFile | None = field(default=None, compare=False)
