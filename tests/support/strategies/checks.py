"""Checks and rules, as vip.toml may have them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from policy.health import CheckerRule, Health
from policy.rule import AtLeast, Not, ShareUp, Term, asks_services
from policy.topology import Vip
from speaker import units
from speaker.config.build_checks import KINDS
from speaker.config.build_rules import checks_of
from speaker.config.settings_checks import (
    CheckSettings,
    DnsCheck,
    ExecCheck,
    GrpcCheck,
    HttpCheck,
    JsonValue,
    Tls,
    others,
)
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.rule import Rule
    from speaker.config.settings import Config

TIMES = st.sampled_from([0.1, 0.25, 1.0, 2.5, 60.0])
TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=5)
STEPS = st.lists(
    st.sampled_from(["status", "a-b", "x_1"]) | st.integers(0, 99), min_size=1, max_size=3
)
VALUES = st.booleans() | st.integers(-9, 9) | st.sampled_from([0.5, -1.25]) | TEXTS
PATHS = made.PATHS.map(lambda path: path.with_name(f"{path.name}.pem"))


@st.composite
def http(draw: st.DrawFn) -> HttpCheck:
    is_tls, has_body = draw(st.booleans()), draw(st.booleans())
    host = draw(
        st.sampled_from(["{address}", "{address}:81", "{realserver}", "[2001:db8::9]:8443"])
    )
    certificate = draw(st.none() | PATHS) if is_tls else None
    method = draw(st.sampled_from(["GET", "OPTIONS", "POST"] if has_body else ["GET", "HEAD"]))
    return HttpCheck(
        f"http{'s' if is_tls else ''}://{host}{draw(st.sampled_from(['', '/', '/health?x=%7B']))}",
        method,
        draw(st.sampled_from([(), (("Accept", "*/*"), ("X-Y", "z"))])),
        draw(st.sampled_from([None, "shop.tld", "shop.tld:8443"])),
        draw(st.sampled_from([((200, 299),), ((200, 200), (301, 399))])),
        draw(TEXTS) if has_body else None,
        draw(st.sampled_from([None, "^a+$", r"(?i)\d{2}|x"])) if has_body else None,
        JsonValue(tuple(draw(STEPS)), draw(VALUES)) if has_body and draw(st.booleans()) else None,
        Tls(draw(st.none() | PATHS) if is_tls else None, certificate, certificate),
        0.0 if method == "POST" else draw(st.sampled_from([0.0, 0.25, 3600.0])),
    )


@st.composite
def grpc(draw: st.DrawFn) -> GrpcCheck:
    is_tls = draw(st.booleans())
    host = draw(st.sampled_from(["{address}:81", "{realserver}", "[2001:db8::9]:50051"]))
    certificate = draw(st.none() | PATHS) if is_tls else None
    return GrpcCheck(
        f"http{'s' if is_tls else ''}://{host}",
        draw(st.sampled_from(["", "shop.v1.Shop"])),
        draw(st.sampled_from([None, "shop.tld"])),
        Tls(draw(st.none() | PATHS) if is_tls else None, certificate, certificate),
    )


WORDS = st.lists(TEXTS | st.sampled_from(["{address}", "-p {realserver}"]), max_size=3)
PROGRAMS = st.builds(
    ExecCheck,
    WORDS.map(lambda words: ("/bin/x", *words)).filter(
        lambda words: not ("{address}" in words and "-p {realserver}" in words)
    ),
    st.sampled_from([None, "nobody"]),
    st.sampled_from([(0,), (), (0, 1)]),
    st.sampled_from([(2, 3), (255,)]),
) | st.builds(
    lambda up: ExecCheck(("/bin/x",), None, up, others(up)), st.sampled_from([(0,), (), (0, 1)])
)
NAME_SERVERS = st.builds(
    DnsCheck,
    st.sampled_from(["{address}:53", "{address}:5353", "{realserver}", "[2001:db8::5]:53"]),
    st.sampled_from(["health.example.net", "a_b.example.", "."]),
    st.sampled_from(KINDS),
    st.lists(TEXTS, max_size=2).map(tuple),
)


@st.composite
def checks(draw: st.DrawFn, name: str) -> CheckSettings:
    asks = draw(http() | grpc() | PROGRAMS | NAME_SERVERS)
    by_realserver = "{realserver}" in asks.target
    return CheckSettings(
        name,
        asks,
        draw(TIMES),
        draw(TIMES),
        draw(st.integers(1, 9)),
        draw(st.integers(1, 9)),
        draw(st.sampled_from(Health)),
        tuple(draw(st.lists(made.ENDPOINTS, min_size=1, max_size=2))) if by_realserver else (),
        draw(st.sampled_from([0.5, 1.0])),
    )


def _at_least(of: list[Rule], count: int) -> Rule:
    return AtLeast(1 + count % len(of), tuple(of))


SHARES = st.integers(0, 1000).map(lambda thousandths: units.share(f"{thousandths / 10}%"))


def _share(of: list[Rule], share: float) -> Rule:
    return ShareUp(share, tuple(of))


def rules(names: Sequence[str]) -> st.SearchStrategy[Rule]:
    """Rules over some sources."""
    return st.recursive(
        st.sampled_from(names).map(Term),
        lambda inner: st.one_of(
            inner.map(Not),
            st.builds(_at_least, st.lists(inner, min_size=1, max_size=4), st.integers(0, 3)),
            st.builds(_share, st.lists(inner, min_size=1, max_size=4), SHARES),
        ),
        max_leaves=8,
    )


@st.composite
def with_rules(draw: st.DrawFn, config: Config) -> Config:
    """A configuration whose VIPs have rules, over checks, their services and the VIPs before them."""
    found = {name: draw(checks(name)) for name in ("a", "b.c")}
    topology, settings = config.topology, config.settings
    health, vips = dict(settings.health), list[Vip]()
    for vip in topology.vips:
        own = health[vip.name]
        names = [f"check/{name}" for name in found] + [f"vip/{each.name}" for each in vips]
        names += [own.source] * (own.source != "none")
        rule = draw(st.none() | rules(names))
        judged = replace(vip.health, rule=rule)
        if rule is not None and not asks_services(rule):
            own = replace(own, source="none", realservers=dict.fromkeys(own.realservers, ()))
            judged = replace(judged, checker=CheckerRule())
        health[vip.name] = replace(own, checks=checks_of(rule, found))
        vips.append(replace(vip, health=judged))
    return replace(
        config,
        topology=replace(topology, vips=tuple(vips)),
        settings=replace(settings, health=health, checks=found),
    )
