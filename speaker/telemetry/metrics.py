"""The metrics: their names, types, labels and meaning, once and for ever; and what each is now.

A gauge that says yes or no is 1 or 0, and is there also where there is nothing to say. What is not known is NaN, which is
neither: no comparison with it holds. Where an alert needs to ask whether it is known, there is a metric for that.
"""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.decide import Cause
from policy.intent import Mode
from speaker.reconcile.apply import LEFT
from speaker.reconcile.status import UNKNOWN
from speaker.version import installed_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from speaker.api import PrefixStatus
    from speaker.reconcile.meter import Distribution
    from speaker.telemetry.look import Look

Value = bool | float | None


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its name, its type in Prometheus's words, the names of its labels, what it says."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def _gauge(name: str, labels: str, meaning: str) -> Metric:
    return Metric(name, "gauge", tuple(labels.split()), meaning)


def _counter(name: str, labels: str, meaning: str) -> Metric:
    return Metric(name, "counter", tuple(labels.split()), meaning)


BUILD = _gauge("vip_build_info", "version python", "1: which version of vip-speaker this is")
NODE = _gauge(
    "vip_node_info",
    "dc backend daemon",
    "1: which data centre this is, and which routing daemon announces",
)
CONFIGURATION = _gauge(
    "vip_configuration_info",
    "digest",
    "1: what vip.toml was loaded (the first 16 digits of its SHA-256)",
)
FILE = _gauge(
    "vip_configuration_file",
    "state",
    "1 for what is so of vip.toml on the disk: loaded, changed since, faulty, or unknown",
)
WANTED = _gauge(
    "vip_prefix_wanted", "vip prefix", "whether it is decided to be announced; NaN: not decided yet"
)
ANNOUNCED = _gauge(
    "vip_prefix_announced",
    "vip prefix",
    "whether a session that is up was sent it, as read back; NaN: not known",
)
KNOWN = _gauge("vip_prefix_announced_known", "vip prefix", "whether it is known if it is announced")
PEERS = _gauge(
    "vip_prefix_peers",
    "vip prefix",
    "how many sessions that are up were sent it, as far as is known; NaN: nothing is known",
)
AS_WANTED = _gauge(
    "vip_prefix_as_wanted",
    "vip prefix",
    "whether daemon and peers have what is decided, and that is not old",
)
INTENT = _gauge(
    "vip_prefix_intent",
    "vip prefix mode",
    "1 for the operator's intent: auto, drained, forced, draining, returning, or unknown",
)
REALSERVERS = _gauge(
    "vip_realservers",
    "vip prefix",
    "how many live realservers count, of the service that has the fewest; NaN: not known",
)
HEALTH = _gauge(
    "vip_health",
    "vip prefix state",
    "1 for the health of the VIP at this address: up, down, or unknown",
)
SOURCE = _gauge(
    "vip_source",
    "vip prefix source state",
    "1 for what a source of the VIP's rule says of this address: up, down, or unknown",
)
EXPIRES = _gauge(
    "vip_certificate_expiry_timestamp_seconds",
    "vip prefix source",
    "when the certificate that a check was shown expires, since the epoch",
)
DRAINING = _gauge(
    "vip_drain_connections",
    "vip prefix state",
    "the active and inactive connections of what drains softly; NaN: not known",
)
DRAIN_ENDS = _gauge(
    "vip_drain_end_timestamp_seconds",
    "vip prefix",
    "when a stage of a soft drain ends at the latest, since the epoch; NaN: it has not begun",
)
PEER = _gauge("vip_peer_up", "peer address asn", "whether the BGP session is up; NaN: not known")
PEER_KNOWN = _gauge(
    "vip_peer_up_known", "peer address asn", "whether it is known if the BGP session is up"
)
WITNESS = _gauge(
    "vip_witness_whole",
    "witness",
    "whether all that a witness has of the VIPs is known; 0: not, or its session is down",
)
SEEN = _gauge(
    "vip_prefix_seen",
    "vip prefix dc",
    "how many paths of a data centre witnesses show; dc is empty where that can't be told",
)
SITE_CONNECTED = _gauge(
    "vip_site_connected",
    "",
    "whether what is known of the site is what etcd has now; not there without [site]",
)
SITE_QUEUED = _gauge(
    "vip_site_queued",
    "",
    "for how many prefixes and extents etcd is not known to have what was asked",
)
SITE_MEMBERS = _gauge(
    "vip_site_members",
    "state",
    "how many machines of the site are live, of those differ in something from what is asked, and are silent",
)
DECISIONS = _gauge("vip_decisions", "cause", "for how many prefixes this rule has decided")
HELD = _gauge("vip_withdrawals_held", "", "how many withdrawals the guard holds back")
ALARM = _gauge(
    "vip_alarm", "subject", "whether something is wrong with this, apart from single prefixes"
)
CHANGES = _counter(
    "vip_changes_total",
    "action cause",
    "changes that the routing daemon took: announce or withdraw, by the rule that decided",
)
FAILURES = _counter(
    "vip_change_failures_total",
    "",
    "changes that the routing daemon did not take, or did not answer",
)
MISMATCHES = _counter(
    "vip_read_back_mismatches_total",
    "",
    "prefixes that were read back, and not as the routing daemon had taken them",
)
REACTION = Metric(
    "vip_reaction_seconds",
    "histogram",
    (),
    "from what woke a cycle, or an operator's request, to the routing daemon's acknowledgement of the change",
)
CYCLE = Metric(
    "vip_cycle_seconds", "histogram", (), "how long a cycle took: look, decide, apply, read back"
)
LAST_CYCLE = _gauge(
    "vip_last_good_cycle_timestamp_seconds",
    "",
    "when a cycle was last completed, since the epoch; 0: none yet",
)

