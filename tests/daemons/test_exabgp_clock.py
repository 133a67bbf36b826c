"""Pins what becomes of ExaBGP's sessions when the machine's time is set: its timers go by the time of day."""

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Config, ExaBgp, Flavour
from tests.support.lab.netns import Network
from tests.support.lab.puppet import Puppet
from tests.support.lab.requirements import require
from tests.support.lab.skew import Skew

HOUR = 3600


@pytest.mark.nightly  # no change of this program changes it
@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_the_time_is_set(flavour: Flavour, seconds: int) -> None:
    """Set forward, the hold time is over at once; set back, no KEEPALIVE is sent until the router's is. The session comes again."""
    require("bird", flavours=(flavour,))
    with Network() as network:
        link = network.link(network.host("speaker"), network.host("peer"))
        host, session = link.a.namespace, link.session(64699, 64500)
        bird = Bird(link.b.namespace, [session.flipped()])
        puppet, skew = Puppet(host), Skew(network.directory)
        config = Config([session], puppet.run, options=["hold-time 3;"])
        ExaBgp(host, flavour, config, env=skew.env)
        helper = puppet.helper()
        bird.wait_for_sessions()
        told = eventually(
            lambda: helper.states(session.remote),
            until=lambda states: states[-1:] == ["up"],
            within=10,
            what="the session",
        )
        skew.set(seconds)
        eventually(
            lambda: helper.states(session.remote)[len(told) :],
            until=lambda states: "down" in states and states[-1] == "up",
            within=30,
            what="that it ended and came again",
        )
