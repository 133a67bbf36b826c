"""[drain] in vip.toml: what it means, and what is no rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from policy.drain import DrainRule, Then
from policy.route import Community
from speaker import config
from speaker.config.build_drain import MAX_DCS

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
[node]
dc = "par1"
[dc.par1]
asn = 64699
[vip."vip-1.tld"]
addresses = ["192.0.2.1"]
[vip."vip-2.tld"]
addresses = ["192.0.2.2"]
"""


def rules(tmp_path: Path, text: str) -> list[DrainRule]:
    """Return how VIPs and aggregates drain."""
    path = tmp_path / "vip.toml"
    path.write_text(HEAD + text)
    return [each.drain for each in config.load(path, {}).topology.everything]


def test_by_default(tmp_path: Path) -> None:
    """A file that says nothing has the defaults, one object for all."""
    one, other = rules(tmp_path, "")
    assert one == DrainRule()
    assert one is other


def test_of_the_site_and_of_a_vip(tmp_path: Path) -> None:
    """A VIP has of its own what it says; aggregates have what the site says."""
    found = rules(
        tmp_path,
        """
        drain = { timeout = "1h", then = "stay" }
        [drain]
        prepends = "+2"
        communities = ["64699:666", "65535:0"]
        settle = "1s"
        connections = 9
        quiet = "2s"
        timeout = "3m"
        return = "4s"
        [aggregate."192.0.2.0/24"]
        """,
    )
    communities = (Community(64699, 666), Community(65535, 0))
    site = DrainRule(2, communities, 1.0, 9, 2.0, 180.0, Then.WITHDRAW, 4.0)
    own = DrainRule(2, communities, 1.0, 9, 2.0, 3600.0, Then.STAY, 4.0)
    assert found == [site, own, site]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[drain]\nprepends = "+0"', "drain: prepends: 0: not a number from 1 to 32"),
        ("[drain]\nprepends = 3", "drain.prepends: 3 is not a string"),
        ('[drain]\ntimeout = "29s"', "drain: timeout: 29s: is shorter than settle or quiet"),
        ('[drain]\nthen = "cut"', "drain.then: "),
        ('[drain]\nreturns = "1m"', "drain.returns: "),
        ('drain = { quiet = "1h" }', 'vip."vip-2.tld".drain: timeout: 900s: is shorter than'),
        ('drain = { communities = ["x"] }', 'vip."vip-2.tld".drain.communities[0]: '),
    ],
)
def test_faults(tmp_path: Path, text: str, fault: str) -> None:
    """What makes no sense is said with its place."""
    with pytest.raises(config.ConfigError) as caught:
        rules(tmp_path, text)
    assert fault in str(caught.value)


def test_too_many_data_centres(tmp_path: Path) -> None:
    """No more may drain at once than an AS_PATH has room for."""
    more = "".join(f"[dc.d{n}]\nasn = 64699\n" for n in range(MAX_DCS))
    text = f'{more}[policy]\norder = "none"\nprepends = {[0] * (MAX_DCS + 1)}'
    with pytest.raises(config.ConfigError, match=f"{MAX_DCS + 1} data centres; an AS_PATH"):
        rules(tmp_path, text)
