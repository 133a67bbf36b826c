"""What vip_mgmt check says last."""

from __future__ import annotations

from pathlib import Path

import pytest

from speaker.cli.policy_tables import check_text


@pytest.mark.parametrize(
    ("prefixes", "shown"), [(0, "no prefix"), (1, "1 prefix"), (2, "2 prefixes")]
)
def test_number(prefixes: int, shown: str) -> None:
    """One prefix is one."""
    assert check_text(Path("vip.toml"), prefixes, []) == f"vip.toml: {shown}, no findings"
