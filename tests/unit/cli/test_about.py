"""What history is asked about: VIPs, and what their rules name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speaker import config
from speaker.cli.about import find
from speaker.cli.targets import TargetError, Targets
from speaker.resolver.resolver import Answer
from tests.support.fakes.site import SECOND, V4, V6, write_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MORE = """
[report.shop]
[check.shop]
http = "http://192.0.2.11:8080/ready"
[check.idle]
http = "http://192.0.2.12:8080/ready"
[vip."vip-3.tld"]
addresses = ["192.0.2.3"]
rule = { all = ["check/shop", "report/shop"] }
"""


def found(directory: Path, *names: str) -> Targets:
    """Return what names mean; DNS knows none."""

    def lookup(asked: Sequence[str]) -> dict[str, Answer]:
        assert not [name for name in asked if "/" in name], "a source is no name of DNS"
        return {name: Answer(name, exists=False) for name in asked}

    return find(names, config.load(write_config(directory, MORE), {}), lookup)


def test_sources(tmp_path: Path) -> None:
    """A report is meant itself; of a check the VIPs that ask it, which is said; vip/NAME is that VIP."""
    both = found(tmp_path, "report/shop", "vip-2.tld", "report/shop")
    assert (both.prefixes, both.reports) == ((SECOND,), ("report/shop",))
    check = found(tmp_path, "check/shop")
    assert ([*map(str, check.prefixes)], check.reports) == (["192.0.2.3/32"], ())
    assert check.notes[0] == (
        "check/shop: a check has no history of its own; this is that of vip-3.tld, whose rule asks it"
    )
    assert found(tmp_path, "vip/VIP-1.tld").prefixes == (V4, V6)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("report/shpo", "report/shpo: not in vip.toml; did you mean report/shop?"),
        ("check/shpo", "check/shpo: not in vip.toml; did you mean check/shop?"),
        ("check/idle", "check/idle: no VIP's rule asks it, and a check has no history of its own"),
        ("vip/vip-4.tld", "did you mean vip/vip-"),
    ],
)
def test_wrong_ones(tmp_path: Path, name: str, said: str) -> None:
    """What vip.toml lacks is refused with the nearest names, and never looked up in DNS."""
    with pytest.raises(TargetError) as caught:
        found(tmp_path, name)
    assert said in str(caught.value)
