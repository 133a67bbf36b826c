"""What a run that cares for a part of vip.toml has to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from policy.route import parse_prefix
from speaker import config
from speaker.reconcile.scope import scope
from tests.support.fakes.site import write_config

if TYPE_CHECKING:
    from pathlib import Path

MORE = """
[vip."web.example"]
addresses = ["192.0.2.21"]
rule = "vip/shop.example"

[vip."shop.example"]
addresses = ["192.0.2.22", "192.0.2.23"]
rule = { all = ["ipvs", "vip/dns.example"] }

[vip."dns.example"]
addresses = ["192.0.2.9"]

[vip."other.example"]
addresses = ["192.0.2.10"]

[aggregate."192.0.2.8/30"]
"""
ALONE, ASKED = ["192.0.2.1/32"], ["192.0.2.22/32", "192.0.2.23/32"]
TOGETHER = ["192.0.2.8/30", "192.0.2.9/32", "192.0.2.10/32"]


@pytest.mark.parametrize(
    ("only", "found"),
    [
        ("192.0.2.1/32", ALONE),
        ("192.0.2.10/32", TOGETHER),
        ("192.0.2.22/32", ["192.0.2.22/32", *TOGETHER]),
        ("192.0.2.21/32", ["192.0.2.21/32", *ASKED, *TOGETHER]),
    ],
)
def test_what_decides_it(tmp_path: Path, only: str, found: list[str]) -> None:
    """Those that its rule asks for are looked at, too, and by which their aggregates are decided."""
    loaded = config.load(write_config(tmp_path, MORE), {})
    own = scope(loaded, {parse_prefix(only)}).assignments
    assert {*map(str, own)} == {*found}
