"""`local-as` and `remove-private-AS` by real FRR, and by the evaluation of its file: the same UPDATEs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf.reader import read
from speaker.migration.updates.evaluate import evaluate
from tests.migration.stage import Stage
from tests.migration.words import expected
from tests.support.lab.requirements import require

if TYPE_CHECKING:
    from tests.support.lab.netns import Network
    from tests.support.lab.release import Release

LOCAL = ("", "local-as 65537", "local-as 65537 no-prepend", "local-as 65537 no-prepend replace-as")
PRIVATE = ("", " all", " replace-AS", " all replace-AS")
NEIGHBORS = (1, 2, 3, 4, 5, 6, 7, 8, 21, 22)
NETWORKS = {
    1: "",
    2: "64699",
    3: "64699 64699 64500",
    4: "64512 4200000000",
    5: "64511",
    6: "64511 64699",
}
"""By the last number of an address what is prepended to it."""
MORE = "route-map MORE permit 10\n set metric 7\nexit\n"


def written() -> str:
    """Return a file with a neighbour for each way to say it, two of them with a route-map of their own."""
    lines = [
        "frr version 8.4.4",
        "frr defaults traditional",
        "router bgp 64699",
        " bgp router-id 203.0.113.10",
        " no bgp ebgp-requires-policy",
        " no bgp network import-check",
    ]
    family = [f"  network 192.0.2.{last}/32 route-map N{last}" for last in NETWORKS]
    for number, words in zip(
        NEIGHBORS, [*LOCAL, *("" for _ in PRIVATE), LOCAL[3], ""], strict=True
    ):
        lines.append(f" neighbor 203.0.113.{number} remote-as 64502")
        lines += [f" neighbor 203.0.113.{number} {words}"] if words else []
    for number, words in enumerate(PRIVATE, start=len(LOCAL) + 1):
        family.append(f"  neighbor 203.0.113.{number} remove-private-AS{words}")
    for number in NEIGHBORS[-2:]:
        family.append(f"  neighbor 203.0.113.{number} route-map MORE out")
        family.append(f"  neighbor 203.0.113.{number} remove-private-AS")
    lines += [" address-family ipv4 unicast", *family, " exit-address-family", "exit"]
    for last, asns in NETWORKS.items():
        lines.append(f"route-map N{last} permit 10")
        lines += [f" set as-path prepend {asns}"] if asns else []
        lines.append("exit")
    return "\n".join([*lines, MORE])


def test_same_updates(release_network: Network, release: Release) -> None:
    """Each way to say it, with prepends that are private, public, and both; before a route-map and in it."""
    require("bird")
    text = written()
    stage = Stage(release_network, "others", text.encode())
    stage.begin_frr(release.root)
    stage.begin_routers()
    evaluation = evaluate(read("frr.conf", text.encode()))
    assert not evaluation.obstacles
    assert stage.frr_sent() == expected(evaluation, stage)
