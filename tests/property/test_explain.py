"""An explanation has the numbers that decide, and what it says would change a decision does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.assess import Assessment, Memory, assess
from policy.assignment import assignments
from policy.damping import DampingRule
from policy.explain import About, Decided, Line, explain
from policy.explain.health import MOST
from policy.guard import GuardRule
from policy.health import Checker, CheckerRule, HealthRule, Need, Observation, Presence, Service
from policy.health import Thresholds as At
from policy.intent import Intent, Mode
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from policy.wording import span, until
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from policy.route import Prefix

PREFIX, OTHER = made.HOSTS_V4[:2]
WEB, TLS = made.SERVICES[:2]
WALL = 1_700_000_000.0


@dataclass
class Site:
    """Two VIPs, each with an address. What is decided is announced at once."""

    rule: HealthRule
    guard: GuardRule = field(default_factory=lambda: GuardRule(1.0, 0.0))
    intents: dict[Prefix, Intent] = field(default_factory=dict)
    checker: Checker | None = None
    here: frozenset[Prefix] | None = None
    checked: bool = True
    prefer: tuple[str, ...] = ("par1",)
    announced: set[Prefix] = field(default_factory=lambda: {PREFIX, OTHER})
    memory: Memory = field(default_factory=Memory)
    last: Assessment | None = None
    now: float = 0.0

    def look(self, now: float, live: dict[Service, int] | None) -> list[Line]:
        """Look at both, and explain the first."""
        self.now = now
        vips = tuple(
            Vip(name, (Address(prefix, self.prefer),), (Profile("near", 0),), self.rule)
            for name, prefix in (("vip-1.tld", PREFIX), ("vip-2.tld", OTHER))
        )
        topology = Topology(
            tuple(DataCentre(name, made.LOCAL_ASN) for name in ("par1", "lyo1")), vips
        )
        prefixes: tuple[Prefix, ...] = (PREFIX, OTHER)
        looked = {} if live is None else dict.fromkeys(prefixes, live)
        presence = None if self.here is None else Presence(self.here)
        self.last = assess(
            assignments(topology, topology.dcs[0]),
            Observation(looked, "no ip_vs", self.checker, presence=presence),
            () if self.checked else (PREFIX, OTHER),
            self.intents,
            frozenset(self.announced),
            frozenset(self.announced),
            self.guard,
            self.memory,
            now,
        )
        self.memory = self.last.memory
        for prefix, route in self.last.desired.items():
            (self.announced.add if route else self.announced.discard)(prefix)
        return self.explained()

    def explained(self, later: float = 0.0) -> list[Line]:
        assert self.last is not None
        case = self.last.memory.cases[PREFIX]
        return [
            *explain(
                Decided(
                    case.facts,
                    case.health,
                    self.last.decisions[PREFIX],
                    self.guard,
                    self.last.memory.guard,
                    self.now + later,
                    WALL + self.now + later,
                )
            )
        ]

    def is_wanted(self) -> bool:
        assert self.last is not None
        return self.last.desired[PREFIX] is not None


def told(lines: list[Line], about: About) -> str:
    return "\n".join(line.text for line in lines if line.about is about)


RULES = st.builds(
    HealthRule,
    made.thresholds(),
    st.sampled_from(Need),
    st.dictionaries(st.sampled_from(made.SERVICES), made.thresholds(), max_size=2),
    made.checker_rules(),
    st.booleans(),
    st.none() | made.damping_rules(),
)


@given(
    RULES,
    made.guard_rules(),
    made.timelines(),
    made.CHECKERS,
    st.none() | made.intents(),
    st.booleans(),
)
def test_any_decision(
    rule: HealthRule,
    guard: GuardRule,
    looks: list[tuple[float, dict[Service, int] | None]],
    checker: Checker | None,
    intent: Intent | None,
    checked: bool,  # noqa: FBT001 - Hypothesis gives it
) -> None:
    """Each explanation has the decision first and its cause, one what-changes-it, and each service with its count."""
    intents: dict[Prefix, Intent] = {} if intent is None else {PREFIX: intent}
    site = Site(rule, guard, intents, checker, frozenset({OTHER}), checked)
    for now, live in looks:
        lines = site.look(now, live)
        assert site.last is not None
        decision = site.last.decisions[PREFIX]
        assert lines[0].about is About.DECISION
        verb = "withdraw" if decision.route is None else "announce"
        assert lines[0].text.startswith(f"{verb}, by {decision.cause}: ")
        assert len([line for line in lines if line.about is About.CHANGE]) == 1
        assert all(line.text and line.text.isprintable() for line in lines)
        services = told(lines, About.SERVICE)
        counted = {s: n for s, n in (live or {}).items() if s in rule.required or not rule.required}
        if checked:
            for service, count in counted.items():
                assert f"{service}: " in services
                assert f"{count or 'no'} live realserver" in services
        assert len(services.splitlines()) <= MOST + 1


@pytest.mark.parametrize("need", Need)
def test_what_it_has_to_lose(need: Need) -> None:
    """So many realservers as it says must go before it is withdrawn, and no fewer."""
    site = Site(HealthRule(At(1, 3), need))
    lines = site.look(1000.0, {WEB: 5})
    assert "withdrawn when tcp/80 loses 4 of its 5 live realservers" in told(lines, About.CHANGE)
    site.look(1001.0, {WEB: 2})
    assert site.is_wanted()
    lines = site.look(1002.0, {WEB: 1})
    assert not site.is_wanted()
    assert "announced when tcp/80 has 2 more live realservers" in told(lines, About.CHANGE)
    site.look(1003.0, {WEB: 2})
    assert not site.is_wanted()
    site.look(1004.0, {WEB: 3})
    assert site.is_wanted()


def test_a_timer_ends_when_it_says() -> None:
    """A service that falls or rises does so until the moment that is told, and not after it."""
    site = Site(HealthRule(At(fall=5.0, rise=20.0)))
    site.look(1000.0, {WEB: 2})
    site.look(1001.0, {WEB: 0})
    lines = site.explained(later=2.0)
    end = until(1006.0, 1003.0, WALL + 1003.0)
    assert told(lines, About.CHANGE).startswith(f"withdrawn when tcp/80 still has too few {end}")
    assert f"has too few for 2s; fall ends {end}" in told(lines, About.SERVICE)
    site.look(1005.9, {WEB: 0})
    assert site.is_wanted()
    site.look(1006.0, {WEB: 0})
    assert not site.is_wanted()
    site.look(1010.0, {WEB: 1})
    end = until(1030.0, 1010.0, WALL + 1010.0)
    assert f"tcp/80 still has enough {end}" in told(site.explained(), About.CHANGE)
    site.look(1029.9, {WEB: 1})
    assert not site.is_wanted()
    site.look(1030.0, {WEB: 1})
    assert site.is_wanted()


def test_grace_and_warm_up() -> None:
    """A service that is gone is waited for as long as it says; so is a checker that has just started."""
    rule = HealthRule(checker=CheckerRule(required=True, restart_grace=10.0, warm_up=7.0))
    site = Site(rule, checker=Checker(0.0))
    site.look(1000.0, {WEB: 2})
    lines = site.look(1001.0, {})
    end = until(1011.0, 1001.0, WALL + 1001.0)
    assert f"stays announced until health is known: at the latest {end}" in told(
        lines, About.CHANGE
    )
    assert f"restart_grace ends {end}" in told(lines, About.SERVICE)
    site.checker = Checker(1002.0)
    lines = site.look(1003.0, {WEB: 0})
    assert "warm_up ends in " in told(lines, About.SERVICE)
    site.checker = Checker()
    lines = site.look(1004.0, {WEB: 0})
    assert "keepalived not running" in told(lines, About.CHANGE)
    assert "stays what it was until that is known" in told(lines, About.SERVICE)


def test_an_intent() -> None:
    """An intent is told with who, why, since when and until when; and what would be without it."""
    wall = WALL + 1000.0
    intent = Intent(Mode.DRAINED, "alice", wall - 90.0, "new kernel", wall + 3600.0)
    site = Site(HealthRule(), intents={PREFIX: intent})
    lines = site.look(1000.0, {WEB: 2})
    assert told(lines, About.DECISION).startswith("withdraw, by operator")
    operator = told(lines, About.OPERATOR)
    assert operator.startswith("drained by alice, 1m30s ago (")
    assert ", ends in 1h (" in operator
    assert operator.endswith("reason: new kernel")
    change = told(lines, About.CHANGE)
    assert change.startswith("vip_mgmt -a vip-1.tld lifts it; it ends in 1h (")
    assert change.endswith("Without it: announced, up: 2 realservers")
    site.intents = {PREFIX: Intent(Mode.FORCED, "bob", wall)}
    lines = site.look(1001.0, {WEB: 0})
    assert told(lines, About.OPERATOR).endswith("until it is lifted; no reason given")
    assert "Without it: withdrawn, down: 0 realservers" in told(lines, About.CHANGE)


def test_the_guard() -> None:
    """What the guard holds goes when it says, if it is still bad then."""
    site = Site(HealthRule(), GuardRule(0.5, 3.0))
    site.look(1000.0, {WEB: 2})
    lines = site.look(1001.0, {WEB: 0})
    end = until(1004.0, 1001.0, WALL + 1001.0)
    assert told(lines, About.DECISION).startswith("announce, by guard: too many VIPs")
    assert told(lines, About.GUARD).startswith(f"holds it, ends {end}; of more VIPs at once than")
    assert told(lines, About.CHANGE).startswith(f"withdrawn {end} if it is still bad then")
    site.look(1003.9, {WEB: 0})
    assert site.is_wanted()
    site.look(1004.0, {WEB: 0})
    assert not site.is_wanted()


def test_damping() -> None:
    """A VIP that flaps comes back when it says, and the penalty is told beside its limits."""
    site = Site(HealthRule(damping=DampingRule(60.0, 1500.0, 750.0, 600.0)))
    for now in range(1000, 1004):
        site.look(float(now), {WEB: now % 2})
    lines = site.look(1004.0, {WEB: 1})
    assert told(lines, About.DECISION).startswith("withdraw, by damping: it flapped; damped")
    assert "held down from 1500 (suppress) until 750 (reuse); held down now, ends in" in told(
        lines, About.DAMPING
    )
    assert site.last is not None
    assert site.last.look_again is not None
    end = until(site.last.look_again, 1004.0, WALL + 1004.0)
    assert told(lines, About.CHANGE).startswith(f"announced {end} if its health is good then")
    site.look(site.last.look_again, {WEB: 1})
    assert site.is_wanted()


def test_the_address() -> None:
    """That the address must be here is told where it must, and whether it is."""
    site = Site(HealthRule(require_address=True), here=frozenset())
    lines = site.look(1000.0, {WEB: 2})
    assert told(lines, About.DECISION).startswith("withdraw, by address")
    assert told(lines, About.ADDRESS).startswith("not on this machine")
    assert told(lines, About.CHANGE).startswith("announced once the address is on this machine")


def test_not_checked() -> None:
    """Where health is not checked, only an operator decides, and that is said."""
    site = Site(HealthRule(), checked=False)
    lines = site.look(1000.0, None)
    assert told(lines, About.CHANGE) == "nothing but an operator: vip_mgmt -d vip-1.tld"


def test_elsewhere() -> None:
    """Of what only other data centres announce that is said, and nothing of health or a timer."""
    site = Site(HealthRule(), prefer=("lyo1",), checked=False)
    lines = site.look(1000.0, {WEB: 2})
    assert told(lines, About.DECISION).startswith("withdraw, by preference: not announced here")
    assert told(lines, About.CHANGE).startswith("announced here once prefer")
    assert told(lines, About.HEALTH) == "not looked at: not announced here"


def test_many_services() -> None:
    """Of hundreds of services those in trouble stand first, and the rest is counted."""
    site = Site(HealthRule())
    live = {Service("tcp", port): 2 for port in range(1, 100)} | {TLS: 0}
    services = told(site.look(1000.0, live), About.SERVICE).splitlines()
    assert services[0].startswith("tcp/443: down, no live realserver")
    assert services[-1] == "and 80 services more, all of them up"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1.0, "0s"),
        (0.04, "0s"),
        (4.25, "4.2s"),
        (9.96, "10s"),
        (59.6, "1m"),
        (725.0, "12m5s"),
        (7200.0, "2h"),
        (7199.0, "1h59m"),
        (90061.0, "1d1h"),
        (31536000.0, "365d"),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    """A span has two units at most, those of vip.toml."""
    assert span(seconds) == text
