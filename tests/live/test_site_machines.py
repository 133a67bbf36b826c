"""What befalls one machine of a site: its disk is full during an order, it moves to another data centre. The router's view decides."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.lab.eventually import eventually
from tests.support.lab.netns import Network
from tests.support.lab.requirements import require
from tests.support.lab.whole_site import PORTS, Balancer, WholeSite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lab.installed import Installed

pytestmark = pytest.mark.nightly  # a site of its own takes long: who moved is remembered for days

FIRST, SECOND, THIRD = PORTS
ONE = "lyo1/lb2"
SOCKETS = shutil.ignore_patterns("*.sock", "filling")


@pytest.fixture(scope="module")
def site(installed: Installed) -> Iterator[WholeSite]:
    """All of it, started once, and announcing all."""
    require("bird", "etcd", "etcdctl", flavours=("v5",))
    with Network() as network:
        whole = WholeSite(network, installed, {})
        for prefix in PORTS:
            whole.has(prefix, "par1", "lyo1", within=15)
        live(whole, *whole.balancers)
        yield whole


def machines(site: WholeSite) -> dict[str, bool]:
    """Return by name whether each machine that is shown is live, as one that stays knows it."""
    done = site["par1/lb1"].mgmt("status", "--site", "--json")
    assert done.returncode in {0, 1}, done.stderr
    shown: list[dict[str, Any]] = json.loads(done.stdout)["machines"]
    found = {f"{each['dc']}/{each['machine']}": bool(each["live"]) for each in shown}
    assert len(found) == len(shown), shown
    return found


def live(site: WholeSite, *names: str) -> None:
    """Wait until just some machines are live."""
    eventually(
        lambda: {name for name, is_live in machines(site).items() if is_live},
        until=lambda found: found == {*names},
        within=20,
        what=f"{sorted(names)} are live",
        every=0.1,
    )


def stopped(one: Balancer) -> None:
    """End the watchdog of a machine beside FRR, in good order."""
    assert one.daemon is not None
    one.daemon.terminate(within=10)
    eventually(lambda: not (one.site.state / "control.sock").exists(), within=10, what="an end")


@contextmanager
def small_disk(one: Balancer) -> Iterator[None]:
    """Have a machine's state on a small disk of its own."""
    state = one.site.state
    kept = state.with_name("kept")
    stopped(one)
    shutil.copytree(state, kept, ignore=SOCKETS)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", state], check=True)
    try:
        shutil.copytree(kept, state, dirs_exist_ok=True)
        one.start()
        yield
    finally:
        stopped(one)
        shutil.copytree(state, kept, ignore=SOCKETS, dirs_exist_ok=True)
        subprocess.run(["umount", state], check=True)
        shutil.copytree(kept, state, dirs_exist_ok=True)
        one.start()


def test_disk_of_one_is_full(site: WholeSite) -> None:
    """A machine that can't record an order is not said to obey it, and is named with the cause; it obeys when there is space again."""
    with small_disk(site[ONE]):
        live(site, *site.balancers)
        filling = site[ONE].site.state / "filling"
        with filling.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        done = site["lyo1/lb1"].mgmt("-d", FIRST, "--timeout", "5s")
        assert done.returncode == 1, done.stderr
        assert "lyo1/lb1: confirmed" in done.stderr
        assert f"{ONE}: confirmed" not in done.stderr
        assert f"{ONE}: not confirmed within 5s" in done.stderr
        assert "full" in site[ONE].trouble
        site.has(FIRST, "par1", ONE)
        filling.unlink()
        site.has(FIRST, "par1", within=20)
        done = site["lyo1/lb1"].mgmt("-a", FIRST, "--timeout", "30s")
        assert done.returncode == 0, done.stderr
        site.has(FIRST, "par1", "lyo1")
    live(site, *site.balancers)


def test_a_machine_moves(site: WholeSite) -> None:
    """A machine that has moved obeys the orders of where it is, not those of where it was; its old name is silent, and shown as that."""
    assert site["lyo1/lb1"].mgmt("-d", FIRST).returncode == 0
    assert site["par1/lb1"].mgmt("-d", SECOND).returncode == 0
    site.has(FIRST, "par1")
    site.has(SECOND, "lyo1")
    stopped(site[ONE])
    site[ONE].site.configure({"node": {"dc": "par1"}, "site": {"machine": "lb3"}})
    site[ONE].start()
    live(site, "par1/lb1", "par1/lb2", "par1/lb3", "lyo1/lb1")
    assert machines(site)[ONE] is False
    site.has(FIRST, "par1", ONE)  # what its old data centre is drained of holds for it no more
    site.has(SECOND, "lyo1/lb1")
    for at, others in (
        ("par1/lb1", {"par1/lb1", "par1/lb2", "par1/lb3"}),
        ("lyo1/lb1", {"lyo1/lb1"}),
    ):
        done = site[at].mgmt("-d", THIRD, "--last")
        assert done.returncode == 0, done.stderr
        for name in machines(site):
            assert (f"{name}: confirmed" in done.stderr) == (name in others), done.stderr