EVENTS_SENT = _counter(
    "vip_events_sent_total",
    "sink",
    "events that were taken by the webhook or the program of [events]",
)
EVENTS_LOST = _counter(
    "vip_events_lost_total", "sink", "events that were not sent, and will not be"
)
EVENTS_WAITING = _gauge("vip_events_waiting", "sink", "events that wait to be sent")

METRICS = (
    BUILD, NODE, CONFIGURATION, FILE, WANTED, ANNOUNCED, KNOWN, PEERS, AS_WANTED, INTENT, REALSERVERS, HEALTH,
    SOURCE, EXPIRES, DRAINING, DRAIN_ENDS,
    PEER, PEER_KNOWN, WITNESS, SEEN, SITE_CONNECTED, SITE_QUEUED, SITE_MEMBERS, DECISIONS, HELD, ALARM, CHANGES, FAILURES, MISMATCHES, REACTION, CYCLE, LAST_CYCLE,
    EVENTS_SENT, EVENTS_LOST, EVENTS_WAITING,
)  # fmt: skip
"""All of them, in the order in which they are shown."""

MODES = (*map(str, Mode), UNKNOWN)
STATES = ("up", "down", UNKNOWN)
CAUSES = tuple(map(str, Cause))
ACTIONS = ("announce", "withdraw")
DIGITS = 16

Labels = tuple[str, ...]
Sample = tuple[Labels, Value]


def of_look(look: Look) -> Iterator[tuple[Metric, Iterable[Sample]]]:
    """Yield what each metric is that is not of single prefixes, histograms apart."""
    counts, causes = look.counts, look.causes()
    daemon = look.daemon.name if look.daemon else ""
    settings = look.config.settings
    yield (
        BUILD,
        [((installed_version() or UNKNOWN, platform.python_version()), 1)],
    )
    yield NODE, [((settings.dc.name, settings.backend, daemon), 1)]
    yield CONFIGURATION, [((look.digest[:DIGITS],), 1)]
    yield FILE, [((state,), here) for state, here in look.file_states.items()]
    peers = [((peer.name, peer.address, str(peer.asn)), peer.up) for peer in look.peers]
    yield PEER, peers
    yield PEER_KNOWN, [(labels, up is not None) for labels, up in peers]
    yield WITNESS, [((each.name,), each.is_whole) for each in look.witnesses]
    if (site := look.site) is not None:
        yield SITE_CONNECTED, [((), site.connected)]
        yield SITE_QUEUED, [((), site.queued)]
        yield SITE_MEMBERS, [((state,), number) for state, number in site.members.items()]
    yield DECISIONS, [((cause,), causes.get(cause, 0)) for cause in CAUSES]
    yield HELD, [((), causes.get(str(Cause.GUARD), 0))]
    yield ALARM, [((subject,), is_one) for subject, is_one in look.subjects.items()]
    yield (
        CHANGES,
        [
            ((action, cause), counts.changes.get((action, cause), 0))
            for action in ACTIONS
            for cause in (*CAUSES, LEFT)
        ],
    )
    yield FAILURES, [((), counts.failures)]
    yield MISMATCHES, [((), counts.mismatches)]
    yield LAST_CYCLE, [((), counts.last_cycle)]
    yield EVENTS_SENT, [((sink,), each.sent) for sink, each in counts.sent.items()]
    yield EVENTS_LOST, [((sink,), each.lost) for sink, each in counts.sent.items()]
    yield EVENTS_WAITING, [((sink,), each.waiting) for sink, each in counts.sent.items()]


def histograms(look: Look) -> Mapping[Metric, Distribution]:
    """Return what each histogram has counted."""
    return {REACTION: look.counts.reactions, CYCLE: look.counts.cycles}


def of_prefix(route: PrefixStatus) -> Iterator[tuple[Metric, str, Value]]:
    """Yield what each metric is for one prefix: the metric, the value of its last label ("" for none), its value."""
    yield WANTED, "", route.wanted
    yield ANNOUNCED, "", route.announced
    yield KNOWN, "", route.announced is not None
    yield PEERS, "", _count(route)
    yield AS_WANTED, "", route.as_wanted
    for mode in MODES:
        yield INTENT, mode, route.intent == mode
    yield REALSERVERS, "", route.realservers
    for state in STATES:
        yield HEALTH, state, route.health == state


def of_some(route: PrefixStatus) -> Iterator[tuple[Metric, tuple[str, ...], Value]]:
    """Yield what only some prefixes have, with a rule, a soft drain or witnesses: the metric, its last labels' values, its value."""
    for source, said in route.sources.items():
        for state in STATES:
            yield SOURCE, (source, state), said == state
    for source, expires in route.expires.items():
        yield EXPIRES, (source,), expires
    for dc, count in Counter(path.dc for path in route.seen).items():
        yield SEEN, (dc,), count
    drain = route.drain
    if drain is not None and drain.stage != Mode.DRAINED:
        yield DRAINING, ("active",), drain.connections
        yield DRAINING, ("inactive",), drain.inactive
        yield DRAIN_ENDS, (), drain.ends


def _count(route: PrefixStatus) -> int | None:
    """Return to how many sessions it was sent, as far as is known; None where nothing is."""
    sent = list(route.peers.values()).count(True)
    return sent if sent or route.announced is not None else None
