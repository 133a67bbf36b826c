"""The page that takes a machine out of service, typed word for word: each command does what stands beside it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from speaker import vip_mgmt
from tests.live.runbook import blocks
from tests.support.fakes.site import V4, V6
from tests.unit.control.test_server import served

if TYPE_CHECKING:
    import pytest

    from tests.support.fakes.site import Site

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "take-a-machine-out-of-service.md"
QUICK = '[drain]\nsettle = "0s"\nquiet = "0s"\ntimeout = "100ms"\n'
ALL = 3
"""How many prefixes the site has."""


def test_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All are withdrawn when the drain returns, come back softly, and history has all of it."""
    monkeypatch.setenv("VIP_CONFIG", str(tmp_path / "vip.toml"))
    (block,) = blocks(PAGE)[""]
    said: list[str] = []

    def typed(site: Site) -> None:
        for line in block.splitlines():
            command, *words = shlex.split(line, comments=True)
            assert command == "vip_mgmt"
            assert vip_mgmt.main(words) == 0, line
            said.append("".join(capsys.readouterr()))
            is_out = 2 <= len(said) <= 3
            assert ({str(V4), str(V6)} <= site.table()) is not is_out, line

    served(tmp_path, typed, QUICK)
    rehearsed, drained, out, back, returning, history = said
    assert rehearsed.count("would go to lyo1") == ALL
    assert drained.count("Deleting route to ") == ALL
    assert out.count("drained by ") == out.count(": new kernel") == ALL
    assert back.count("Adding route to ") == ALL
    assert returning.count("returning by ") == ALL
    assert {"draining", "drained", "withdrawn:", "returning"} <= {*history.split()}
