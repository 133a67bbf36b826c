"""Whose file it is, Quagga's or FRR's: by its name and lines, by what is said, or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from speaker import vip_mgmt
from speaker.migration.bgpd_conf.model import Dialect
from speaker.migration.bgpd_conf.reader import read
from speaker.migration.bgpd_conf.statement import MigrationError
from tests.support.lab.site import toml

if TYPE_CHECKING:
    from pathlib import Path

BGP = """\
router bgp 64699
 bgp router-id 203.0.113.10
 neighbor 203.0.113.1 remote-as 64500
 neighbor 203.0.113.1 update-source 203.0.113.10
 network 192.0.2.1/32
"""
FRR, QUAGGA = Dialect.FRR, Dialect.QUAGGA


@pytest.mark.parametrize(
    ("file", "dialect"),
    [
        ("frr.conf", FRR),
        ("new/par1-frr.conf", FRR),
        ("/etc/frr/bgpd.conf", FRR),
        ("FRR/par1.conf", FRR),
        ("Quagga.conf", QUAGGA),
        ("/etc/quagga/bgpd.conf", QUAGGA),
        ("quagga.conf.par1", QUAGGA),
    ],
)
def test_names(file: str, dialect: Dialect) -> None:
    """The name that a daemon reads, or a folder of its name, tells; it is said which."""
    found = read(file, BGP.encode())
    assert found.read_as.dialect is dialect
    assert file in str(found.read_as)


@pytest.mark.parametrize(
    ("line", "dialect"),
    [
        ("frr version 8.4.4", FRR),
        ("frr defaults traditional", FRR),
        (" no bgp ebgp-requires-policy", FRR),
        (" bgp suppress-duplicates", FRR),
        (" no bgp network import-check", FRR),
        (" neighbor 203.0.113.2 remote-as internal", FRR),
        (" neighbor eth1 interface remote-as external", FRR),
        (" neighbor 203.0.113.1 bfd", FRR),
        ("bfd", FRR),
        ("vrf RED", FRR),
        ("route-map M permit 10\nexit", FRR),
        ("interface eth0\nexit", FRR),
        ("bgp as-path access-list A permit ^$", FRR),
        ("bgp community-list standard C permit 64699:1", FRR),
        ("ip as-path access-list A seq 5 permit ^$", FRR),
        ("access-list A seq 5 permit 192.0.2.0/24", FRR),
        ("ip community-list standard C seq 5 permit 64699:1", FRR),
        (" address-family l2vpn evpn", FRR),
        ("bgp multiple-instance", QUAGGA),
        ("bgp config-type zebra", QUAGGA),
        (" neighbor 203.0.113.1 transparent-as", QUAGGA),
        (" ipv6 bgp network 2001:db8::1/128", QUAGGA),
        ("smux peer .1.3.6 x", QUAGGA),
    ],
)
def test_lines(line: str, dialect: Dialect) -> None:
    """A line that only one of them has, or writes, tells; it is said which."""
    found = read("par1.conf", f"{BGP}{line}\n".encode())
    assert found.read_as.dialect is dialect
    *before, last = line.split("\n")
    assert f"par1.conf:{6 + len(before)}: {last.split()[0]}" in str(found.read_as)


@pytest.mark.parametrize(
    "line",
    [
        "hostname a",
        "service integrated-vtysh-config",  # vtysh of either writes it
        " address-family ipv6\n exit-address-family\n exit",  # Quagga 1.2 writes it, too
        " bgp network import-check",  # is there in Quagga, and off
        " address-family ipv6 unicast\n exit-address-family",
        "ip prefix-list L seq 5 permit any",
        "! Zebra configuration saved from vty",
        "! FRRouting was here",
        "line vty",
        "end",
    ],
)
def test_no_evidence(line: str) -> None:
    """What both have tells nothing, nor does a comment: it is asked for."""
    with pytest.raises(MigrationError, match=r"^bgpd\.conf: .*--frr or --quagga"):
        read("bgpd.conf", f"{BGP}{line}\n".encode())
    for dialect in Dialect:
        assert read("bgpd.conf", f"{BGP}{line}\n".encode(), dialect).read_as.dialect is dialect


def test_contradiction() -> None:
    """Evidence of both is an error, with both; what is said decides, but against what Quagga refuses."""
    text = f"{BGP}route-map M permit 10\nexit\n".encode()
    with pytest.raises(MigrationError) as caught:
        read("/etc/quagga/bgpd.conf", text)
    assert "/etc/quagga/bgpd.conf:7: exit" in str(caught.value)
    assert "FRR's" in str(caught.value)
    assert "Quagga's" in str(caught.value)
    assert "--frr or --quagga" in str(caught.value)
    for dialect in Dialect:
        assert read("/etc/quagga/bgpd.conf", text, dialect).read_as.dialect is dialect
    with pytest.raises(MigrationError, match=r"a\.conf:1: frr version 8: Quagga refuses it"):
        read("a.conf", f"frr version 8\n{BGP}".encode(), QUAGGA)


def run(folder: Path, *words: str) -> int:
    return vip_mgmt.main(["import", *words, "--out", str(folder / "out"), "--force"])


def test_import_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without evidence nothing is written, and both options are named; which was taken is said."""
    (tmp_path / "par1.conf").write_text(BGP)
    word = f"par1={tmp_path}/par1.conf"
    assert run(tmp_path, word) == 255
    said = capsys.readouterr().err
    assert "--frr or --quagga" in said
    assert not (tmp_path / "out").exists()
    assert run(tmp_path, word, "--quagga") == 2
    assert f"{tmp_path}/par1.conf: read as Quagga's: --quagga says so" in capsys.readouterr().err
    assert run(tmp_path, word, "--frr") == 255
    assert "bgp ebgp-requires-policy" in capsys.readouterr().err


