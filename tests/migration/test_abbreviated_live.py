"""Commands in short: what FRR takes of them is refused by the name of its line, or read as the whole of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from speaker.migration.bgpd_conf.model import Dialect, Treatment
from speaker.migration.bgpd_conf.reader import read
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.updates.evaluate import evaluate
from speaker.migration.updates.verdicts import account
from tests.support.lab.frr import Frr
from tests.support.lab.netns import Network
from tests.support.lab.requirements import require
from tests.support.lab.vty import Vty

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speaker.migration.bgpd_conf.model import Configuration

ROUTER = "router bgp 64699"
MAP = "route-map R permit 10"
LINES = {
    (): (
        "router bgp 64699",
        "route-map R deny 5",
        "ip prefix-list P seq 5 permit 192.0.2.0/24 ge 32",
        "ip prefix-list P permit any",
        "ip as-path access-list A permit any",
        "bgp as-path access-list A permit any",
        "ip community-list standard C permit no-export",
        "ipv6 prefix-list P permit any",
        "ipv6 access-list D permit any",
        "access-list D permit 192.0.2.1/32 exact-match",
        "interface eth0",
        "no router bgp 64699",
        "no route-map R",
        "no ip prefix-list P",
    ),
    (ROUTER,): (
        "bgp router-id 203.0.113.10",
        "bgp default local-preference 200",
        "no bgp default ipv4-unicast",
        "no bgp ebgp-requires-policy",
        "bgp graceful-shutdown",
        "bgp graceful-restart",
        "timers bgp 3 9",
        "neighbor G peer-group",
        "neighbor 203.0.113.2 remote-as 64500",
        "neighbor 203.0.113.2 remote-as external",
        "neighbor 203.0.113.1 shutdown",
        "neighbor 203.0.113.1 password secret",
        "neighbor 203.0.113.1 description some words",
        "neighbor 203.0.113.1 timers 3 9",
        "neighbor 203.0.113.1 timers connect 9",
        "neighbor 203.0.113.1 ebgp-multihop 3",
        "neighbor 203.0.113.1 ttl-security hops 2",
        "neighbor 203.0.113.1 update-source 203.0.113.10",
        "neighbor 203.0.113.1 local-as 64510 no-prepend replace-as",
        "neighbor 203.0.113.1 port 1179",
        "neighbor 203.0.113.1 bfd",
        "neighbor 203.0.113.1 passive",
        "neighbor 203.0.113.1 graceful-shutdown",
        "neighbor 203.0.113.1 dont-capability-negotiate",
        "address-family ipv6 unicast",
        "exit",
        "end",
    ),
    (ROUTER, "address-family ipv4 unicast"): (
        "network 192.0.2.9/32 route-map R",
        "network 192.0.2.9/32 backdoor",
        "no network 192.0.2.1/32",
        "redistribute connected route-map R",
        "redistribute static metric 5",
        "redistribute ospf",
        "aggregate-address 192.0.2.0/24 summary-only",
        "neighbor 203.0.113.1 activate",
        "no neighbor 203.0.113.1 activate",
        "neighbor 203.0.113.1 route-map R out",
        "neighbor 203.0.113.1 route-map R in",
        "neighbor 203.0.113.1 prefix-list P out",
        "neighbor 203.0.113.1 filter-list A out",
        "neighbor 203.0.113.1 distribute-list D out",
        "neighbor 203.0.113.1 default-originate",
        "neighbor 203.0.113.1 remove-private-AS all",
        "neighbor 203.0.113.1 attribute-unchanged",
        "neighbor 203.0.113.1 route-server-client",
        "neighbor 203.0.113.1 next-hop-self",
        "neighbor 203.0.113.1 soft-reconfiguration inbound",
        "neighbor 203.0.113.1 maximum-prefix-out 5",
        "no neighbor 203.0.113.1 send-community large",
        "no neighbor 203.0.113.1 send-community",
        "exit-address-family",
    ),
    (MAP,): (
        "match ip address prefix-list P",
        "match ip address D",
        "match ipv6 address prefix-list P",
        "match as-path A",
        "match community C",
        "match metric 5",
        "match origin incomplete",
        "set metric 5",
        "set as-path prepend 64699",
        "set as-path prepend last-as 2",
        "set community no-export additive",
        "set community none",
        "set large-community 64699:1:1 additive",
        "set origin incomplete",
        "set local-preference 200",
        "set ip next-hop 203.0.113.9",
        "set ipv6 next-hop global 2001:db8::9",
        "set weight 5",
        "call S",
        "on-match next",
        "on-match goto 30",
        "continue 30",
        "description some words",
        "exit",
    ),
}
"""By the block that they stand in."""
HEAD = (ROUTER, " no bgp ebgp-requires-policy", " neighbor 203.0.113.1 remote-as 64500")
TAIL = (
    ROUTER,
    "network 192.0.2.1/32 route-map R",
    "network 192.0.2.2/32",
    "ip prefix-list P permit 192.0.2.1/32",
    "route-map R permit 30",
)
NOT_TAKEN = (2, 3, 4)
"""What a vty answers to what is unknown, ambiguous or incomplete."""


@pytest.fixture(scope="module")
def vty() -> Iterator[Vty]:
    require("vtysh")
    with Network() as network:
        frr = Frr(network.host("lb"), None)
        with Vty(frr.folder / "bgpd.vty") as found:
            yield found


def shortened(line: str) -> Iterator[str]:
    """Yield a line with one of its words, or all of them, as short as may be."""
    words = line.split()
    keys = [i for i, word in enumerate(words) if re.fullmatch("[a-z][a-zA-Z4-6-]*", word)]
    for index in keys:
        for length in range(1, len(words[index])):
            yield " ".join([*words[:index], words[index][:length], *words[index + 1 :]])
    for length in (2, 3, 5):
        yield " ".join(word[:length] if i in keys else word for i, word in enumerate(words))


def understood(block: tuple[str, ...], line: str) -> tuple[Configuration | None, str]:
    """Read a file with a line, and return what is made of the line; no file where it is an error."""
    text = "\n".join([*HEAD, *block, line, *TAIL, ""])
    number = len(HEAD) + len(block) + 1
    try:
        found = read("frr.conf", text.encode(), Dialect.FRR)
    except MigrationError as error:
        return None, str(error)
    verdicts = account(found, evaluate(found))
    (verdict,) = (each for each in verdicts if each.statement.line == number)
    return found, str(verdict) if verdict.treatment is Treatment.REFUSED else ""


@pytest.mark.parametrize(
    "block", LINES, ids=lambda block: "-".join(block).replace(" ", "-") or "top"
)
def test_as_frr_takes_them(vty: Vty, block: tuple[str, ...]) -> None:
    """No line that FRR takes in short is passed over, or read as something else than the whole line."""
    taken, wrong = 0, []
    for line in LINES[block]:
        whole, of_whole = understood(block, line)
        for short in dict.fromkeys(shortened(line)):
            if short == line or "maximum-prefix 5" in short:  # which is a command of its own
                continue
            for entered in ("end", "configure terminal", *HEAD, *block):
                assert vty.say(entered)[1] == 0, entered
            if vty.say(short)[1] in NOT_TAKEN:
                continue
            taken += 1
            found, refused = understood(block, short)
            if refused:
                wrong += [refused] if "refuses" in refused else []
            elif of_whole or found is None or whole is None or sent(found) != sent(whole):
                wrong.append(f"{short}: is read as something else than {line}")
        vty.say("end")
        vty.say("configure terminal")
        vty.say(f"no {ROUTER}")
    assert taken > len(LINES[block]), "FRR takes some"
    assert wrong == []


def sent(found: Configuration) -> object:
    """Return all that a file says to its neighbours, and what stands in the way of knowing."""
    evaluation = evaluate(found)
    return (
        evaluation.updates,
        evaluation.silent,
        [each.reason for each in evaluation.obstacles],
        [(each.hold_time, each.local, each.shutdown) for each in found.neighbors],
    )
