"""The examples and the documentation say what the programs take."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from policy.assignment import assignments
from policy.intent import Intent, Mode
from policy.lint.finding import Code
from speaker import config
from speaker.api import DaemonStatus, PeerStatus, PrefixStatus, Status
from speaker.cli import arguments as command_line
from speaker.cli.tables import status_table
from speaker.config import ConfigError
from speaker.config.schema import Document, HealthTable
from speaker.migration import options as importing
from tests.support.lab.exabgp import FLAVOURS, Flavour, executable

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
VIP_TOML = ROOT / "vip.toml.example"
EXABGP_CONF = ROOT / "exabgp.conf.example"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
INSTALLED = "/opt/vip-speaker/bin/"
REST = {"node": '[node]\ndc = "par1"', "dc": "[dc.par1]\nasn = 64699\n[dc.lyo1]\nasn = 64699"}


def blocks(page: Path, *languages: str) -> list[str]:
    return re.findall(
        rf"^```(?:{'|'.join(languages)})\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE
    )


def every(*languages: str) -> list[tuple[str, str]]:
    found = [
        (f"{page.relative_to(ROOT)}-{number}", block)
        for page in PAGES
        for number, block in enumerate(blocks(page, *languages))
    ]
    return found or [("none", "")]


# --- vip.toml --------------------------------------------------------------------------------


def test_the_example_of_vip_toml_loads() -> None:
    """vip.toml.example is a configuration without a fault, in each of its data centres."""
    for dc in ("par1", "lyo1"):
        loaded = config.load(VIP_TOML, {"VIP_DC": dc})
        assert len(loaded.topology.prefixes) == 8


def uncommented() -> str:
    """Return vip.toml.example with all that it shows in comments, but `prepends`, which excludes `ranks`."""
    text = VIP_TOML.read_text()
    text = re.sub(r"^prepends = .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^# (?=\[[a-z]|[a-z_]+ = )", "", text, flags=re.MULTILINE)
    return f"{text}\n[profile.far]\nprepends = 2\n"


def test_all_that_is_commented_out_loads(tmp_path: Path) -> None:
    """What vip.toml.example shows in comments may be taken out of them, all at once, in each data centre."""
    path = tmp_path / "vip.toml"
    path.write_text(uncommented())
    for dc in ("par1", "lyo1"):
        found = config.load(path, {"VIP_DC": dc})
        assert {*found.settings.checks} == {"shop", "database", "resolver", "smtp"}


def test_every_table_is_in_the_example() -> None:
    """vip.toml.example shows each table that vip.toml may have, as it is or in a comment."""
    lacks = Document.model_fields.keys() - tomllib.loads(uncommented()).keys()
    assert lacks == {"metrics", "events"}  # docs/metrics.md and docs/events.md have them


@pytest.mark.parametrize(
    ("right", "wrong", "named"),
    [
        ('dc = "par1" ', 'dc = "par2" ', "node.dc"),
        ("prepends = [1, 2] ", "prepends = [1, 1] ", "policy.prepends"),
        ('"192.0.2.4"', '"192.0.2.1"', 'vip."vip-3.tld".addresses[0]'),
        ("ignore_realservers", "ignore_realserver", "health.ignore_realserver"),
    ],
)
def test_a_broken_copy_of_vip_toml_is_refused(
    tmp_path: Path, right: str, wrong: str, named: str
) -> None:
    """A fault is refused with the path of its key."""
    text = VIP_TOML.read_text()
    assert text.count(right) == 1
    broken = tmp_path / "vip.toml"
    broken.write_text(text.replace(right, wrong))
    with pytest.raises(ConfigError, match=re.escape(f"{broken}: {named}: ")):
        config.load(broken, {})


def keys(table: type[BaseModel] = Document) -> Iterator[str]:
    for name, field in table.model_fields.items():
        yield field.alias or name
        for each in tables(field.annotation):
            yield from keys(each)


def tables(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from tables(part)


def test_every_key_is_documented() -> None:
    """docs/configuration.md has every key of vip.toml."""
    page = (ROOT / "docs/configuration.md").read_text()
    assert set(HealthTable.model_fields) <= set(keys())
    undocumented = [
        key
        for key in dict.fromkeys(keys())
        if f"`{key}`" not in page and not re.search(rf"^## \[(.*\.)?{key}\b", page, re.MULTILINE)
    ]
    assert undocumented == []


@pytest.mark.parametrize(("where", "block"), every("toml"))
def test_toml_in_the_documentation_loads(tmp_path: Path, where: str, block: str) -> None:
    """Each piece of vip.toml in the documentation loads, with a machine and data centres around it."""
    found = tomllib.loads(block)
    path = tmp_path / f"{Path(where).name}.toml"
    path.write_text("\n".join([block, *(text for key, text in REST.items() if key not in found)]))
    config.load(path, {})


def test_every_finding_is_documented() -> None:
    """docs/check.md has every code once, in a row of its own, and no other code."""
    page = (ROOT / "docs/check.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted(Code)


# --- exabgp.conf -----------------------------------------------------------------------------


def validate(flavour: Flavour, path: Path) -> subprocess.CompletedProcess[str]:
    program = executable(flavour)
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"needs exabgp {flavour}", pytrace=False)
        pytest.skip(f"needs exabgp {flavour}")
    command = ["--test"] if flavour == "v4" else ["validate"]
    return subprocess.run(
        [program, *command, str(path)],
        env={**os.environ, "exabgp.api.cli": "false", "exabgp.log.destination": "stdout"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def installed_here(text: str) -> str:
    """Return a text with the path where this vip_watchdog is installed: ExaBGP looks at it."""
    assert INSTALLED in text
    return text.replace(INSTALLED, f"{Path(sys.executable).parent}/")


@pytest.mark.parametrize(
    "path",
    [
        EXABGP_CONF,
        ROOT / "packaging/ansible/roles/vip_speaker/templates/exabgp.conf.j2",
        *(ROOT / "docs" / name for name in ("exabgp.md", "witness.md", "tutorial.md")),
    ],
    ids=lambda path: path.name,
)
def test_exabgp_tells_what_it_sends(path: Path) -> None:
    """Announced is what a neighbour is known to be sent: each example has ExaBGP tell that, beside when a session comes up."""
    _, *after = path.read_text().split("neighbor-changes;")
    assert after
    for text in after:
        assert "send { parsed; update; }" in text.split("processes [")[0][:300]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_exabgp_takes_the_example_of_its_configuration(tmp_path: Path, flavour: Flavour) -> None:
    """ExaBGP's own validator finds no fault in exabgp.conf.example."""
    path = tmp_path / "exabgp.conf"
    path.write_text(installed_here(EXABGP_CONF.read_text()))
    result = validate(flavour, path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("peer-as 64500;", "peer-as router;"),
        ("processes [ vip-speaker ];", "processes [ vip-speakers ];"),
        ("bin/vip_watchdog", "bin/vip_watchdogs"),
    ],
)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_exabgp_refuses_a_broken_copy(
    tmp_path: Path, flavour: Flavour, right: str, wrong: str
) -> None:
    """The validator does tell right from wrong."""
    path = tmp_path / "exabgp.conf"
    path.write_text(installed_here(EXABGP_CONF.read_text().replace(right, wrong)))
    assert validate(flavour, path).returncode != 0