def test_import_of_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each data centre may have another daemon, and a file that tells needs no option."""
    (tmp_path / "par1.conf").write_text(BGP)
    prepend = "route-map M permit 10\n set as-path prepend 64699\n"
    text = BGP.replace("192.0.2.1/32", "192.0.2.1/32 route-map M") + prepend
    (tmp_path / "lyo1.conf").write_text(f"{text}router bgp 64699\n no bgp ebgp-requires-policy\n")
    files = [f"{dc}={tmp_path}/{dc}.conf" for dc in ("par1", "lyo1")]
    assert run(tmp_path, *files) == 255
    assert run(tmp_path, *files, "--quagga") == 255
    assert "lyo1.conf:9: no bgp ebgp-requires-policy: Quagga refuses it" in capsys.readouterr().err
    assert run(tmp_path, *files, "--quagga=par1") == 0
    said = capsys.readouterr().err
    assert "par1.conf: read as Quagga's: --quagga says so" in said
    assert "lyo1.conf: read as FRR's: " in said
    assert run(tmp_path, *files, "--quagga", "--frr=lyo1") == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--frr", "--quagga"], "par1: --frr and --quagga; use one"),
        (["--frr=par1", "--quagga=par1"], "par1: --frr and --quagga; use one"),
        (["--frr=lyo1"], "--frr=lyo1: no file is given for lyo1"),
    ],
)
def test_usage(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One of the two for each file."""
    assert vip_mgmt.main(["import", "par1=x", "--out", "y", *words]) == 255
    assert expected in capsys.readouterr().err


def test_compare_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So does compare: what FRR sends is something else than what Quagga sends."""
    new: dict[str, Any] = {
        "node": {"dc": "par1"},
        "dc": {"par1": {"asn": 64699}},
        "policy": {"prepends": [0]},
        "vip": {"vip-1.tld": {"addresses": ["192.0.2.1"], "prefer": ["par1"]}},
    }
    (tmp_path / "vip.toml").write_text(toml(new))
    (tmp_path / "bgpd.conf").write_text(BGP)
    words = ["--config", f"{tmp_path}/vip.toml", "compare", f"{tmp_path}/bgpd.conf"]
    assert vip_mgmt.main(words) == 255
    assert "--frr or --quagga" in capsys.readouterr().err
    for option, status in (("--quagga", 0), ("--frr", 2)):
        assert vip_mgmt.main([*words, option, "--json"]) == status
        said = capsys.readouterr()
        assert (
            f"bgpd.conf: read as {option[2:].replace('quagga', 'Quagga').replace('frr', 'FRR')}'s"
            in said.err
        )
        assert json.loads(said.out)["read_as"] == option[2:]
    assert vip_mgmt.main([*words, "--frr", "--quagga"]) == 255
    assert vip_mgmt.main(["--config", f"{tmp_path}/vip.toml", "plan", "--frr"]) == 255
