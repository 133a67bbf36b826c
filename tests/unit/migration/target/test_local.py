"""From which address each session goes: by the file, by what is said, or by the kernel; never one for two subnets."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from speaker.migration import import_command as command
from speaker.migration.this_machine import MachineAsked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from speaker.units import IpAddress

HEAD = "router bgp 64699\n bgp router-id 10.1.8.250\n network 192.0.2.1/32\n"
NEAR = "10.1.8.1"
ALSO_NEAR = "10.1.8.2"
ELSEWHERE = "10.1.9.1"


class Machine:
    """An import of one file of dc1, on a machine whose kernel knows some routes."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys
        self.routes: Mapping[str, str] = {}
        self.said = ""

    def run(self, text: str, *options: str) -> int:
        file, out = self._folder / "quagga.conf", self._folder / "out"
        file.write_text(text)
        words = [f"dc1={file}", "--out", str(out), "--force", *options]
        status = command.main(words, MachineAsked(self._source))
        self.said = self._capsys.readouterr().err
        return status

    def _source(self, neighbor: IpAddress) -> IpAddress | None:
        text = self.routes.get(str(neighbor))
        return None if text is None else ip_address(text)

    @property
    def locals(self) -> dict[str, str]:
        """The local address by neighbour, of what was written."""
        text = (self._folder / "out/exabgp-dc1.conf").read_text()
        found = re.findall(
            r"^neighbor (\S+) \{.*?local-address (\S+);", text, re.DOTALL | re.MULTILINE
        )
        return dict(found)

    @property
    def vip_toml(self) -> str:
        return (self._folder / "out/vip.toml").read_text()


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    return Machine(tmp_path, capsys)


def bgp(*neighbors: str, lines: str = "", before: str = "") -> str:
    said = "".join(f" neighbor {each} remote-as 64500\n" for each in neighbors)
    return f"{before}{HEAD}{said}{lines}"


def test_two_subnets(machine: Machine) -> None:
    """One address for two subnets is an error that says what to say."""
    text = bgp(NEAR, ELSEWHERE)
    assert machine.run(text, "--local", "dc1=10.1.8.250") == 255
    assert f"neighbor {NEAR} (line 4) and neighbor {ELSEWHERE} (line 5)" in machine.said
    assert f"--local dc1:{ELSEWHERE}=ADDRESS" in machine.said
    assert "--local dc1=10.1.8.250/LENGTH" in machine.said
    assert machine.run(text, "--local", "dc1=10.1.8.250/24") == 255
    assert f"neighbor {ELSEWHERE} (line 5): is not in 10.1.8.0/24" in machine.said
    assert f"--local dc1:{ELSEWHERE}=ADDRESS" in machine.said
    options = ["--local", "dc1=10.1.8.250/24", "--local", f"dc1:{ELSEWHERE}=10.1.9.250"]
    assert machine.run(text, *options) == 2
    assert machine.locals == {NEAR: "10.1.8.250", ELSEWHERE: "10.1.9.250"}


def test_one_subnet(machine: Machine) -> None:
    """Routers of one subnet share an address where that is said, and not where it is a guess."""
    text = bgp(NEAR, ALSO_NEAR)
    assert machine.run(text, "--local", "dc1=10.1.8.250") == 255
    assert machine.run(text, "--local", "dc1=10.1.8.250/24") == 2
    assert machine.locals == {NEAR: "10.1.8.250", ALSO_NEAR: "10.1.8.250"}
    assert machine.run(bgp(NEAR), "--local", "dc1=10.1.8.250") == 2
    assert machine.run(bgp(NEAR), "--local", "dc1=10.1.9.250/24") == 255


