"""What is said of a vip.toml that can't be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speaker.files import vip_toml

if TYPE_CHECKING:
    from pathlib import Path


def test_a_directory(tmp_path: Path) -> None:
    """A directory is called one, whoever may write there."""
    tmp_path.chmod(0o1777)
    with pytest.raises(vip_toml.VipTomlError, match=r"^Is a directory; name the file"):
        vip_toml.content(tmp_path, obeyed=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[vip."a.tld"]\n[vip."a.tld"]', 'Cannot declare vip."a.tld" twice'),
        ("[node]\n[node]", "Cannot declare node twice"),
    ],
)
def test_a_table_twice(text: str, said: str) -> None:
    """A table that stands there twice is named as in the file."""
    with pytest.raises(vip_toml.VipTomlError) as caught:
        vip_toml.parsed(text.encode(), {})
    assert str(caught.value).startswith(f"not TOML: {said} ")
