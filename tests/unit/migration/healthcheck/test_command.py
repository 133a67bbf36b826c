"""`import --healthcheck`: what sites have becomes checks and rules, and what each state announces is compared."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from policy.peers import PeerPolicy
from policy.rule import AtLeast, Term
from speaker import config
from speaker.config.settings_checks import ExecCheck
from speaker.errors import SpeakerError
from speaker.migration import import_command
from speaker.migration.healthcheck import command
from speaker.migration.options import parse
from tests.unit.migration.healthcheck.shapes import SHAPES, UP, conf, same

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from speaker.config.settings import Config

USUAL = (
    "python3 -m exabgp healthcheck --cmd /bin/check --ip 192.0.2.1 --withdraw-on-down --no-ip-setup"
)


class Site:
    """Files of healthchecks, and what is made of them. All programs but those of `lacks` are on its machine."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.out = folder, folder / "out"
        self.lacks: set[str] = set()
        self._capsys = capsys
        self.stdout = ""

    def run(
        self, texts: Mapping[str, str], *options: str, files: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        for name, text in {**(files or {}), **{f"{dc}.conf": t for dc, t in texts.items()}}.items():
            (self.folder / name).write_text(text)
        given = [f"{dc}={self.folder / dc}.conf" for dc in texts]
        words = ["--healthcheck", *given, "--out", str(self.out), "--force", *options]
        status = command.run(parse(words), self.which)
        said = self._capsys.readouterr()
        self.stdout = said.out
        return status, said.err

    def which(self, program: str) -> str | None:
        return None if program in self.lacks else str(Path("/usr/bin") / program)

    def refused(self, text: str, *options: str) -> str:
        with pytest.raises(SpeakerError) as error:
            self.run({"par1": text}, *options)
        assert not self.out.exists()
        return str(error.value)

    def loaded(self, dc: str = "par1") -> Config:
        return config.load(self.out / "vip.toml", {"VIP_DC": dc})

    def states(self) -> dict[str, dict[str, str]]:
        """Return the rows that say what is announced."""
        rows = [re.split(r"  +", line) for line in self.stdout.splitlines()]
        return {
            f"{row[1]} {row[2]}": {" ".join(row[3:-1]): row[-1]}
            for row in (["  ".join(row).split("  ") for row in rows])
            if row[0] in ("par1", "lyo1")
        }


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    return Site(tmp_path, capsys)


def ask(loaded: Config, name: str) -> ExecCheck:
    found = loaded.settings.checks[name].asks
    assert isinstance(found, ExecCheck)
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_shape(site: Site, name: str) -> None:
    """What a site has imports; each state is compared, and what is not taken over is refused by its line."""
    shape = SHAPES[name]
    status, said = site.run({"par1": shape.text}, files=shape.files)
    assert status == 2, said  # one data centre alone has no backup
    assert site.states() == {
        key: {re.sub(" +", " ", before): after for before, after in each.items()}
        for key, each in shape.states.items()
    }
    loaded = site.loaded()
    if shape.exec:
        check = next(iter(loaded.settings.checks.values()))
        assert isinstance(check.asks, ExecCheck)
        assert check.asks.words == shape.exec
    refused = [line for line in said.splitlines() if line.startswith("refused: ")]
    assert len(refused) == len(shape.refused), refused
    for words in shape.refused:
        (line,) = (line for line in refused if words in line)
        assert re.match(rf"refused: {site.folder}/\S+:[0-9]+: (healthcheck|neighbor) \S+: ", line)


def test_resolver(site: Site) -> None:
    """A file of options: its times, its disable file, its name and next hop are in vip.toml."""
    shape = SHAPES["resolver"]
    site.run({"par1": shape.text}, files=shape.files)
    loaded = site.loaded()
    (vip,) = loaded.topology.vips
    assert vip.name == "resolver.tld"
    assert vip.health.rule == AtLeast(2, (Term("check/watch"), Term("check/watch-enabled")))
    check, enabled = loaded.settings.checks.values()
    assert (check.interval, check.timeout, check.rise, check.fall) == (1, 5, 5, 2)
    assert check.on_timeout == "down"
    assert ask(loaded, "watch").down == tuple(range(1, 256))
    assert enabled.interval == 5
    assert ask(loaded, "watch-enabled").words == (
        *("/usr/bin/test", "!", "-e", "/etc/exabgp/resolver.disable"),
    )
    assert str(loaded.settings.exabgp.next_hop.ipv4) == "203.0.113.10"


def test_no_command(site: Site) -> None:
    """What nothing checks is the operator's to decide on."""
    site.run({"par1": SHAPES["no-command"].text})
    loaded = site.loaded()
    assert loaded.settings.checks == {}
    assert loaded.settings.health["watch"].source == "none"


def test_one_neighbor(site: Site) -> None:
    """A neighbor that --neighbor leaves out is kept from the VIP by [peer]."""
    other = f"{USUAL.replace('192.0.2.1', '192.0.2.2')} --neighbor 203.0.113.1"
    text = conf(USUAL, other, processes="both one")
    (second,) = re.findall(r"neighbor 203.0.113.1 .*\n}", text, re.DOTALL)
    site.run({"par1": text + second.replace("203.0.113.1 ", "203.0.113.2 ")})
    (rule,) = site.loaded().topology.peers.rules
    assert str(rule.neighbors[0].address) == "203.0.113.2"
    assert (rule.policy.lets("both"), rule.policy.lets("one")) == (True, False)


def test_names(site: Site) -> None:
    """A VIP has healthcheck's name, else the process's, where that is free and a name."""
    others = [USUAL.replace("192.0.2.1", f"192.0.2.{n}") for n in range(1, 5)]
    runs = (*(f"{run} --name Web." for run in others[:2]), *others[2:])
    site.run({"par1": conf(*runs, processes="a b all c")})
    assert [vip.name for vip in site.loaded().topology.vips] == ["web", "b", "healthcheck-3", "c"]


def test_local_preference(site: Site) -> None:
    """LOCAL_PREF of an iBGP neighbor becomes [peer]'s."""
    site.run({"par1": SHAPES["ibgp"].text})
    (rule,) = site.loaded().topology.peers.rules
    assert rule.policy == PeerPolicy(local_preference=200)


def test_two_data_centres(site: Site) -> None:
    """The order of data centres is found in their metrics, and one rule is for both."""
    texts = {
        dc: conf(f"{USUAL} --up-metric {metric}") for dc, metric in (("par1", 100), ("lyo1", 50))
    }
    status, said = site.run(texts)
    assert status == 0, said
    assert "imported: 1 VIP of 2 data centres; the UPDATEs are equal in every state" in site.stdout
    text = (site.out / "vip.toml").read_text()
    assert 'prefer = ["lyo1", "par1"]' in text
    assert 'order = "med"' in text
    assert site.loaded("lyo1").topology.vips[0].health.rule == Term("check/watch")


def test_a_pipe(site: Site) -> None:
    """A foreign file that names a pipe is not waited for."""
    os.mkfifo(site.folder / "pipe")
    said = site.refused(conf(f"{USUAL} --config {site.folder}/pipe"))
    assert "can't be read; copy it beside par1.conf" in said


def test_two_rules(site: Site) -> None:
    """Data centres that check otherwise are no one rule's."""
    other = USUAL.replace("/bin/check", "/bin/other")
    with pytest.raises(SpeakerError, match=r"is another one than that of .*: make them alike"):
        site.run({"par1": conf(USUAL), "lyo1": conf(other)})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--cmd 'ping -c1 $HOST'", "--command: '$' needs a shell; put the command into a script"),
        ("--cmd 'dig x | grep y'", "--command: '|' needs a shell"),
        ("--cmd 'LANG=C dig x'", "--command: 'LANG=C' needs a shell"),
        ("--cmd '/bin/check {address}'", "--command: {address} means something in vip.toml"),
        ("--cmd ''", "--command: is empty; name a program"),
        ("--path-id 5", "--path-id: vip-speaker announces one path of a prefix; remove it"),
        ("--interval 0", "--interval: announces once and ends"),
        ("--interval 0.05 --rise 1 --fall 1", "--interval: 0.05 is not from 0.1 s to a day"),
        ("--timeout 0", "--timeout: 0 is not from 1 to 60 s"),
        ("--rise many", "--rise: 'many' is not a number; correct it"),
        ("--fall 2000", "--fall: 2000 is more than 1000"),
        ("--disable off", "--disable: 'off' is no absolute path; write one"),
        ("--community 64699:no", "--community: community: '64699:no'"),
        ("--extended-community target:65546:1", "is not of the form target:64500:1"),
        ("--extended-community origin:1:1", "is not of the form target:64500:1"),
        ("--as-path '{ 64699 }'", "--as-path: ASN: '{': not a number"),
        (
            "--as-path 65001",
            "--as-path: vip-speaker sends copies of the session's own AS alone, 64699",
        ),
        ("--up-metric -1", "--up-metric: MED: -1: not a number"),
        ("--next-hop here", "--next-hop: 'here' is not an address; write it like"),
        (
            "--ip 192.0.2.5/24",
            "--ip: prefix: '192.0.2.5/24': 192.0.2.5/24 has host bits set; write an address or a",
        ),
        ("--ip 10.0.0.0/8 --deaggregate-networks", "--ip: more than 10000 addresses; use fewer"),
        ("--neighbor 203.0.113.9", "--neighbor: 203.0.113.9 is not a neighbor that lists watch"),
        ("--no-such", "unrecognized arguments: --no-such; correct it"),
        ("--config nowhere.conf", "--config nowhere.conf: can't be read; copy it beside par1.conf"),
        ("--config a\\u0000b", "can't be read; copy it beside par1.conf"),
        ("--config a\\ud800b", "can't be read; copy it beside par1.conf"),
        ("--interval inf", "--interval: inf is not from 0.1 s to a day"),
    ],
)
def test_refused(site: Site, options: str, expected: str) -> None:
    """What can't be said in vip.toml writes nothing, and names its line and what to do."""
    said = site.refused(conf(f"{USUAL} {options}").replace("'", '"'))
    assert expected.replace("'", "") in said.replace("'", "")
    assert f"{site.folder}/par1.conf" in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "no process in it runs ExaBGP's healthcheck; is it the right exabgp.conf?"),
        (
            "interval = 5\nip = 192.0.2.1\n",
            "A file of healthcheck's own options is read where a process names it by --config",
        ),
        (
            conf(USUAL).replace("encoder text;", "encoder text"),
            "par1.conf:3: the statement does not end in its line",
        ),
        (conf("/bin/other"), "no process in it runs ExaBGP's healthcheck"),
        (
            conf(USUAL).replace("processes [ watch ]", "processes [ other ]"),
            "no neighbor lists watch",
        ),
        (
            conf(USUAL).replace("processes [ watch ]", "processes-match [ w ]"),
            "processes-match is not read",
        ),
        (conf(USUAL).replace("    peer-as 64500;\n", ""), "its peer-as is not said"),
        (conf(USUAL).replace("local-as 64699", "local-as auto"), "its local-as is not said"),
        (
            conf(USUAL).replace("neighbor 203.0.113.1", "neighbor 203.0.113.0/24"),
            "is not one address",
        ),
        (conf(USUAL, neighbor="peer-as 64500; inherit x;"), "inherit x: there is no such template"),
        (conf(USUAL).replace(" --ip 192.0.2.1", ""), "write each as --ip in a copy of the file"),
        (conf(USUAL, USUAL, processes="a b"), "192.0.2.1/32 is announced by a too"),
        (conf(USUAL).replace("    local-address 203.0.113.10;\n", ""), "--local"),
    ],
)
def test_file(site: Site, text: str, expected: str) -> None:
    """An exabgp.conf that makes no sense, or does not tell enough, writes nothing."""
    assert expected in site.refused(text)


