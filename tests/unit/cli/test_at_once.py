"""vip_mgmt does not parse vip.toml where a watchdog has loaded the same: then the same is said and returned as otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from speaker.cli.arguments import parse
from speaker.cli.at_once import AtOnce
from speaker.files import vip_toml
from tests.support.fakes.site import write_config
from tests.support.lab.dns import DnsServer, Reply
from tests.support.lab.eventually import eventually
from tests.unit.test_vip_mgmt import (
    BOTH,
    PEER,
    SECOND,
    V4,
    V6,
    Run,
    reconciler,
    run,
    state,
    withdrawn,
)

__all__ = ["run"]  # the fixture

SOURCE = Path(__file__).parents[3]
EARLY = "intents/as-loaded"
FAULT = '[health]\ndrop_at = "none"\n'
PROGRAM = """
import json, sys
from speaker import vip_mgmt
status = vip_mgmt.main(sys.argv[1:])
print(json.dumps([int(status), sorted(sys.modules)]))
"""


def told(run: Run, digest: str | None = None, **more: Any) -> dict[str, Any]:
    """Return the state that a watchdog tells which loaded the file as it is, or content of another digest."""
    path = run.directory / "vip.toml"
    digest = vip_toml.digest(path.read_bytes()) if digest is None else digest
    return {
        "dc": "par1",
        "backend": "exabgp",
        "configuration": {"file": str(path), "state": "loaded", "digest": digest},
        "last_cycle": 0.25,
        "peers": [PEER],
        "routes": [state(), state(V6), state(SECOND, vip="vip-2.tld", as_wanted=False)],
        "sessions": [],
        "trouble": [],
        **more,
    }


def of_config(run: Run, arguments: tuple[str, ...]) -> tuple[int, set[str]]:
    """Run the command as a process; return its exit status, and what it imported of `speaker.config`."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**os.environ, "VIP_CONFIG": str(run.directory / "vip.toml")},
        cwd=SOURCE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    status, modules = json.loads(done.stdout.splitlines()[-1])
    return status, {name for name in modules if name.startswith("speaker.config")}


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("-d", "192.0.2.1"), 0),
        (("-a", "192.0.2.1", "--dry-run"), 1),
        (("status", V4), 0),
        (("status",), 1),
        (("status", "all"), 1),
    ],
)
def test_what_is_not_imported(run: Run, arguments: tuple[str, ...], status: int) -> None:
    """Beside a watchdog that loaded the same file, nothing that reads all of it is imported; beside another it is."""
    same: dict[str, Any] = {"status": told(run), EARLY: withdrawn(V4)}
    with reconciler(run.directory, **same) as asked:
        assert of_config(run, arguments) == (status, set())
    assert {path for _, path, _ in asked} <= {"/status", f"/{EARLY}"}
    other: dict[str, Any] = {
        "status": told(run, ""),
        EARLY: (409, {"error": "another"}),
        "intents": withdrawn(V4),
    }
    with reconciler(run.directory, **other):
        ended, modules = of_config(run, arguments)
    assert ended == status
    assert "speaker.config.schema" in modules


def shown(run: Run, *arguments: str, **more: Any) -> tuple[int, list[str], list[str], list[str]]:
    """Run the command; return what is to be the same, and what was asked."""
    with reconciler(run.directory, **more) as asked:
        status = run(*arguments)
    return status, run.out, run.err, [path for _, path, _ in asked]


@pytest.mark.parametrize("words", [[], [V4], ["all"], [V6, SECOND, V6], ["203.0.113.9"]])
def test_status_is_the_same(run: Run, words: list[str]) -> None:
    """Of the same file, a changed one, and from an older watchdog, the same is shown, and it is asked once."""
    at_once = shown(run, "status", *words, status=told(run))
    assert at_once[-1] == ["/status"]
    assert shown(run, "status", *words, status=told(run, "")) == at_once
    assert shown(run, "status", *words, status=told(run, "0" * 64)) == at_once


@pytest.mark.parametrize("other", [{"dc": "lyo1"}, {"backend": "quagga"}])
def test_another_machine(run: Run, other: dict[str, str]) -> None:
    """One that is of another data centre or backend by the same file tells nothing of what the file means here."""
    with reconciler(run.directory, status=told(run, **other)):
        assert of_config(run, ("status",))[1]


def test_a_faulty_file(run: Run) -> None:
    """Faults are told though the watchdog that loaded another content answers."""
    loaded = told(run)
    path = run.directory / "vip.toml"
    path.write_text(path.read_text() + FAULT)
    status, out, err, _ = shown(run, "status", status=loaded)
    assert status == 255
    assert V4 in "\n".join(out)
    assert err[0].startswith(f"configuration: {path}: health.drop_at")


def test_a_prefix_that_is_not_loaded(run: Run) -> None:
    """An address of the file that the watchdog lacks is named as such."""
    routes = [state(V6)]
    status, _, err, _ = shown(run, "status", V4, status=told(run, routes=routes))
    assert status == 1
    assert "vip_watchdog has not loaded it yet" in err[0]


@pytest.mark.parametrize("answer", [b"", b"<html>", {}, (503, {"error": "control: busy"})])
def test_no_answer(run: Run, answer: Any) -> None:
    """Where no answer comes, or none that is believed, it is not waited for again: the state file answers."""
    status, out, _, asked = shown(run, "status", status=answer)
    assert status == 1
    assert "does not answer" in "\n".join(out)
    assert {*asked} == {"/status"}
    assert len(asked) <= 2  # busy: the other socket is asked


