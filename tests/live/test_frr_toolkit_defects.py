"""What the shell toolkit did wrong beside a live bgpd, each shown not to happen any more."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.support.lab.dns import DnsServer, Reply, records
from tests.support.lab.fixtures import once
from tests.support.lab.frr_site import Bench
from tests.support.lab.history import TRACE, History
from tests.support.lab.inside import inside
from tests.support.lab.netns import Network
from tests.support.lab.release import Release
from tests.support.lab.requirements import require
from tests.support.lab.site import misses, sees, vip

LIVE, DEAD = 8081, 8082
V4, V6 = "192.0.2.1/32", "2001:db8::1/128"
ALIKE = {"192.0.2.10/32", "192.0.2.11/32"}
DNS = {
    "vip-1.tld A": records("vip-1.tld. A 192.0.2.1"),
    "vip-1.tld AAAA": records("vip-1.tld. AAAA 2001:db8::1"),
    "www.tld A": records("www.tld. CNAME vip-1.tld.", "vip-1.tld. A 192.0.2.1"),
    "www.tld AAAA": records("www.tld. CNAME vip-1.tld.", "vip-1.tld. AAAA 2001:db8::1"),
    "nowhere.tld A": Reply(rcode="NXDOMAIN"),
    "nowhere.tld AAAA": Reply(rcode="NXDOMAIN"),
}
MANY = {f"192.0.2.{number}" for number in range(100, 150)}
TABLES: Mapping[str, Any] = {
    "vip": {
        "vip-1.tld": vip("192.0.2.1", "2001:db8::1", ports=[LIVE]),
        "alike.tld": vip("192.0.2.10", "192.0.2.11", ports=[LIVE]),
        "half.tld": {
            "addresses": ["192.0.2.20"],
            "services": {
                "tcp/80": {"realservers": [f"127.0.0.1:{LIVE}"]},
                "tcp/443": {"realservers": [f"127.0.0.1:{DEAD}"]},
            },
        },
        "many.tld": vip(*sorted(MANY), ports=[LIVE]),
    }
}
MOST = {V4, V6, *ALIKE, *(f"{address}/32" for address in MANY)}


pytestmark = once


@pytest.fixture(scope="module")
def bench(release_network: Network, release: Release) -> Iterator[Bench]:
    require("bird")
    bench = Bench(release_network, TABLES, up=[LIVE], options=TRACE, root=release.root)
    with inside(bench.host):
        server = DnsServer(DNS).__enter__()
    try:
        address, port = server.endpoint
        bench.site.configure({"node": {"resolver": f"{address}:{port}"}})
        bench.keep()
        yield bench
    finally:
        server.__exit__(None, None, None)


@pytest.fixture
def dc(bench: Bench) -> Bench:
    """A data centre that announces all that lives."""
    bench.bird.wait_for_sessions()
    bench.reset()
    assert bench.site.cron()[0] == 0
    sees(bench.bird, *MOST)
    return bench


def test_toolkit_said_nothing_of_a_name_that_does_not_resolve(dc: Bench) -> None:
    """No message and exit status 0. Ours says so, exits with 255, and changes nothing for any name."""
    history = History(dc.bird)
    status, said = dc.site.mgmt("-d", "vip-1.tld", "nowhere.tld")
    assert (status, "Unable to lookup nowhere.tld. Exiting.." in said) == (255, True)
    assert dc.site.cron() == (0, "")
    assert history.events() == []


def test_toolkit_sent_a_cname_to_bgpd_as_a_prefix(dc: Bench) -> None:
    """`no network vip-1.tld./32`. Ours follows it to both addresses."""
    said = f"bgp_mgt: Deleting route to {V4}\nbgp_mgt: Deleting route to {V6}\n"
    assert dc.site.mgmt("-d", "www.tld") == (0, said)
    misses(dc.bird, V4, V6)


def test_toolkit_matched_addresses_like_patterns(dc: Bench) -> None:
    """`grep 192.0.2.1 bgpd.conf` finds 192.0.2.10 and 192.0.2.100 too. Ours drains the one that was named."""
    history = History(dc.bird)
    assert dc.site.mgmt("-d", "192.0.2.1")[0] == 0
    misses(dc.bird, V4)
    assert dc.site.mgmt("-a", "192.0.2.1")[0] == 0
    sees(dc.bird, V4)
    assert {event.prefix for event in history.events()} == {V4}


def test_toolkit_undid_a_drain_at_the_next_watchdog_run(dc: Bench) -> None:
    """Within a minute the drained VIP was back. Ours stays withdrawn until `-a`."""
    assert dc.site.mgmt("-d", "vip-1.tld")[0] == 0
    misses(dc.bird, V4, V6)
    history = History(dc.bird)
    for _ in range(2):
        assert dc.site.cron() == (0, "")
    assert history.events() == []


def test_toolkit_flapped_a_vip_of_which_one_service_was_down(dc: Bench) -> None:
    """Per service: one withdrew, the next restored, every minute. Ours decides once for a VIP."""
    history = History(dc.bird)
    for _ in range(3):
        assert dc.site.cron() == (0, "")
    assert history.events() == []
    dc.site.realservers.open(DEAD)
    assert dc.site.cron()[0] == 0
    sees(dc.bird, "192.0.2.20/32")
    for _ in range(2):
        assert dc.site.cron() == (0, "")
    assert history.verbs("192.0.2.20/32") == ["added"]


def test_toolkit_never_withdrew_a_dead_ipv4_vip(dc: Bench) -> None:
    """It asked for a /128. Ours withdraws both families when the realservers are gone."""
    dc.site.realservers.close(LIVE)
    assert dc.site.cron()[0] == 0
    misses(dc.bird, *MOST)


def test_toolkit_took_52_s_for_50_vips(dc: Bench) -> None:
    """One process and one second each. Ours: one batch, well under a second of work for all."""
    began = time.monotonic()
    status, said = dc.site.mgmt("-d", *sorted(MANY))
    taken = time.monotonic() - began
    assert (status, said.count("Deleting route to")) == (0, 50)
    misses(dc.bird, *(f"{address}/32" for address in MANY))
    assert taken < 20, "on any machine; ./dev bench measures it"


def test_toolkit_left_bgpd_instances_behind(dc: Bench) -> None:
    """`router bgp N` where there is none makes one. Ours never writes before it has seen one."""
    dc.frr.stop()
    dc.frr.write("")
    dc.frr.start()
    try:
        assert dc.site.mgmt("-d", "192.0.2.1")[0] == 1
        assert "router bgp" not in dc.frr.ask("show running-config")
    finally:
        dc.frr.stop()
        dc.frr.write(dc.text)
        dc.frr.start()


def test_toolkit_wrote_no_start_file_and_neither_do_we(dc: Bench) -> None:
    """A drain changes the running state only: nothing of ours is ever in the file."""
    before = dc.frr.file.read_bytes()
    dc.site.mgmt("-d", "vip-1.tld")
    dc.site.cron()
    assert dc.frr.file.read_bytes() == before
