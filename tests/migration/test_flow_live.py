"""Route-maps that go on, jump and call each other: what is said of a network is what FRR makes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from speaker.migration.bgpd_conf.reader import read
from speaker.migration.updates.evaluate import evaluate
from tests.support.lab.eventually import eventually
from tests.support.lab.frr import Frr
from tests.support.lab.vty import Vty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from speaker.migration.bgpd_conf.model import Configuration
    from tests.support.lab.netns import Network
    from tests.support.lab.release import Release

HEAD = (
    "frr version 8.4.4",
    "ip prefix-list ONE permit 192.0.2.1/32",
    "ip prefix-list TWO permit 192.0.2.0/30 ge 32",
)
ROUTER = ("router bgp 64699", " no bgp ebgp-requires-policy", " no bgp network import-check")
NEIGHBOR = " neighbor 203.0.113.1 remote-as 64500"
PREFIXES = ("192.0.2.1/32", "192.0.2.2/32", "192.0.2.9/32")
NAMES = ("A", "B", "C")

SETS = st.sampled_from([
    *("set metric 7", "set metric +5", "set metric -3", "set metric +4294967295"),
    *("set as-path prepend 64699", "set as-path prepend last-as 2", "set community 64699:1"),
    *("set community 64699:2 additive", "set extcommunity rt 64699:1 64699:2"),
    *("set extcommunity rt 64699:2 192.0.2.1:5", "set extcommunity soo 65546:1"),
    "set extcommunity none",
])  # fmt: skip
MATCHES = st.sampled_from(["match ip address prefix-list ONE", "match ip address prefix-list TWO"])


def flip(draw: Callable[[st.SearchStrategy[bool]], bool]) -> bool:
    """Draw yes or no."""
    return draw(st.booleans())


@st.composite
def clauses(draw: st.DrawFn, name: str) -> list[str]:
    """Draw a route-map; it calls only maps with later names, so that none calls itself."""
    found: list[str] = []
    for number in range(draw(st.integers(1, 4))):
        sequence = 10 * number + 10
        action = draw(st.sampled_from(["permit", "permit", "permit", "deny"]))
        jumps = [
            "on-match next",
            f"on-match goto {sequence + 15}",
            f"continue {sequence + 20}",
        ]
        calls = [f"call {other}" for other in (*NAMES, "NOWHERE") if other > name]
        found.append(f"route-map {name} {action} {sequence}")
        found += [f" {draw(MATCHES)}"] if flip(draw) else []
        found += [f" {line}" for line in draw(st.lists(SETS, max_size=2, unique_by=kind))]
        if action == "deny":
            continue  # which FRR lets go nowhere
        found += [f" {draw(st.sampled_from(jumps))}"] if flip(draw) else []
        found += [f" {draw(st.sampled_from(calls))}"] if calls and flip(draw) else []
    return found


def kind(line: str) -> str:
    """Return what a line sets, which a clause does once."""
    return " ".join(line.split()[1:3]) if "as-path" in line else line.split()[1]


MAPS = st.tuples(*(clauses(name) for name in NAMES)).map(
    lambda each: [*each[0], *each[1], *each[2]]
)


@pytest.fixture(scope="module")
def vty(release_network: Network, release: Release) -> Iterator[Vty]:
    frr = Frr(release_network.host("lb"), None, root=release.root)
    with Vty(frr.folder / "bgpd.vty") as found:
        yield found


def announced(vty: Vty, maps: list[str]) -> dict[str, tuple[object, ...]]:
    """Return what bgpd has of the networks: MED, AS_PATH, communities, extended ones each once."""
    for line in ("no router bgp 64699", *(f"no route-map {name}" for name in NAMES)):
        vty.say(line)
    for line in (*HEAD[1:], *maps, *ROUTER, *networks()):
        assert vty.say(line.strip())[1] == 0, line

    # Networks are looked at in their order: once the last is there, each other one is, or is denied.
    eventually(lambda: shown(vty, "198.51.100.1/32"), within=20, what="the last network")
    found = {prefix: shown(vty, prefix) for prefix in (*PREFIXES, "198.51.100.1/32")}
    return {prefix: path for prefix, path in found.items() if path is not None}


def shown(vty: Vty, prefix: str) -> tuple[object, ...] | None:
    """Return what bgpd has of one network."""
    said, _ = vty.say(f"do show bgp ipv4 unicast {prefix} json")
    paths = json.loads(said[said.index("{") :]).get("paths")
    if not paths:
        return None
    (path,) = paths
    text = path["aspath"]["string"].replace("Local", "")
    extended = path.get("extendedCommunity", {}).get("string", "")
    each = {one.replace("RT:", "rt:").replace("SoO:", "soo:") for one in extended.split()}
    communities = path.get("community", {}).get("string", "")
    return path.get("metric", 0), text, communities, " ".join(sorted(each))


def networks() -> list[str]:
    found = [f" network {prefix} route-map A" for prefix in PREFIXES]
    return [*found, " network 198.51.100.1/32"]


def evaluated(configuration: Configuration) -> dict[str, tuple[object, ...]]:
    """Return the same of what is said of the file; the AS that eBGP adds is left out."""
    (sent,) = evaluate(configuration).updates.values()
    return {
        str(prefix): (
            update.attributes.med,
            " ".join(map(str, update.attributes.as_path.asns[1:])),
            " ".join(sorted(map(str, update.attributes.communities))),
            " ".join(sorted(map(str, update.attributes.extended_communities))),
        )
        for prefix, update in sent.items()
    }


@settings(
    deadline=None,
    max_examples=25,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # daemons are too slow to shrink with
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(maps=MAPS)
@example(maps=["route-map A permit 10", " set metric 5", " on-match next"])
@example(maps=["route-map A permit 10", " call B", " set metric 5", "route-map B deny 10"])
@example(maps=["route-map A permit 10", " call B", "route-map B permit 10", " set metric +5"])
def test_as_frr_does(vty: Vty, maps: list[str]) -> None:
    """Every network has the attributes that FRR gives it, and none is announced that FRR denies.

    Of those that the end of a route-map meets nothing is said.
    """
    text = "\n".join([*HEAD, *maps, *ROUTER, NEIGHBOR, *networks(), ""])
    configuration = read("frr.conf", text.encode())
    got = announced(vty, maps)
    evaluation = evaluate(configuration)
    (unclear,) = (
        {str(prefix) for prefix, met in each.items() if met} for each in evaluation.met.values()
    )
    said = evaluated(configuration)
    for prefix in {*said, *got} - unclear:
        assert said.get(prefix) == got.get(prefix), text
