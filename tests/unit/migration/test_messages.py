"""What vip_mgmt import says: each fault once, with its remedy; nothing that is no fault; a summary at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speaker import vip_mgmt
from speaker.migration.bgpd_conf.model import Dialect
from speaker.migration.options import Import
from speaker.migration.summary import _comparisons

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "frr version 8.4.4\nfrr defaults datacenter\nrouter bgp 64699\n"
TWO = (
    f"{HEAD} neighbor 203.0.113.1 remote-as 64500\n neighbor 2001:db8:f::1 remote-as 64500\n"
    " address-family ipv4 unicast\n  network 192.0.2.1/32\n  network 192.0.2.2/32 route-map NONE\n"
    "  no neighbor 2001:db8:f::1 activate\n exit-address-family\n address-family ipv6 unicast\n"
    "  neighbor 2001:db8:f::1 activate\n  network 2001:db8::1/128\n exit-address-family\nexit\n"
)
LOCAL = ("--local", "par1=203.0.113.9/24", "--local", "par1=2001:db8:f::9/64")


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(tmp_path, capsys)


class Run:
    """An import of one file in a folder of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys

    def __call__(self, text: str, *options: str) -> tuple[int, list[str], list[str]]:
        """Return the exit status, and the lines of stdout and stderr."""
        file = self._folder / "par1.conf"
        file.write_text(text)
        argv = ["import", f"par1={file}", "--out", str(self._folder / "out"), *options]
        status = vip_mgmt.main(argv)
        said = self._capsys.readouterr()
        plain = [text.replace(f"{self._folder}/", "").splitlines() for text in (said.out, said.err)]
        return status, plain[0], plain[1]


def test_no_local(run: Run) -> None:
    """A missing address is said once for all neighbours, with the options, and has no consequences."""
    status, _, err = run(TWO.replace(" route-map NONE", ""))
    (line,) = err[1:-1]
    assert line == (
        "par1: par1.conf: neighbor 203.0.113.1 (line 4), neighbor 2001:db8:f::1 (line 5): the file does not "
        "tell from which address their sessions go; use --local par1=IPV4-ADDRESS --local "
        "par1=IPV6-ADDRESS, this machine's address in their network; or --local "
        "par1:203.0.113.1=ADDRESS --local par1:2001:db8:f::1=ADDRESS; or on that machine "
        "--local-from-kernel par1"
    )
    assert (status, err[-1]) == (255, "nothing is written")


def test_no_neighbour_known(run: Run) -> None:
    """Where no neighbour has an AS, that is said of each once, and nothing of the networks."""
    text = TWO.replace("remote-as 64500", "remote-as external")
    status, _, err = run(text)
    assert status == 255
    assert sum("use --peer-as" in line for line in err) == 2
    assert not any("left out" in line or "there is no neighbour" in line for line in err)


def test_left_out(run: Run) -> None:
    """A session of the other family is no reason why a network is left out."""
    status, out, err = run(TWO, *LOCAL)
    (note,) = [line for line in err if "left out" in line]
    assert note == (
        "note: par1.conf:8: 192.0.2.2/32 is not announced, and left out: route-map NONE does not exist, so bgpd "
        "announces nothing"
    )
    assert (status, out[-6]) == (2, "summary:")


def test_many_left_out(run: Run) -> None:
    """Networks that are left out for one reason are one note, with the first line and ten names."""
    lost = "".join(f"  network 192.0.2.{n}/32 route-map NONE\n" for n in range(2, 15))
    text = TWO.replace("  network 192.0.2.2/32 route-map NONE\n", lost)
    _, _, err = run(text.replace("0.2.14/32 route-map NONE", "0.2.14/32 route-map LACKS"), *LOCAL)
    named = ", ".join(f"192.0.2.{n}/32" for n in range(2, 12))
    why = "not announced, and left out: route-map {} does not exist, so bgpd announces nothing"
    assert [line for line in err if "left out" in line] == [
        f"note: par1.conf:8: {named} and 2 more are {why.format('NONE')}",
        f"note: par1.conf:20: 192.0.2.14/32 is {why.format('LACKS')}",
    ]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("segment-routing srv6\n  locator L", "locator …: is not taken over; keep bgpd for it"),
        ("bmp targets T\n  bmp stats", "bmp …: reports to a station are not taken over"),
        (
            "address-family vpnv4\n  network 192.0.2.9/32 rd 1:1 label 3",
            "network 192.0.2.9/32 rd 1:1 label 3: only IPv4 and IPv6 unicast are taken over",
        ),
    ],
)
def test_within_a_block_that_is_not_taken(run: Run, block: str, expected: str) -> None:
    """A line in a block of `router bgp` that is passed over has that block's reason."""
    _, _, err = run(
        TWO.replace(" address-family ipv4 ", f" {block}\n exit\n address-family ipv4 "), *LOCAL
    )
    assert any(line.startswith(f"refused: par1.conf:7: {expected}") for line in err), err