def test_each_neighbor(machine: Machine) -> None:
    """What is said of one session counts more than the file, for what it is said of."""
    lines = f" neighbor {NEAR} update-source 10.1.8.10\n no neighbor 2001:db8::1 activate\n"
    lines += " address-family ipv6\n  neighbor 2001:db8::1 activate\n exit-address-family\n"
    text = bgp(NEAR, "2001:db8::1", lines=lines)
    options = ["--local", f"dc1:{NEAR}=10.1.8.250", "--local", "dc1:2001:db8::1=2001:db8::250"]
    assert machine.run(text, *options) == 2
    assert machine.locals == {NEAR: "10.1.8.250", "2001:db8::1": "2001:db8::250"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ["dc1=10.1.8.250", "dc1=10.1.8.251"],
            "dc1 has 10.1.8.250 already: give each session its own",
        ),
        ([f"dc1:{NEAR}=10.1.8.250", f"dc1:{NEAR}=10.1.8.251"], f"dc1:{NEAR} has 10.1.8.250"),
        (["dc1:10.1.7.1=10.1.7.2"], "dc1:10.1.7.1=10.1.7.2: no neighbor 10.1.7.1"),
        (["dc1:x=10.1.7.2"], "dc1:x=10.1.7.2: 'x'"),
        (["dc1=10.1.8.250/33"], "dc1=10.1.8.250/33: "),
        ([f"dc1:{NEAR}=10.1.8.250/24"], f"dc1:{NEAR}=10.1.8.250/24: "),
        (["dc2:10.1.8.1=10.1.8.2"], "no file is given for dc2"),
        (["=10.1.8.2"], "=10.1.8.2: not of the form"),
        (["dc1=fe80::1%eth0"], "dc1=fe80::1%eth0: "),
        (["dc1=10.1.8.250/" + "9" * 5000], "dc1=10.1.8.250/999"),
    ],
)
def test_what_is_said_makes_sense(machine: Machine, options: list[str], expected: str) -> None:
    """One address for each family of a data centre, and of a session that there is."""
    words = [word for option in options for word in ("--local", option)]
    assert machine.run(bgp(NEAR), *words) == 255
    assert expected in machine.said


INTERFACES = """\
interface eth0
 ip address 10.1.8.10/24
 ip address 10.1.8.11/24
 ip address 10.0.0.1/8
 ipv6 address 2001:db8:8::10/64
!
interface eth1
 ip address 10.1.9.10/24
!
interface lo
 ip address 10.255.0.1/32
!
interface many
 ip address 10.2.0.1/24
 ip address 10.3.0.1/24
!
"""


def test_interfaces(machine: Machine) -> None:
    """Interfaces of the same file tell it exactly: the first address of the narrowest network."""
    text = bgp(NEAR, ELSEWHERE, "10.7.7.7", before=INTERFACES)
    assert machine.run(text) == 2
    assert machine.locals == {NEAR: "10.1.8.10", ELSEWHERE: "10.1.9.10", "10.7.7.7": "10.0.0.1"}


@pytest.mark.parametrize(
    ("interface", "options", "status"),
    [
        ("eth2 vrf RED", [], 255),
        ("eth2", [], 2),
        ("eth2 vrf default", [], 2),
        ("eth2 vrf RED", ["--vrf", "RED"], 2),
        ("eth2", ["--vrf", "RED"], 2),
        ("eth2 vrf BLUE", ["--vrf", "RED"], 255),
    ],
)
def test_interfaces_of_a_vrf(
    machine: Machine, interface: str, options: list[str], status: int
) -> None:
    """No session goes from an interface of another VRF."""
    before = f"interface {interface}\n ip address 10.4.0.2/24\n!\n"
    lines = " no bgp ebgp-requires-policy\n"
    text = bgp("10.4.0.1", before=before, lines=lines)
    if options:
        text = text.replace("router bgp 64699", "router bgp 64699 vrf RED")
    assert machine.run(text, "--frr", *options) == status
    assert ("the file does not tell from which" in machine.said) == (status == 255)


def test_update_source(machine: Machine) -> None:
    """update-source of an interface is its address; of several, that in whose network the neighbour is."""
    lines = " neighbor 10.9.0.1 update-source {}\n neighbor 10.9.0.1 ebgp-multihop 4\n"
    assert machine.run(bgp("10.9.0.1", before=INTERFACES, lines=lines.format("lo"))) == 2
    assert machine.locals == {"10.9.0.1": "10.255.0.1"}
    assert machine.run(bgp("10.9.0.1", before=INTERFACES, lines=lines.format("many"))) == 255
    line = INTERFACES.count("\n") + HEAD.count("\n") + 1
    assert f"neighbor 10.9.0.1 (line {line}): the file does not tell from which" in machine.said
    near = " neighbor 10.3.0.9 update-source many\n"
    assert machine.run(bgp("10.3.0.9", before=INTERFACES, lines=near)) == 2
    assert machine.locals == {"10.3.0.9": "10.3.0.1"}


def test_loopback(machine: Machine) -> None:
    """Sessions from one interface share its address, also from one that the file does not know."""
    lines = "".join(
        f" neighbor {each} update-source lo\n neighbor {each} ebgp-multihop 2\n"
        for each in (NEAR, ELSEWHERE)
    )
    assert machine.run(bgp(NEAR, ELSEWHERE, lines=lines), "--local", "dc1=10.255.0.1") == 2
    assert set(machine.locals.values()) == {"10.255.0.1"}
    other = lines.replace(f"{ELSEWHERE} update-source lo", f"{ELSEWHERE} update-source dummy0")
    assert machine.run(bgp(NEAR, ELSEWHERE, lines=other), "--local", "dc1=10.255.0.1") == 255
    assert f"--local dc1:{ELSEWHERE}=ADDRESS" in machine.said


