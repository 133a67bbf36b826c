"""What completion asks for: names, and never a word of trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speaker.cli.names import names

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
[dc.par1]
[peer."2001:db8:ffff::1"]
[report.shop]
[vip."a.tld"]
[vip."b c"]
[vip."`x`"]
"""


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        (["vip"], ["all", "a.tld"]),
        (["dc"], ["par1"]),
        (["peer"], ["2001:db8:ffff::1"]),
        (["history"], ["all", "a.tld", "report/shop"]),
        (["node"], []),
        ([], []),
        (["dc", "vip"], []),
    ],
)
def test_names(tmp_path: Path, kinds: list[str], found: list[str]) -> None:
    """Those that a shell takes for one word, and nothing for what is not known."""
    (tmp_path / "vip.toml").write_text(FILE)
    assert names(kinds, tmp_path / "vip.toml") == found


@pytest.mark.parametrize("text", ["vip = 1", "[vip", ""])
def test_a_faulty_file(tmp_path: Path, text: str) -> None:
    """A file that is not whole has no names."""
    (tmp_path / "vip.toml").write_text(text)
    assert names(["dc"], tmp_path / "vip.toml") == []
    assert names(["dc"], tmp_path / "none") == []