def test_a_comment_behind_router_bgp(run: Run) -> None:
    """A comment behind `router bgp`, for which bgpd refuses the line, is called one."""
    status, _, err = run(TWO.replace("router bgp 64699", "router bgp 64699 ! ours"))
    assert (status, err) == (
        255,
        [
            "par1.conf:3: router bgp 64699 ! ours: bgpd refuses a comment behind a line; put it on a line of its own",
            "nothing is written",
        ],
    )


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("0.0.0.0/0", "is the default route, which is no VIP: announce it at a router"),
        ("224.0.0.0/24", "is of addresses that no host has; remove the line"),
    ],
)
def test_no_vip(run: Run, prefix: str, expected: str) -> None:
    """A network that vip.toml refuses is named with its line and what to do."""
    status, _, err = run(TWO.replace("192.0.2.1/32", prefix), *LOCAL)
    assert status == 255
    (line,) = [line for line in err if prefix in line]
    assert line.startswith(f"par1.conf:7: {prefix} {expected}")


def test_summary(run: Run) -> None:
    """It says what imports, what is refused and why, what is assumed, and what comes next."""
    _, out, _ = run(TWO.replace("\n address", "\n neighbor 203.0.113.1 bfd\n address", 1), *LOCAL)
    at = out.index("summary:")
    assert out[at + 1 :] == [
        "  imported: 2 prefixes of 2 VIPs, 2 sessions, 1 data centre; the UPDATEs of bgpd and ExaBGP are equal",
        "  refused: 1 line",
        "    1 x neighbor … bfd: ExaBGP has no BFD",
        (
            "  assumed: par1: the file is FRR's (par1.conf:1: frr version 8.4.4); sessions from 203.0.113.9, "
            "2001:db8:f::9"
        ),
        "  assumed: no names: VIPs are called by their addresses; use --dns or --name",
        (
            "  next: read out/vip.toml, put the files in place, and in each data centre run vip_mgmt check and "
            "vip_mgmt compare par1.conf"
        ),
    ]


def test_summary_of_what_was_said(run: Run) -> None:
    """The command that comes next has what was said of the file, as it asks for the same."""
    text = TWO.replace("frr version 8.4.4\n", "").replace("remote-as 64500", "remote-as external")
    said = ["--frr", "--vrf", "default", "--peer-as", "203.0.113.1=64500"]
    said += ["--peer-as", "2001:db8:f::1=64500"]
    _, out, _ = run(text, *LOCAL, *said)
    assert out[-1].endswith(
        "and vip_mgmt compare par1.conf --frr --peer-as 203.0.113.1=64500 "
        "--peer-as 2001:db8:f::1=64500 --vrf default"
    )


def test_summary_of_kinds(run: Run) -> None:
    """Lines that are refused for different reasons are of different kinds."""
    text = TWO.replace(
        "\n address", "\n redistribute kernel\n redistribute ospf\n address", 1
    ).replace("exit-address-family", "exit-address-family\n address-family ipv6 vpn", 1)
    _, out, _ = run(text, *LOCAL)
    kinds = [line for line in out if " x " in line]
    assert len([line for line in kinds if "redistribute: " in line]) == 2
    assert any(" x address-family ipv6 vpn: only IPv4 and IPv6 unicast" in line for line in kinds)


def test_summary_of_nothing(run: Run) -> None:
    """Where nothing is written it is there too, last, with the command line that would do where addresses lack."""
    _, out, _ = run(TWO)
    assert out[out.index("summary:") :] == [
        "summary:",
        "  imported: nothing is written",
        "  refused: no line",
        (
            "  next: vip_mgmt import par1=par1.conf --out out --local par1:203.0.113.1=ADDRESS "
            "--local par1:2001:db8:f::1=ADDRESS"
        ),
    ]
    _, out, _ = run(TWO.replace("192.0.2.1/32", "0.0.0.0/0"), *LOCAL)
    assert out[-1] == "  next: 1 error above: do what each says, and run the same command again"


def test_each_data_centre_compares_its_own(tmp_path: Path) -> None:
    """Of several files the command of each is named: beside another's, all differs."""
    files = {name: tmp_path / f"{name}.conf" for name in ("par1", "lyo1")}
    call = Import(files, tmp_path, {}, dialects={"lyo1": Dialect.FRR})
    assert _comparisons(call) == (
        f"in par1: vip_mgmt compare {files['par1']}; in lyo1: vip_mgmt compare {files['lyo1']} --frr"
    )
