"""Pins how ExaBGP shows neighbours whose configuration is nested, and tells two sessions to one address apart."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.daemons.golden import compare
from tests.daemons.stage import V4
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Config, ExaBgp, Flavour
from tests.support.lab.netns import Network
from tests.support.lab.puppet import Helper, Puppet
from tests.support.lab.session import Session

HEAD = "router-id 203.0.113.2; local-as 64699; peer-as 64500;"
NESTED = f"""
template {{
    neighbor common {{
        {HEAD}
        description "of a template {{ with; braces }}";
        api speaking {{
            processes [ speaker ]; neighbor-changes;
            receive {{ parsed; update; notification; }}
            send {{ parsed; update; }}
        }}
        api listening {{ processes [ listener ]; neighbor-changes; receive {{ parsed; open; }} }}
    }}
}}
neighbor 203.0.113.6 {{
    inherit common;
    local-address 203.0.113.5;
    family {{ ipv4 unicast; ipv6 unicast; }}
}}
neighbor 203.0.113.6 {{
    {HEAD}
    local-address 203.0.113.133;
    description "neighbor 198.51.100.9 {{";
    md5-password "}} {{ ; #";
    family {{ ipv4 unicast; ipv4 multicast; }}
    api {{ processes [ listener, speaker ]; neighbor-changes; send {{ parsed; update; }} }}
}}
neighbor 203.0.113.10 {{
    {HEAD}
    local-address 203.0.113.9;
    md5-password "two\\nlines\\n}}";
    family {{ ipv6 unicast; }}
    api {{ processes [ listener ]; receive {{ packets; consolidate; }} }}
}}
neighbor 2001:db8:ffff:2::2 {{
    {HEAD}
    local-address 2001:db8:ffff:2::1;
    family {{ ipv6 unicast; }}
    static {{ route 2001:db8::1/128 next-hop self; }}
}}
"""
CHOSEN = f"""
neighbor 203.0.113.14 {{
    {HEAD}
    family {{ ipv4 unicast; }}
    api {{ processes [ speaker ]; }}
}}
"""
"""A neighbour whose local address 5.0 chooses itself; 4.2 refuses a configuration that has none."""


def test_nested_configuration(flavour: Flavour) -> None:
    """Each process has an `api` section of its own; what was in quotes stands in quotes, as it is."""
    with Network() as network:
        here = network.host("here")
        puppet = Puppet(here)
        listener = "process listener { run /usr/bin/sleep 10000; encoder json; }\n"
        text = Config([], puppet.run).text() + listener + NESTED
        ExaBgp(here, flavour, text + CHOSEN * (flavour == "v5"))
        reply = puppet.helper().ask("show neighbor configuration")
        assert reply.status == "done"
        compare(flavour, "neighbor-configuration-nested", [], reply.lines)


@dataclass
class Twice:
    """Two sessions to one address of a BIRD, from two of ExaBGP's.

    Attributes:
        one: from the one.
        two: from the other.
    """

    one: Session
    two: Session
    bird: Bird
    helper: Helper

    def having(self, prefix: str) -> set[Session]:
        """Return at which ends of the sessions a prefix has arrived."""
        return {s for s in (self.one, self.two) if prefix in self.bird.routes(s.local)}

    def comes_to(self, *sessions: Session) -> None:
        """Wait until the prefix has arrived at the ends of some sessions, and at no other."""
        eventually(
            lambda: self.having(V4),
            until=lambda seen: seen == set(sessions),
            within=5,
            what=f"{V4} at {sessions}",
        )


@pytest.fixture
def twice(flavour: Flavour) -> Iterator[Twice]:
    """Both sessions established."""
    with Network() as network:
        here, there = network.host("here"), network.host("there")
        link = network.link(here, there)
        one, two = link.session(64699, 64500), link.second_session(64699, 64500)
        bird = Bird(there, [one.flipped(), two.flipped()])
        puppet = Puppet(here)
        ExaBgp(here, flavour, Config([one, two], puppet.run))
        helper = puppet.helper()
        bird.wait_for_sessions()
        yield Twice(one, two, bird, helper)


def selector(session: Session) -> str:
    """Return the words by which one of two sessions to an address is chosen."""
    return f"neighbor {session.remote} local-ip {session.local} local-as 64699 peer-as 64500"


def test_one_of_two_sessions_to_an_address(twice: Twice) -> None:
    """The address alone chooses both, `local-ip` one of them; a list may have both."""
    announce = f"announce attributes next-hop self nlri {V4}"
    withdraw = f"withdraw attributes next-hop 0.0.0.0 nlri {V4}"
    for session in (twice.one, twice.two):
        assert twice.helper.ask(f"{selector(session)} {announce}").status == "done"
        twice.comes_to(session)
        assert twice.helper.ask(f"{selector(session)} {withdraw}").status == "done"
        twice.comes_to()
    assert twice.helper.ask(f"neighbor {twice.one.remote} {announce}").status == "done"
    twice.comes_to(twice.one, twice.two)
    both = f"{selector(twice.one)} , {selector(twice.two)}"
    assert twice.helper.ask(f"{both} {withdraw}").status == "done"
    twice.comes_to()


def test_listings_of_two_sessions_to_an_address(twice: Twice, flavour: Flavour) -> None:
    """The Adj-RIB-Out, the states and `show neighbor` have the local address beside the peer's."""
    both = [twice.one, twice.two]
    events = eventually(
        lambda: [e for e in twice.helper.events if json.loads(e)["neighbor"]["state"] == "up"],
        until=lambda seen: len(seen) == 2,
        within=5,
        what="both told as up",
    )
    compare(flavour, "state-up-twice", both, sorted(events, key=lambda e: '.133"' in e))
    line = f"{selector(twice.two)} announce attributes next-hop self nlri {V4}"
    assert twice.helper.ask(line).status == "done"
    for command, name in (
        ("show neighbor extensive", "neighbor-extensive-twice"),
        ("show adj-rib out extensive", "adj-rib-out-twice"),
    ):
        reply = twice.helper.ask(command)
        assert reply.status == "done"
        compare(flavour, name, both, reply.lines)


def test_a_local_address_that_exabgp_chooses(flavour: Flavour) -> None:
    """5.0 shows it in what it says of the session once it is up, and goes on selecting by `local-ip None`."""
    if flavour == "v4":
        return  # 4.2 refuses such a configuration: "incomplete neighbor, missing local-address"
    with Network() as network:
        here, there = network.host("here"), network.host("there")
        link = network.link(here, there)
        one, two = link.session(64699, 64500), link.second_session(64699, 64500)
        bird = Bird(there, [one.flipped(), two.flipped()])
        puppet = Puppet(here)
        text = Config([one, two], puppet.run).text()
        ExaBgp(here, flavour, text.replace(f"local-address {one.local};", ""))
        helper = puppet.helper()
        bird.wait_for_sessions()
        twice = Twice(one, two, bird, helper)
        line = f"announce attributes next-hop {one.local} nlri {V4}"
        start = f"neighbor {one.remote} local-ip"
        assert helper.ask(f"{start} {one.local} {line}").status == "error"
        assert helper.ask(f"{start} None {line}").status == "done"
        twice.comes_to(one)
        (shown,) = helper.ask("show adj-rib out extensive").lines
        assert shown.startswith(f"{start} {one.local} ")
        states = [json.loads(event)["neighbor"] for event in helper.events]
        assert {state["address"]["local"] for state in states if state["state"] == "up"} == {
            one.local,
            two.local,
        }