def test_another_family(site: Site) -> None:
    """An address of a family that no session has is left out, and said; one that ExaBGP refuses writes nothing."""
    text = conf(f"{USUAL} --ip 2001:db8::1")
    status, said = site.run({"par1": text})
    assert status == 2
    assert (
        "2001:db8::1/128 is not announced, and left out: --neighbor or the family keeps it" in said
    )
    assert [*map(str, site.loaded().topology.prefixes)] == ["192.0.2.1/32"]
    both = text.replace("ipv4 unicast;", "ipv4 unicast; ipv6 unicast;")
    with pytest.raises(SpeakerError, match="use --next-hop, or take IPv6 out of that"):
        site.run({"par1": both})


def test_other_processes(site: Site) -> None:
    """A process that is no healthcheck is left out, and said."""
    status, said = site.run({"par1": conf(USUAL, "/bin/other", processes="watch other")})
    assert status == 2
    assert "par1.conf: process other: is not ExaBGP's healthcheck" in said


def test_strict(site: Site) -> None:
    """With --strict nothing is written where anything is refused."""
    text = conf(USUAL.replace(" --no-ip-setup", ""))
    assert "--strict: lines are refused, see above" in site.refused(text, "--strict")


def test_where_programs_are(site: Site) -> None:
    """A program without a path is looked for, which is said; where it is not found, nothing is written."""
    text = conf(USUAL.replace("/bin/check", "check"))
    _, said = site.run({"par1": text})
    assert "healthcheck watch: check is /usr/bin/check, as on this machine" in said
    site.lacks = {"check"}
    with pytest.raises(
        SpeakerError, match="check is not found on this machine; write its absolute"
    ):
        site.run({"par1": text})


