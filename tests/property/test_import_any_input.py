"""No input ends in a traceback: files of sites, broken in any way, import or are refused by a line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from speaker.errors import SpeakerError
from speaker.migration.bgpd_conf.answers import parse
from speaker.migration.bgpd_conf.model import Dialect
from speaker.migration.bgpd_conf.reader import read
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.target import exabgp_conf, exabgp_site, inferred_policy, local, vip_toml
from speaker.migration.target.vip_names import name_all
from speaker.migration.updates.evaluate import evaluate
from speaker.migration.updates.verdicts import account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.migration.bgpd_conf.model import Configuration

ROOT = Path(__file__).parents[1] / "migration"
FILES = [*sorted(ROOT.glob("shapes/*.conf")), *sorted(ROOT.glob("corpus/*/par1.conf"))]
LINES = sorted({line for path in FILES for line in path.read_text("latin-1").split("\n")})
OWN = local.parse(["par1=203.0.113.10/24", "par1=2001:db8:ffff:1::10/64"], ["par1"])["par1"]

WORDS = sorted({word for line in LINES for word in line.split()})
ODD = st.sampled_from(
    [
        "",
        "0",
        "-1",
        "4294967296",
        "²",
        "\0",
        "no",
        "1.1.1.1/33",
        "::/0",
        "é",
        "a" * 300,
        "!",
        "65536:1",
    ]
)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A file of a site in which lines are lost, repeated, moved or new, and words are others."""
    lines = draw(st.sampled_from(FILES)).read_text("latin-1").split("\n")
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.integers(0, 5)):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, draw(st.sampled_from(LINES)))
            case 2:
                lines[at] = " ".join(_changed(draw, lines[at].split()))
            case 3:
                lines.append(lines[at])
            case 4:
                lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
            case 5:
                lines[at] = f"no {lines[at].strip()}"
        lines = lines or [""]
    return "\n".join(lines).encode("utf-8")


def _changed(draw: st.DrawFn, words: list[str]) -> Sequence[str]:
    if words:
        words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(WORDS) | ODD)
    return words


@given(text=broken(), dialect=st.sampled_from(Dialect))
def test_nothing_but_errors_that_say_what(text: bytes, dialect: Dialect) -> None:
    """Reading, evaluating and writing end, with a result or an error; each obstacle names its line."""
    answers = parse(["FABRIC=64500"], ["eth0=203.0.113.1"], ["par1"], None)["par1"]
    found: Configuration | str = ""
    try:
        found = read("frr.conf", text, dialect, answers)
    except MigrationError as error:
        found = str(error)
    if isinstance(found, str):
        assert "frr.conf" in found
        return
    evaluation = evaluate(found)
    verdicts = account(found, evaluation)
    assert len(verdicts) == len(found.verdicts)
    assert all(str(each).startswith("frr.conf:") for each in evaluation.obstacles)
    site = exabgp_site.make("par1", found, evaluation, OWN)
    prefixes = tuple(site.routes)
    names = {**name_all(prefixes, [], lambda _: {}, None).names}
    names |= {each: str(each) for each in inferred_policy.aggregates([site])}
    layout = inferred_policy.fit([site], names)
    if evaluation.obstacles or site.faults or layout.faults or not layout.vips:
        return
    said = "frr.conf"
    try:
        vip_toml.render([site], layout)
        exabgp_conf.render(site, "/opt/vip-speaker/bin/vip_watchdog")
    except SpeakerError as error:
        said = str(error)
    assert "frr.conf" in said
