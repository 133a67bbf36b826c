"""vip_mgmt beside bgpd where no daemon runs: what a question may touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from policy.route import parse_prefix
from policy.site_intent import Extent
from speaker import config
from speaker.api import IntentRequest, RecordedIntent
from speaker.runtime.one_shot import OneShot
from speaker.state.store import Store, StoreError
from tests.support.fakes.site import write_config

if TYPE_CHECKING:
    from pathlib import Path

V4 = parse_prefix("192.0.2.1")
BGPD = '[health]\nsource = "none"\n[backend.quagga]\nvtysh = "{directory}/no-vtysh"\n'


def test_a_question_writes_nothing(tmp_path: Path) -> None:
    """Status and explain make no state file, and leave one that is there as it is; what it has is told."""
    path = write_config(tmp_path, BGPD.format(directory=tmp_path))
    asked = OneShot(config.load(path, {"VIP_BACKEND": "quagga"}))
    state = tmp_path / "state.sqlite3"
    files = {each.name for each in tmp_path.iterdir()}
    asked.status()
    asked.explain([])
    assert {each.name for each in tmp_path.iterdir()} == files
    store = Store(state)
    store.set_intents({V4: Intent(Mode.DRAINED, "alice", 0.0)})
    store.close()
    before = state.read_bytes()
    shown = {route.prefix: route.intent for route in asked.status().routes}
    assert shown[str(V4)] == "drained"
    assert [explained.intent for explained in asked.explain([V4])] == ["drained"]
    assert state.read_bytes() == before


def test_orders_of_the_site(tmp_path: Path) -> None:
    """Without a watchdog, what was asked of the site is explained by this machine's copy of it."""
    site = '[site]\netcd = ["http://127.0.0.1:2379"]\nmachine = "lb1"\n'
    path = write_config(tmp_path, BGPD.format(directory=tmp_path) + site)
    asked = OneShot(config.load(path, {"VIP_BACKEND": "quagga"}))
    (none,) = [each.text for each in asked.explain([V4])[0].sentences if each.about == "site"]
    assert none.startswith("what is ordered is unknown: this machine never read it from etcd")
    (trouble,) = [each for each in asked.status().trouble if each.startswith("orders: ")]
    assert "which a pass does not do; what is well is announced" in trouble
    assert not (tmp_path / "state.sqlite3").exists()
    store = Store(tmp_path / "state.sqlite3")
    drained = Intent(Mode.DRAINED, "alice", 0.0, "works")
    store.ask_site({V4: drained}, Extent("par1"), Extent("par1", "lb1"))
    (explained,) = asked.explain([V4])
    said, else_ = [each.text for each in explained.sentences if each.about == "site"]
    assert said.startswith("drained for par1 (--at par1) by alice")
    assert else_.startswith("what else is ordered is unknown")
    store.take_site({}, Extent("par1", "lb1"), 1.0, whole=True)
    store.close()
    (explained,) = asked.explain([V4])
    (said,) = [each.text for each in explained.sentences if each.about == "site"]
    assert said.startswith("drained for par1 (--at par1) by alice")
    assert not any(each.startswith("orders: ") for each in asked.status().trouble)


@pytest.mark.parametrize("is_full", [True, False])
def test_a_full_disk(tmp_path: Path, *, is_full: bool) -> None:
    """A question writes nothing, so the file system is asked whether a drain could be recorded."""
    loaded = config.load(
        write_config(tmp_path, BGPD.format(directory=tmp_path)), {"VIP_BACKEND": "quagga"}
    )
    trouble = OneShot(loaded, lambda folder: folder == tmp_path and is_full).status().trouble
    said = f"state: {tmp_path}: its file system has no room, or is read-only"
    assert any(text.startswith(said) for text in trouble) is is_full


@pytest.mark.parametrize(
    "answer",
    ["", "% Unknown command", "BGP table version is " + "9" * 5000, "\x1b[2J\xff{", "exit 3"],
)
def test_an_intent_is_recorded_whatever_bgpd_answers(tmp_path: Path, answer: str) -> None:
    """It is durable before bgpd is asked: an answer of another form changes nothing about that."""
    vtysh, said = tmp_path / "no-vtysh", tmp_path / "said"
    said.write_text(answer)
    vtysh.write_text(f"#!/bin/sh\n{answer if answer.startswith('exit') else f'cat {said}'}\n")
    vtysh.chmod(0o755)
    loaded = config.load(
        write_config(tmp_path, BGPD.format(directory=tmp_path)), {"VIP_BACKEND": "quagga"}
    )
    (told,) = OneShot(loaded).apply(IntentRequest(mode=Mode.DRAINED, prefixes=(V4,)))
    assert isinstance(told, RecordedIntent)
    assert "drained is recorded" in told.recorded
    assert "now: " in told.recorded
    store = Store(tmp_path / "state.sqlite3")
    assert store.intents().of[V4].mode is Mode.DRAINED
    store.close()


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """No state file is no intent; no directory for it is a fault, and is not made."""
    path = write_config(tmp_path, BGPD.format(directory=tmp_path))
    path.write_text(path.read_text().replace("/state.sqlite3", "/none/state.sqlite3"))
    asked = OneShot(config.load(path, {"VIP_BACKEND": "quagga"}))
    with pytest.raises(StoreError, match="none: No such file or directory; make it"):
        asked.status()
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("mode", "last", "looks"),
    [(Mode.DRAINED, False, True), (Mode.DRAINED, True, False), (Mode.AUTO, False, False)],
)
def test_what_may_be_refused_is_looked_at_before(
    tmp_path: Path, mode: Mode, *, last: bool, looks: bool
) -> None:
    """With `keep_last` only a drain without `--last` has bgpd asked before it is recorded; a bgpd that is away holds none."""
    vtysh, state = tmp_path / "no-vtysh", tmp_path / "state.sqlite3"
    vtysh.write_text(f"#!/bin/sh\n[ -e {state} ] || touch {tmp_path}/looked\nexit 3\n")
    vtysh.chmod(0o755)
    more = BGPD.format(directory=tmp_path) + "[policy]\nkeep_last = true\n"
    loaded = config.load(write_config(tmp_path, more, marks=True), {"VIP_BACKEND": "quagga"})
    (told,) = OneShot(loaded).apply(IntentRequest(mode=mode, prefixes=(V4,), last=last))
    assert isinstance(told, RecordedIntent)
    assert (tmp_path / "looked").exists() is looks
