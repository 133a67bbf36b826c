"""vip_mgmt -a and -d, asked before vip.toml is parsed: the same is said, done and returned as without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from policy.intent import Mode
from speaker.cli.arguments import parse
from speaker.cli.early import ask_early
from speaker.cli.node import Node
from speaker.control.as_loaded import IntentAsLoaded
from speaker.files import vip_toml
from tests.unit.test_vip_mgmt import SAID, SECOND, V4, V6, Run, reconciler, run, state, withdrawn

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["run"]  # the fixture

EARLY = "intents/as-loaded"
FAULTY = '[vip."vip-3.tld"]\naddresses = ["192.0.2.1"]\n'
"""Of an address that another VIP has."""


def outcome(
    run: Run, arguments: list[str], **answers: Any
) -> tuple[tuple[int, list[str], list[str], dict[str, Mode]], list[str]]:
    """Run the command; return what is to be the same, and what was asked."""
    with reconciler(run.directory, **answers) as asked:
        status = run(*arguments)
    return (status, run.out, run.err, run.intents()), [path for _, path, _ in asked]


ANSWERS = [
    *((option, [answer]) for option, answer, _, _ in SAID),
    ("-d", [{"prefix": V4, "recorded": "drained is recorded; not confirmed within 7 s"}]),
    ("-d", [state(V4, announced=False, was="forced by alice at 2026-01-31T23:59:59Z")]),
    ("-d", []),
    ("-d", {}),
    ("-d", [state(V6, announced=False)]),
    ("-d", [state(announced=False), state(V6, announced=False)]),
    ("-d", b"<html>"),
    ("-d", b""),
    ("-d", (500, {"error": "state: the disk is full"})),
    ("-d", (403, {"error": "not for you"})),
    ("-d", (503, {"error": "control: busy"})),
    ("-a", b""),
]


@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]], ids=["", "dry"])
@pytest.mark.parametrize(("option", "answer"), ANSWERS)
def test_the_same_is_said(run: Run, option: str, answer: Any, dry_run: list[str]) -> None:
    """What is said, recorded and returned is the same, and nothing is asked, or waited for, twice."""
    arguments = [option, V4, *dry_run]
    usual, asked = outcome(run, arguments, intents=answer)
    assert asked == ["/intents"]
    (run.directory / "state.sqlite3").unlink(missing_ok=True)
    early, asked = outcome(run, arguments, intents=answer, **{EARLY: answer})
    assert asked == [f"/{EARLY}"]
    assert early == usual


@pytest.mark.parametrize("refused", [400, 404, 409])
def test_what_is_not_done_is_asked_again(run: Run, refused: int) -> None:
    """An older watchdog, one that loaded another file, or one that knows a prefix less: it is asked as always."""
    answers = {"intents": withdrawn(V4), EARLY: (refused, {"error": "no"})}
    got, asked = outcome(run, ["-d", V4], **answers)
    assert asked == [f"/{EARLY}", "/intents"]
    assert got == (0, [], [f"Route {V4} already removed"], {})


def test_all(run: Run) -> None:
    """`all` is every prefix of vip.toml: an answer about less, or more, is none."""
    got, asked = outcome(run, ["-d", "all"], **{EARLY: withdrawn(V4, V6, SECOND)})
    assert (got[0], asked) == (0, [f"/{EARLY}"])
    for answer in (withdrawn(V4, V6), withdrawn(V4, V6, SECOND, "192.0.2.9/32")):
        got, _ = outcome(run, ["-d", "all"], **{EARLY: answer})
        assert got[0] == 1
        assert got[3] == dict.fromkeys((V4, V6, SECOND), Mode.DRAINED)


def sent(run: Run, *arguments: str) -> IntentAsLoaded | None:
    """Return what is asked early, as the watchdog reads it; None where nothing is."""
    with reconciler(run.directory, **{EARLY: []}) as asked:
        run(*arguments)
    bodies = [body for _, path, body in asked if path == f"/{EARLY}"]
    return IntentAsLoaded.from_json(bodies[0]) if bodies else None


def test_what_is_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request has the file's digest, what this machine is in it, and all that the command line says."""
    options = ["--reason", "disk full", "--for", "2h"]
    asked = sent(run, "-d", "192.0.2.2", "all", "2001:db8::1", *options)
    assert asked is not None
    assert asked.digest == vip_toml.digest((run.directory / "vip.toml").read_bytes())
    assert (asked.dc, asked.backend, asked.everything) == ("par1", "exabgp", True)
    assert list(map(str, asked.prefixes)) == [SECOND, V6]
    assert (asked.mode, asked.reason, asked.seconds) == (Mode.DRAINED, "disk full", 7200.0)
    assert not asked.names
    asked = sent(run, "-d", "VIP-2.tld.", V4, "vip-2.tld", "vip-1.tld")
    assert asked is not None
    assert (asked.names, asked.everything) == (("vip-2.tld", "vip-1.tld"), False)
    assert list(map(str, asked.prefixes)) == [V4]
    monkeypatch.setenv("VIP_DC", "lyo1")
    monkeypatch.setenv("VIP_BACKEND", "quagga")
    asked = sent(run, "-a", "--force", V4, "--dry-run")
    assert asked is not None
    assert (asked.dc, asked.backend, asked.everything) == ("lyo1", "quagga", False)
    assert (asked.mode, asked.dry_run, asked.force) == (Mode.FORCED, True, False)
    asked = sent(run, "-d", "--soft", "--force", V4, "--dry-run")
    assert asked is not None
    assert (asked.mode, asked.force) == (Mode.DRAINING, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-d", "vip-1.tld", "--dns"],
        ["-d", V4, "vip-2.tld", "--at", "22:00"],
        ["-d", V4, "--reason", "a\nb"],
        ["status", V4],
    ],
    ids=" ".join,
)
def test_what_is_not_asked_early(run: Run, arguments: list[str]) -> None:
    """What DNS says, too, or is for later, or makes no sense, or is a question, is not asked early."""
    assert sent(run, *arguments) is None