# --- commands --------------------------------------------------------------------------------


def commands(language: str, block: str) -> Iterator[list[str]]:
    """Yield the commands of a block of shell: of a console's, the lines after its prompt."""
    lines = block.replace("\\\n", " ").splitlines()
    if language == "console":
        lines = [line[2:] for line in lines if line.startswith(("$ ", "# "))]
    for line in lines:
        words = [] if line.startswith("#") else shlex.split(line, comments=True)
        if words:
            yield words


@pytest.mark.parametrize("language", ["sh", "console"])
def test_commands_in_the_documentation_are_understood(language: str) -> None:
    """Each vip_mgmt in the documentation parses."""
    found = [words for _, block in every(language) for words in commands(language, block)]
    asked = [words[1:] for words in found if words[0] == "vip_mgmt"]
    assert asked
    for arguments in asked:
        understand(arguments)


def understand(arguments: list[str]) -> None:
    """Parse what follows vip_mgmt; `import` has a command line of its own."""
    if arguments[0] == command_line.IMPORT:
        importing.parse(arguments[1:])
    else:
        command_line.parse(arguments)


def test_commands_within_the_text_are_understood() -> None:
    """Likewise each `vip_mgmt …` within a line."""
    for page in PAGES:
        for text in re.findall(r"`vip_mgmt ([^`]+)`", page.read_text()):
            if text not in {"-a", "-d", "import", "compare"}:  # spoken of
                understand(shlex.split(text))