@pytest.mark.parametrize(
    ("lacks", "named"),
    [(set(), []), ({"/bin/check", "/usr/bin/test"}, ["/bin/check", "/usr/bin/test"])],
)
def test_programs_that_are_not_here(site: Site, lacks: set[str], named: list[str]) -> None:
    """A program that can't be run on this machine is noted, each once, and the file is written: the other machine may have it."""
    site.lacks = lacks
    runs = f"{USUAL} --disable /etc/off", f"{USUAL.replace('2.1', '2.2')} --disable /etc/off"
    status, said = site.run({"par1": conf(*runs, processes="a b")})
    notes = [line for line in said.splitlines() if "can't run" in line]
    assert notes == [
        f"note: {site.folder}/par1.conf:{line}: healthcheck {name}: this user can't run {program} on this machine; "
        "see that vip_watchdog can, where it runs"
        for line, name in ((2, "a"), (6, "b"))
        for program in named
    ]
    summary = "  can't be run by this user: /bin/check, /usr/bin/test; see above\n"
    assert (summary in site.stdout) is bool(named)
    assert status == 2
    assert site.loaded().settings.checks.keys() == {"a", "a-enabled", "b", "b-enabled"}


def test_an_address_twice(site: Site) -> None:
    """Of an address that is named twice the last metric is heard."""
    site.run({"par1": conf(f"{USUAL} --ip 192.0.2.1")})
    assert site.states()["192.0.2.1/32 up"] == same(UP.format(101))


@pytest.mark.parametrize(
    "option", ["--quagga", "--frr", "--dns", "--name=x", "--vrf=x", "--peer=eth0=192.0.2.1"]
)
def test_options_of_bgpd(site: Site, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is of bgpd's files alone is refused beside it."""
    words = ["--healthcheck", "par1=x", "--out", str(site.out), option]
    assert import_command.main(words) == 255
    assert "is of no use with --healthcheck; remove it" in capsys.readouterr().err


def test_by_name(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """`import` itself finds the command, says where a file can't be read, and that nothing is written."""
    words: Sequence[str] = ["--healthcheck", "par1=/nowhere", "--out", str(site.out)]
    assert import_command.main(words) == 255
    assert "/nowhere: No such file or directory; name an exabgp.conf\nnothing is written" in (
        capsys.readouterr().err
    )