@pytest.mark.parametrize(
    "line", ["control = 3", "control = ''", "control = '/'", "control = '/x\\u0000y'", "dc = 3"]
)
def test_a_head_that_makes_no_sense(run: Run, line: str) -> None:
    """Nobody is asked by it: its fault is told."""
    path, key = run.directory / "vip.toml", line.split(maxsplit=1)[0]
    kept = [each for each in path.read_text().splitlines() if not each.startswith(f"{key} ")]
    kept.insert(kept.index("[node]") + 1, line.replace("'", '"'))
    path.write_text("\n".join(kept))
    with reconciler(run.directory, status=told(run)) as asked:
        assert run("status") == 255
    assert f"node.{key}" in run.err[0]
    assert not asked or key == "dc"  # for what is in force, where the file still says whom


def test_none_runs(run: Run) -> None:
    """Where no watchdog runs, the state file answers, as always."""
    assert run("status") == 1
    assert "no vip_watchdog serves it" in "\n".join(run.out)


WITHOUT_V6 = {**BOTH, "vip-1.tld AAAA": Reply()}


REFUSED = (409, {"error": "another"})


def by(run: Run, server: DnsServer) -> None:
    """Have a name server asked by the file."""
    path, where = write_config(run.directory), "{}:{}".format(*server.endpoint)
    path.write_text(path.read_text().replace("[node]\n", f'[node]\nresolver = "{where}"\n'))


def ordered(
    run: Run,
    script: dict[str, Reply],
    *words: str,
    answers: dict[str, Any],
) -> tuple[int, list[str], list[str]]:
    """Run the command beside a name server and a watchdog.

    Returns:
        The exit status, what is said, and what was asked.
    """
    with DnsServer(script) as server:
        by(run, server)
        with reconciler(run.directory, **answers) as asked:
            status = run(*words)
    return status, run.err, [path for _, path, _ in asked]


@pytest.mark.parametrize("script", [BOTH, WITHOUT_V6, {}], ids=["both", "one", "none"])
@pytest.mark.parametrize("words", [("-d", "vip-1.tld"), ("-d", "VIP-1.TLD.", SECOND, "--dry-run")])
def test_names(run: Run, script: dict[str, Reply], words: tuple[str, ...]) -> None:
    """What a name means is what is loaded: the same is done and said, also of DNS, as with all of the file."""
    second = [state(SECOND, before=False, announced=False, vip="vip-2.tld")]
    more = second if SECOND in words else []
    done = [*more, *withdrawn(V4, V6)]
    status, said, asked = ordered(run, script, *words, answers={EARLY: done})
    assert asked == [f"/{EARLY}"]
    done = [*withdrawn(V4, V6), *more]
    whole = ordered(run, script, *words, answers={EARLY: REFUSED, "intents": done})
    assert whole == (status, said, [f"/{EARLY}", "/intents"])


def test_order_before_dns(run: Run) -> None:
    """The watchdog is asked before DNS is, which may be gone: a drain does not wait for it."""
    with DnsServer(BOTH) as server:
        by(run, server)
        with reconciler(run.directory, **{EARLY: withdrawn(V4, V6)}) as asked:
            at_once = AtOnce(parse(["-d", "vip-1.tld"]), os.environ)
            eventually(
                lambda: [path for _, path, _ in asked],
                within=60,
                until=[f"/{EARLY}"].__eq__,
                what="the order",
            )
            assert not server.asked
            assert at_once.carry_out() is not None
            assert {each.split()[1] for each in server.asked} == {"vip-1.tld"}
            assert {*at_once.answers} == {"vip-1.tld"}


def test_names_without_the_file(run: Run) -> None:
    """For a name, too, nothing is imported that reads all of the file, where DNS has the same; else it is."""
    for script, is_enough in ((BOTH, True), (WITHOUT_V6, False)):
        with DnsServer(script) as server:
            by(run, server)
            with reconciler(run.directory, **{EARLY: withdrawn(V4, V6)}):
                status, modules = of_config(run, ("-d", "vip-1.tld"))
        assert status == 0
        assert (not modules) is is_enough


@pytest.mark.parametrize(
    "words", [("-d", "www.tld"), ("-d", "nope.tld"), ("-d", "vip-1.tld", "203.0.113.9")]
)
def test_names_that_are_no_vip(run: Run, words: tuple[str, ...]) -> None:
    """What only DNS knows, or nobody, is found with all of the file."""
    answers = {EARLY: REFUSED, "intents": withdrawn(V4, V6)}
    status, _, asked = ordered(run, BOTH, *words, answers=answers)
    assert status == (0 if "www.tld" in words else 255)
    assert asked == [f"/{EARLY}", *(["/intents"] if "www.tld" in words else [])]


@pytest.mark.parametrize(
    "answer",
    [
        withdrawn(V4),
        withdrawn(V4, V6, SECOND),
        withdrawn(V4, V6, "192.0.2.9/32"),
        [{"prefix": V4}, {"prefix": "x"}],
        {"outcomes": None},
        3,
        b"",
    ],
    ids=[
        "less",
        "more",
        "unknown",
        "malformed",
        "no outcomes",
        "no answer",
        "nothing",
    ],
)
def test_answers_about_something_else(run: Run, answer: Any) -> None:
    """An answer about less than a name means, or more, is none, whatever DNS has: then the intent is recorded here."""
    status, _, asked = ordered(run, BOTH, "-d", "vip-1.tld", answers={EARLY: answer})
    assert (status, asked) == (1, [f"/{EARLY}"])
    assert {*run.intents()} == {V4, V6}