def test_multihop(machine: Machine) -> None:
    """A neighbour some hops away is in no subnet of the machine, and may share any address."""
    lines = " neighbor 10.9.0.1 ebgp-multihop 4\n neighbor 10.9.1.1 ttl-security hops 3\n"
    text = bgp(NEAR, "10.9.0.1", "10.9.1.1", lines=lines)
    assert machine.run(text, "--local", "dc1=10.1.8.250") == 2
    assert set(machine.locals.values()) == {"10.1.8.250"}


def test_next_hop_of_two_interfaces(machine: Machine) -> None:
    """IPv6 over sessions over IPv4 has the next hop of each one's interface: one address is not both."""
    lines = " address-family ipv6\n  network 2001:db8::1/128\n"
    lines += f"  neighbor {NEAR} activate\n  neighbor {ELSEWHERE} activate\n exit-address-family\n"
    before = INTERFACES.replace(" ipv6 address 2001:db8:8::10/64\n", "")
    text = bgp(NEAR, ELSEWHERE, before=before, lines=lines)
    assert machine.run(text, "--local", "dc1=2001:db8:8::250") == 255
    assert f"--local dc1:{NEAR}=IPV6-ADDRESS" in machine.said
    same = [f"--local=dc1:{each}=2001:db8:8::250" for each in (NEAR, ELSEWHERE)]
    assert machine.run(text, *same) == 2
    assert 'ipv6 = "2001:db8:8::250"' in machine.vip_toml
    same[1] = f"--local=dc1:{ELSEWHERE}=2001:db8:9::250"
    assert machine.run(text, *same) == 255
    assert "IPv6 has the next hops 2001:db8:8::250, 2001:db8:9::250" in machine.said


def test_an_address_that_is_not_needed(machine: Machine) -> None:
    """An address that no session takes is named: who says it believes that one does."""
    lines = f" neighbor {NEAR} update-source 10.1.8.10\n"
    assert machine.run(bgp(NEAR, lines=lines), "--local", "dc1=10.1.8.250") == 2
    assert machine.locals == {NEAR: "10.1.8.10"}
    assert "--local dc1=10.1.8.250: the file tells from where each session goes" in machine.said
    assert "--local dc1:NEIGHBOR=10.1.8.250" in machine.said


def test_a_next_hop_that_is_not_needed(machine: Machine) -> None:
    """So is a next hop of a family of which nothing is sent there."""
    options = ["--local", f"dc1:{NEAR}=10.1.8.250", "--local", f"dc1:{NEAR}=2001:db8:8::250"]
    assert machine.run(bgp(NEAR), *options) == 2
    assert f"--local dc1:{NEAR}=2001:db8:8::250: is used for nothing" in machine.said


def test_the_kernel(machine: Machine) -> None:
    """The kernel is asked where that is said, for what is not known, and it is said what it answers."""
    machine.routes = {NEAR: "10.1.8.77", ELSEWHERE: "10.1.9.77"}
    text = bgp(NEAR, ELSEWHERE)
    assert machine.run(text) == 255
    assert "--local-from-kernel dc1" in machine.said
    assert machine.run(text, "--local-from-kernel", "dc1", "--local", f"dc1:{NEAR}=10.1.8.250") == 2
    assert machine.locals == {NEAR: "10.1.8.250", ELSEWHERE: "10.1.9.77"}
    assert f"dc1: neighbor {ELSEWHERE}: the session goes from 10.1.9.77" in machine.said
    assert f"neighbor {NEAR}: the session" not in machine.said
    assert machine.run(bgp("10.9.9.9"), "--local-from-kernel", "dc1") == 255
    assert "neighbor 10.9.9.9 (line 4): this machine has no route to it" in machine.said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--local-from-kernel", "dc2"], "no file is given for dc2"),
        (["--local-from-kernel", "dc1", "--local-from-kernel", "dc3", "dc3=x"], "is in one data"),
    ],
)
def test_usage_of_the_kernel(machine: Machine, words: list[str], expected: str) -> None:
    """This machine is in one data centre."""
    assert machine.run(bgp(NEAR), *words) == 255
    assert expected in machine.said