def test_nobody_serves(run: Run) -> None:
    """Where nobody serves the socket, or its file is not what it should be, nothing was asked."""
    call = parse(["-d", V4])
    node = Node.of(call.path, {})
    assert node is None or ask_early(call, node) is None
    call.path.chmod(0o666)
    with reconciler(run.directory, **{EARLY: withdrawn(V4)}) as asked:
        assert run("-d", V4) == 255
    assert not asked


def test_a_file_with_faults(run: Run) -> None:
    """A file with faults behind its head is refused as always, by a watchdog that has not loaded it."""
    path = run.directory / "vip.toml"
    path.write_text(path.read_text() + FAULTY)
    got, asked = outcome(run, ["-d", V4], **{EARLY: (409, {"error": "another"})})
    assert got[0] == 255
    assert asked == [f"/{EARLY}"]
    assert run.err[0].startswith(f"configuration: {path}: ")


@pytest.mark.parametrize(
    ("word", "answer"), [("all", withdrawn(V4, V6, SECOND)), ("all", b""), (V4, b"")]
)
def test_a_file_that_changed_meanwhile(run: Run, word: str, answer: Any) -> None:
    """Where it was applied, or may have been, and the file tells what that is about, the end is not that of nothing done."""
    path = run.directory / "vip.toml"
    path.write_text(path.read_text() + FAULTY)
    got, _ = outcome(run, ["-d", word], **{EARLY: answer})
    assert got[0] == 1
    assert run.err[-1] == (
        "bgp_mgt: vip_watchdog was asked before, and may have applied it; see vip_mgmt status"
    )


# --- the head of vip.toml ------------------------------------------------------------------------

HEADS = {
    '[node]\ndc = "a"\n[vip.x]\n': {"dc": "a"},
    '[node]\ndc = "a"\n # [vip.x]\n  [ "vip" . x]\n[node]\n': {"dc": "a"},
    "[node]\ndc = \"a\"\n['vip'.x]\n": {"dc": "a"},
    '[node]\ndc = "a"\n[vip]\nx = {}\n': {"dc": "a"},
    'node = { dc = "a" }\n"vip" = { }\n': {"dc": "a"},
    'node.dc = "a"\nvip.x.prefer = "auto"\n': {"dc": "a"},
    '# control = "/tmp/x"\n[node]\ndc = "a"\n[profile.vip]\nprepends = 1\n[vip.x]\n': {"dc": "a"},
    '[node]\ndc = "a"\n[vips]\n[dc.vip]\n': {"dc": "a"},
    "[vip.x]\n[node]\ndc = 'a'\n": {},
}


@pytest.mark.parametrize("text", HEADS)
def test_head(text: str) -> None:
    """The head is what stands before the VIPs, whatever they are written as."""
    assert vip_toml.head(text.encode(), {})["node"] == HEADS[text]


@pytest.mark.parametrize(
    "text",
    [
        '[node]\nx = """\n[vip.x]\n"""\ncontrol = "/tmp/x"\n',
        'x = [\n[vip.x]\n]\n[node]\ncontrol = "/tmp/x"\n',
        "[node]\ndc = 1 2\n[vip.x]\n",
    ],
)
def test_no_head(text: str) -> None:
    """What only looks like the first VIP ends nothing that is whole: then nothing is taken from it."""
    with pytest.raises(vip_toml.VipTomlError):
        vip_toml.head(text.encode(), {})


def test_where_it_stands_last(run: Run, tmp_path: Path) -> None:
    """A file that begins with its VIPs is read as a whole before anything is asked."""
    path = tmp_path / "vip.toml"
    head, mark, vips = path.read_text().partition('[vip."vip-1.tld"]')
    path.write_text(mark + vips + head)
    got, asked = outcome(run, ["-d", V4], **{EARLY: withdrawn(V4), "intents": withdrawn(V4)})
    assert (got[0], asked) == (0, ["/intents"])