def test_dev_knows_its_commands() -> None:
    """The README's two commands exist, and every other that the documentation names."""
    usage = subprocess.run(
        [str(ROOT / "dev"), "help"], capture_output=True, text=True, check=True
    ).stdout
    named = {name for page in PAGES for name in re.findall(r"\./dev ([a-z]+)", page.read_text())}
    assert {"demo", "test"} <= named
    assert named <= set(re.findall(r"^\./dev ([a-z]+)", usage, re.MULTILINE))


# --- what they print -------------------------------------------------------------------------

README = ROOT / "README.md"
SESSIONS = ("192.0.2.251", "192.0.2.252")
DRAINED = Intent(Mode.DRAINED, "root", 1769828400.0, "new kernel")


def printed(command: str) -> list[str]:
    """Return what README says that a command prints."""
    (found,) = [block for block in blocks(README, "console") if block.startswith(f"# {command}\n")]
    return found.splitlines()[1:]


def test_the_example_of_a_drain() -> None:
    """README drains and restores what vip.toml.example has under the name."""
    vip = config.load(VIP_TOML, {}).topology.vip("vip-1.tld")
    assert vip is not None
    addresses = [address.prefix for address in vip.addresses]
    assert printed('vip_mgmt -d vip-1.tld --reason "new kernel"') == [
        f"bgp_mgt: Deleting route to {prefix}" for prefix in addresses
    ]
    assert printed("vip_mgmt -a vip-1.tld") == [
        f"bgp_mgt: Adding route to {prefix}" for prefix in addresses
    ]


def test_the_example_of_status() -> None:
    """README shows what status prints of vip.toml.example: the rank, the path, each column's width."""
    loaded = config.load(VIP_TOML, {"VIP_DC": "par1"})
    shown = {}
    for prefix, assignment in assignments(loaded.topology, loaded.settings.dc).items():
        assert assignment.route
        assert assignment.profile
        drained = assignment.vip.name == "vip-1.tld"
        shown[assignment.vip.name, str(prefix)] = PrefixStatus(
            vip=assignment.vip.name,
            prefix=str(prefix),
            announced=not drained,
            peers=dict.fromkeys(SESSIONS, not drained),
            up=SESSIONS,
            as_path=tuple(assignment.route.attributes.as_path),
            rank=assignment.rank,
            prepends=assignment.profile.prepends,
            realservers=2 if drained else 3,
            health="up",
            intent=Mode.DRAINED if drained else Mode.AUTO,
            reason=str(DRAINED) if drained else "up: 3 realservers",
            wanted=not drained,
            as_wanted=True,
        )
    answer = Status(
        dc="par1",
        backend="exabgp",
        daemon=DaemonStatus(name="ExaBGP 5.0.15"),
        peers=tuple(PeerStatus(address=name, asn=64500, up=True) for name in SESSIONS),
        trouble=(),
        routes=tuple(
            route for (name, _), route in shown.items() if name in {"vip-1.tld", "vip-2.tld"}
        ),
    )
    assert printed("vip_mgmt status vip-1.tld vip-2.tld") == status_table(answer).splitlines()
