"""packaging/ansible: two data centres from one inventory; the second time nothing changes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.inside import Realservers
from tests.support.lab.machine import Machine
from tests.support.lab.netns import Network
from tests.support.lab.release import MACHINES
from tests.support.lab.requirements import require, require_release
from tests.support.lab.site import sees
from tests.systemd.conftest import PORT
from tests.systemd.wheels import SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.systemd.built import Built

pytestmark = pytest.mark.nightly

ANSIBLE = SOURCE / ".venv-ansible"
VIPS = f"""
[dc.par1]
asn = 64699
[dc.lyo1]
asn = 64699
[policy]
max_withdraw = "100%"
[health]
source = "tcp"
interval = "100ms"
[vip."vip-1.tld"]
addresses = ["192.0.2.1", "192.0.2.2"]
services = {{ "tcp/{PORT}" = {{ realservers = ["127.0.0.1:{PORT}"] }} }}
"""
HOST = """
    {dc}:
      vars:
        vip_speaker_dc: {dc}
        vip_speaker_asn: 64699
        vip_speaker_neighbors: [{{address: {remote}, asn: 64500, description: secret-{dc}}}]
        vip_speaker_families: [ipv4 unicast]
      hosts:
        lb1.{dc}:
          vip_speaker_local_address: {local}
          vip_speaker_router_id: {local}
"""


@pytest.fixture(scope="module")
def site(packages: Built) -> Iterator[tuple[dict[str, Machine], Bird]]:
    """A router, and a machine in each data centre."""
    require("systemd-nspawn", "mmdebstrap")
    require_release(MACHINES[0])
    with Network() as network:
        router = network.host("router")
        hosts = {dc: network.host(f"lb1-{dc}") for dc in ("par1", "lyo1")}
        sessions = {
            dc: network.link(router, host).session(64500, 64699) for dc, host in hosts.items()
        }
        inventory = "load_balancers:\n  children:" + "".join(
            HOST.format(dc=dc, local=each.remote, remote=each.local)
            for dc, each in sessions.items()
        )
        inventory += (
            "  vars:\n    vip_speaker_deb: vip-speaker.deb\n    vip_speaker_vips: vips.toml\n"
        )
        machines = {}
        for dc, host in hosts.items():
            masked = ["exabgp.service", "frr.service"]
            binds = [ANSIBLE, SOURCE / "packaging/ansible"]
            machine = machines[dc] = Machine(host, MACHINES[0].root, masked=masked, binds=binds)
            machine.path("/play/vip-speaker.deb").write_bytes(packages.first.read_bytes())
            for name, text in (
                ("vips.toml", VIPS),
                ("inventory.yml", inventory),
                ("site.yml", (SOURCE / "packaging/ansible/example/site.yml").read_text()),
            ):
                machine.path(f"/play/{name}").write_text(text)
            machine.start()
            realservers = Realservers(host)
            realservers.open(PORT)
        yield machines, Bird(router, [*sessions.values()])


def play(machine: Machine, dc: str, *, changes: bool) -> None:
    """Apply the role as Ansible does, on the machine itself."""
    modules = ANSIBLE / "lib/python3.11/site-packages"
    said = machine.sh(
        f"cd /play; export PYTHONPATH={modules} ANSIBLE_NOCOLOR=1 LC_ALL=C.UTF-8 "
        f"ANSIBLE_ROLES_PATH={SOURCE}/packaging/ansible/roles; "
        f"python3 -m ansible playbook --connection=local --inventory=inventory.yml --limit=lb1.{dc} "
        "site.yml"
    )
    assert re.search(r"failed=0 ", said), said
    assert bool(re.search(r"changed=[1-9]", said)) == changes, said
    assert "secret-" not in said


def test_role(site: tuple[dict[str, Machine], Bird]) -> None:
    """Applied, each data centre announces with its rank; applied again, it changes nothing; a fault is not put in place."""
    machines, bird = site
    for dc, machine in machines.items():
        play(machine, dc, changes=True)
    sees(bird, "192.0.2.1/32", "192.0.2.2/32", within=30)
    for dc, machine in machines.items():
        play(machine, dc, changes=False)
        assert f'dc = "{dc}"' in machine.sh("cat /etc/vip-speaker/vip.toml")
    lyo1 = machines["lyo1"]
    before = lyo1.sh("cat /etc/vip-speaker/vip.toml")
    lyo1.write("/play/vips.toml", f"{VIPS}\n[vips]\n")
    with pytest.raises(AssertionError, match="vips"):
        play(lyo1, "lyo1", changes=True)
    assert lyo1.sh("cat /etc/vip-speaker/vip.toml") == before
