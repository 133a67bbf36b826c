"""The form of vip.toml: its tables, keys, types and defaults."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from policy.extended import ExtendedCommunity
from policy.health import Need
from policy.order import Order
from policy.route import MAX_MED, MAX_PREPENDS, Community, LargeCommunity, Origin
from speaker import units
from speaker.config.schema_api import ApiTable, ReportTable
from speaker.config.schema_checks import CheckTable, RuleText
from speaker.config.schema_checks import name as check_name
from speaker.config.schema_dcs import AnAddress, DcTable, NextHopTable
from speaker.config.schema_drain import DrainTable
from speaker.config.schema_peers import PeerGroupTable, PeerTable
from speaker.config.schema_site import SiteTable
from speaker.config.settings import HISTORY, Backend, LogFormat, Source
from speaker.config.table import STRICT, AbsolutePath, Duration, text, without_keys
from speaker.config.table import by as _by
from speaker.files.vip_toml import DEFAULT_BACKEND, DEFAULT_CONTROL
from speaker.printable import shown
from speaker.units import Endpoint, IpAddress

DEFAULT_STATE = "/var/lib/vip-speaker/state.sqlite3"
DEFAULT_READ_MODE = 0o660


def _as_table(value: object) -> object:
    return value if isinstance(value, dict) else {"ip": value}


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _word_or_list(value: object) -> object:
    if value in ("spread", "auto", "equal") or _are_names(value):
        return value
    raise ValueError(
        f'{shown(value)} is neither "spread", "auto", "equal", nor a list of data centres; write one of them'
    )


def _truth_or_list(value: object) -> object:
    if isinstance(value, bool) or _are_names(value):
        return value
    raise ValueError(
        f"{shown(value)} is neither true, false nor a list of data centres; write one of them"
    )


def _or_off(value: object) -> object:
    return None if value is False else value


def _in_directory(path: Path) -> Path:
    if not path.name:
        raise ValueError(f"{path} is a directory; name a socket in one")
    return path


def _ignored(text: str) -> tuple[IpAddress, int | None]:
    try:
        return units.endpoint(text)
    except ValueError:
        return units.address(text), None


Positive = Annotated[Duration, Field(ge=0.01, le=86400 * 365)]
Share = Annotated[float, BeforeValidator(units.share, json_schema_input_type=text(units.SHARE))]
Prepends = Annotated[int, Field(ge=0, le=MAX_PREPENDS)]
Count = Annotated[int, Field(ge=0, le=2**31)]
Penalty = Annotated[float, Field(ge=1, le=2**31)]
Prefer = Annotated[Literal["spread", "auto", "equal"] | list[str], BeforeValidator(_word_or_list)]
Only = Annotated[bool | list[str], BeforeValidator(_truth_or_list)]
OrderBy = Annotated[Order, Field(strict=False)]


class Table(BaseModel):
    """A table: unknown keys are refused, and types are not guessed."""

    model_config = STRICT


class NodeTable(Table):
    """`[node]`: what differs from machine to machine."""

    dc: str
    backend: Backend = DEFAULT_BACKEND
    state: AbsolutePath = Path(DEFAULT_STATE)
    control: Annotated[AbsolutePath, AfterValidator(_in_directory)] = Path(DEFAULT_CONTROL)
    read: AbsolutePath | None = None
    read_group: Annotated[str | None, _by(units.group)] = None
    read_mode: Annotated[int, _by(units.socket_mode)] = DEFAULT_READ_MODE
    resolver: Annotated[Endpoint | None, _by(units.endpoint)] = None
    next_hop: NextHopTable | None = None
    history: Annotated[Duration, Field(ge=3600, le=86400 * 3650)] = HISTORY
    log: LogFormat = "text"
    witnesses: list[AnAddress] = []


class ProfileTable(Table):
    """`[profile.NAME]`."""

    prepends: Prepends
    med: Annotated[int, Field(ge=0, le=MAX_MED)] = 0
    communities: list[Annotated[Community, _by(units.community)]] = []
    large_communities: list[Annotated[LargeCommunity, _by(units.large_community)]] = []
    extended_communities: list[Annotated[ExtendedCommunity, _by(ExtendedCommunity.parse)]] = []
    origin: Annotated[Origin, Field(strict=False)] = Origin.IGP


class PolicyTable(Table):
    """`[policy]`."""

    prepends: list[Prepends] | None = None
    ranks: list[str] | None = None
    max_withdraw: Share = 0.5
    confirm: Duration = 3.0
    max_path: Annotated[int, Field(ge=1, le=MAX_PREPENDS + 1)] | None = None
    load_tolerance: Share = 0.25
    order: OrderBy = Order.PREPENDS
    keep_last: bool | Literal["strict"] = False
    settle: Duration = 30.0


class ServiceTable(Table):
    """A service of a VIP: what it overrides, and for the source `tcp` its realservers."""

    drop_at: Count | None = None
    restore_at: Count | None = None
    fall: Duration | None = None
    rise: Duration | None = None
    share_up: Share | None = None
    realservers: list[Annotated[Endpoint, _by(units.endpoint)]] = []


class DampingTable(Table):
    """`damping` in `[health]`, in RFC 2439's terms and the router vendors' units."""

    half_life: Positive = 120.0
    suppress: Penalty = 3000.0
    reuse: Penalty = 1000.0
    max_suppress: Positive = 600.0


class HealthTable(Table):
    """`[health]`, and `health` of a VIP, where only what is set counts."""

    source: Source = "ipvs"
    interval: Positive = 1.0
    drop_at: Count = 0
    restore_at: Count = 1
    services: Annotated[Need, Field(strict=False)] = Need.ALL
    fall: Duration = 0.0
    rise: Duration = 0.0
    require_address: bool = False
    damping: Annotated[DampingTable | None, BeforeValidator(_or_off)] = None
    require_keepalived: bool = True
    restart_grace: Duration = 10.0
    warm_up: Duration = 10.0
    ignore_realservers: list[Annotated[tuple[IpAddress, int | None], _by(_ignored)]] = []
    keepalived_fifo: AbsolutePath = Path("/run/vip-speaker/lvs.fifo")
    keepalived_conf: AbsolutePath | None = None


class AddressTable(Table):
    """An address of a VIP."""

    ip: Annotated[IpAddress, BeforeValidator(units.announced, json_schema_input_type=str)]
    prefer: Prefer | None = None
    only: Only | None = None
    prefix_length: Annotated[int, Field(ge=1, le=128)] | None = None
    ranks: list[str] | None = None


class VipTable(Table):
    """`[vip."NAME"]`."""

    addresses: Annotated[
        list[Annotated[AddressTable, BeforeValidator(_as_table)]], Field(min_length=1)
    ]
    prefer: Prefer = "spread"
    only: Only = False
    order: OrderBy | None = None
    services: dict[str, ServiceTable] = Field(default_factory=dict)  # quicker than a copy of one
    health: HealthTable = without_keys()
    drain: DrainTable = without_keys()
    rule: RuleText | None = None
    ranks: list[str] | None = None


class AggregateTable(Table):
    """`[aggregate."PREFIX"]`."""

    prefer: Prefer = "spread"
    only: Only = False
    order: OrderBy | None = None
    ranks: list[str] | None = None
    at_least: Annotated[int, Field(ge=1, le=2**31)] = 1
    summary_only: bool = False


class ExabgpTable(Table):
    """`[backend.exabgp]`."""

    next_hop: NextHopTable = without_keys()
    withdraw_on_exit: bool = False
    process: Annotated[str, AfterValidator(units.label)] | None = None


def _pattern_or_names(value: object) -> str | dict[str, str]:
    match value:
        case str():
            return units.pattern(value)
        case dict():
            return {units.word(profile): units.word(name) for profile, name in value.items()}
        case _:
            raise ValueError(
                f'{shown(value)} is not a name; write it like "VIP-{{profile}}", or {{ prepend-1 = "BGP1" }}'
            )


class QuaggaTable(Table):
    """`[backend.quagga]`."""

    vtysh: AbsolutePath = Path("/usr/bin/vtysh")
    route_map: Annotated[str | dict[str, str], BeforeValidator(_pattern_or_names)] = "VIP-{profile}"
    start_files: list[AbsolutePath] = [
        Path("/etc/frr/frr.conf"),
        Path("/etc/frr/bgpd.conf"),
        Path("/etc/quagga/bgpd.conf"),
        Path("/etc/quagga/Quagga.conf"),
    ]
    outbound: bool = False


class BackendsTable(Table):
    """`[backend]`."""

    exabgp: ExabgpTable = without_keys()
    quagga: QuaggaTable = without_keys()


class MetricsTable(Table):
    """`[metrics]`."""

    listen: Annotated[Endpoint | None, _by(units.endpoint)] = None
    hosts: list[str] = []
    textfile: AbsolutePath | None = None


class EventsTable(Table):
    """`[events]`."""

    webhook: str | None = None
    exec: list[str] = []


class Document(Table):
    """The whole file."""

    node: NodeTable
    dc: Annotated[dict[Annotated[str, AfterValidator(units.label)], DcTable], Field(min_length=1)]
    policy: PolicyTable = without_keys()
    profile: dict[Annotated[str, AfterValidator(units.word)], ProfileTable] = {}
    health: HealthTable = without_keys()
    drain: DrainTable = without_keys()
    check: dict[Annotated[str, AfterValidator(check_name)], CheckTable] = {}
    rule: dict[Annotated[str, AfterValidator(check_name)], RuleText] = {}
    report: dict[Annotated[str, AfterValidator(check_name)], ReportTable] = {}
    api: ApiTable = without_keys()
    vip: dict[str, VipTable] = {}
    aggregate: dict[str, AggregateTable] = {}
    peer: dict[str, PeerTable] = {}
    peer_group: dict[Annotated[str, AfterValidator(units.word)], PeerGroupTable] = {}
    backend: BackendsTable = without_keys()
    metrics: MetricsTable = without_keys()
    events: EventsTable = without_keys()
    site: SiteTable | None = None
