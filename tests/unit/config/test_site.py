"""`[site]`: what it means, and what is said of every fault."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from speaker.config.render import render
from speaker.config.settings_site import SiteSettings
from tests.unit.config.test_load import HEAD, VIP, faults, load

ALL = """
[site]
etcd = ["https://192.0.2.21:2379", "https://[2001:db8::21]:2379/", "http://127.0.0.1:2379"]
prefix = "/paris/"
ca = "/etc/ca.pem"
cert = "/etc/c.pem"
key = "/etc/k.pem"
user = "vip"
password_file = "/etc/password"
machine = "lb1"
patience = "100ms"
ttl = "4500ms"
timeout = "1m"
start_wait = "0s"
"""
ONE = 'etcd = ["https://192.0.2.21:2379"]\n'


def test_nothing() -> None:
    """Without the table a machine stands alone."""
    found = load(HEAD + VIP)
    assert found.settings.site is None
    assert "site" not in render(found)


def test_every_key() -> None:
    """Each key, in its units; leases last whole seconds. What is written out again means the same."""
    found = load(HEAD + VIP + ALL)
    assert found.settings.site == SiteSettings(
        ("https://192.0.2.21:2379", "https://[2001:db8::21]:2379", "http://127.0.0.1:2379"),
        "lb1",
        "/paris/",
        Path("/etc/ca.pem"),
        Path("/etc/c.pem"),
        Path("/etc/k.pem"),
        "vip",
        Path("/etc/password"),
        0.1,
        5.0,
        60.0,
        0.0,
    )
    assert load(render(found)).settings.site == found.settings.site


def test_a_machine_is_called_as_its_host() -> None:
    """Without a name of its own a machine has the host's, up to its first dot; the rest is as by default."""
    found = load(f"{HEAD}{VIP}[site]\n{ONE}").settings.site
    assert found == SiteSettings(
        ("https://192.0.2.21:2379",), socket.gethostname().partition(".")[0]
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "etcd"),
        ("etcd = []", "etcd"),
        ('etcd = ["192.0.2.21:2379"]', "not the URL of a member"),
        ('etcd = ["https://192.0.2.21"]', "not the URL of a member"),
        ('etcd = ["https://192.0.2.21:0"]', "not the URL of a member"),
        (
            'etcd = ["https://192.0.2.21:99999"]',
            "is not the URL of a member of etcd; write it like",
        ),
        ('etcd = ["https://192.0.2.21:2379/v3"]', "not the URL of a member"),
        ('etcd = ["https://a:b@192.0.2.21:2379"]', "not the URL of a member"),
        ('etcd = ["https://192.0.2.21:2379?"]', "not the URL of a member"),
        ('etcd = ["https://etcd.example:2379"]', "write an address"),
        ('etcd = ["http://192.0.2.21:2379"]', "is not loopback"),
        ('etcd = ["https://192.0.2.21:2379", "https://192.0.2.21:2379"]', "twice"),
        (ONE + 'prefix = "/a"', "/ last"),
        (ONE + 'prefix = "/a b/"', "no blanks"),
        (ONE + 'prefix = ""', "/ last"),
        (ONE + 'cert = "/etc/c.pem"', "of no use without site.key"),
        (ONE + 'key = "/etc/k.pem"', "of no use without site.cert"),
        (ONE + 'user = "vip"', "of no use without site.password_file"),
        (ONE + 'password_file = "/etc/p"', "of no use without site.user"),
        (ONE + 'user = ""\npassword_file = "/etc/p"', "not a user of etcd"),
        ('etcd = ["http://[::1]:2379"]\nca = "/etc/ca.pem"', "of no use without https://"),
        (ONE + 'ca = "ca.pem"', "not absolute"),
        (ONE + 'machine = "a/b"', "not the name of a machine"),
        (ONE + 'patience = "11s"', "patience"),
        (ONE + 'start_wait = "2h"', "start_wait"),
        (ONE + 'ttl = "1s"', "ttl"),
        (ONE + 'timeout = "1ms"', "timeout"),
        (ONE + 'ttll = "5s"', "ttll"),
    ],
)
def test_faults(text: str, said: str) -> None:
    """What makes no sense is refused, with what to do."""
    assert any(said in each for each in map(str, faults(f"{HEAD}{VIP}[site]\n{text}")))


def test_a_long_name_of_a_data_centre() -> None:
    """A data centre's name is part of keys, and bounded with `[site]`."""
    long = f"[dc.{'x' * 65}]\nasn = 64699\n"
    assert any("64 characters" in each for each in faults(f"{HEAD}{long}{VIP}[site]\n{ONE}"))
    load(HEAD + long + VIP)


def test_what_tells_sites_apart() -> None:
    """What is of one machine does not tell two files of a site apart; all else does, the order of data centres too."""

    def of_site(text: str, dc: str = "par1") -> str:
        file = load(text, VIP_DC=dc).file
        assert file is not None
        return file.of_site

    whole = f'{HEAD}{VIP}[site]\n{ONE}machine = "lb1"\n'
    same = of_site(whole)
    assert len(same) == 16
    assert of_site(whole.replace("lb1", "lb2")) == same
    assert of_site(whole + '[metrics]\nlisten = "127.0.0.1:9000"\n') == same
    assert of_site(whole, dc="lyo1") == same
    assert of_site(whole.replace('192.0.2.1"', '192.0.2.3"')) != same
    assert of_site(whole.replace("[dc.par1]", "[dc.x]").replace("[dc.lyo1]", "[dc.par1]").replace("[dc.x]", "[dc.lyo1]")) != same  # fmt: skip
    assert of_site(HEAD + VIP) == ""
