"""The command vip_mgmt: arguments, output to the letter, exit status. Its watchdog is a script."""

from __future__ import annotations

import json
import os
import pwd
import re
import socketserver
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest

from policy.intent import Mode
from policy.route import parse_prefix
from speaker import vip_mgmt
from speaker.cli.arguments import parse
from speaker.state.store import Store
from tests.support.fakes.site import write_config
from tests.support.lab.dns import DnsServer, Reply, records

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ME = pwd.getpwuid(os.getuid()).pw_name
V4, V6, SECOND = "192.0.2.1/32", "2001:db8::1/128", "192.0.2.2/32"


class _Server(socketserver.UnixStreamServer):
    allow_reuse_address = True
    answers: Mapping[str, tuple[int, Any]]
    asked: list[tuple[str, str, Any]]
    hold: threading.Event | None = None

    def get_request(self) -> tuple[Any, Any]:
        return self.socket.accept()[0], ("", 0)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _answer(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        known = self.server.answers.get(self.path.split("?")[0])
        if known is not None:
            self.server.asked.append((self.command, self.path, body))
        if self.server.hold is not None:
            self.server.hold.wait(60)
        status, answer = known or (404, {"error": "404: Not Found"})
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        with suppress(BrokenPipeError):  # who has seen enough hangs up
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the name is http.server's

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - likewise
        pass


@contextmanager
def reconciler(directory: Path, **answers: Any) -> Iterator[list[tuple[str, str, Any]]]:
    """A watchdog that answers `/intents` and the like from a script. Yields what it was asked.

    With a `hold`, an event, it answers once that is set.
    """
    path = directory / "control.sock"
    path.unlink(missing_ok=True)
    with _Server(str(path), _Handler) as server:
        server.asked, server.hold = [], answers.pop("hold", None)
        server.answers = {
            f"/{name}": answer if isinstance(answer, tuple) else (200, answer)
            for name, answer in answers.items()
        }
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.asked
        finally:
            server.shutdown()
            thread.join()


def whole(*routes: dict[str, Any]) -> dict[str, Any]:
    """The whole state, with these prefixes."""
    return {"dc": "par1", "backend": "exabgp", "peers": [], "routes": [*routes], "trouble": []}


def state(prefix: str = V4, **more: Any) -> dict[str, Any]:
    """A prefix as the watchdog tells of it."""
    return {
        "vip": "vip-1.tld",
        "prefix": prefix,
        "before": True,
        "announced": True,
        "peers": {"203.0.113.11": True},
        "up": ["203.0.113.11"],
        "lack": "",
        "as_path": [64699, 64699],
        "rank": 0,
        "prepends": 1,
        "realservers": 2,
        "health": "up",
        "intent": "auto",
        "reason": "up: 2 realservers",
        "wanted": True,
        "as_wanted": True,
        **more,
    }


def withdrawn(*prefixes: str) -> list[dict[str, Any]]:
    """Answer that some prefixes are withdrawn, and were before."""
    return [state(prefix, before=False, announced=False) for prefix in prefixes]


NOT_FOR_LONG = "its health is bad, and it is withdrawn when nothing keeps it any more"
NOT_HERE = "not announced here: only lyo1"
ELSEWHERE: dict[str, Any] = {"rank": None, "prepends": None, "as_path": [], "reason": NOT_HERE}


PEER = {
    "name": "203.0.113.11",
    "address": "203.0.113.11",
    "asn": 64496,
    "up": True,
    "local_as": 64699,
}


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("VIP_CONFIG", str(write_config(tmp_path)))
    return Run(tmp_path, capsys)


class Run:
    """Runs the command, and keeps what it said."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self._capsys = capsys

    def __call__(self, *arguments: str) -> int:
        status = vip_mgmt.main(arguments)
        captured = self._capsys.readouterr()
        self.out, self.err = captured.out.splitlines(), captured.err.splitlines()
        return status

    def intents(self) -> dict[str, Mode]:
        store = Store(self.directory / "state.sqlite3")
        try:
            return {str(prefix): intent.mode for prefix, intent in store.intents().of.items()}
        finally:
            store.close()


# --- arguments -----------------------------------------------------------------------------------

USAGE = [
    [],
    ["-a"],
    ["-d"],
    ["-a", "-d", V4],
    ["-x", V4],
    ["--dele", V4],
    [V4],
    ["show", V4],
    ["explain"],
    ["-d", V4, "--force"],
    ["status", "--force"],
    ["status", "--for", "2h"],
    ["status", "--reason", "x"],
    ["-a", V4, "--for", "2h"],
    ["-d", V4, "--for", "2"],
    ["-d", V4, "--for", "0s"],
    ["-d", V4, "--for", "-1h"],
    ["-d", V4, "--for", ""],
    ["-d", V4, "--for", "999999999d"],
    ["-d", V4, "--for"],
    ["-d", V4, "--reason", "a\nb"],
    ["-d", V4, "--reason", "x" * 201],
    ["-d", V4, "--reason", "\udcff"],
]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_usage(run: Run, arguments: list[str]) -> None:
    """A command line that makes no sense ends with 255 and a word of what is wrong; nothing is asked."""
    with reconciler(run.directory) as asked:
        assert run(*arguments) == 255
    assert run.err
    assert not run.out
    assert not asked
    assert not (run.directory / "state.sqlite3").exists()


@pytest.mark.parametrize("before", [["--config", "vip.toml"], ["--config=vip.toml"], []])
def test_import_after_config(run: Run, before: list[str]) -> None:
    """`import` is found where other commands are, and its own options are its own."""
    assert run(*before, "import", "par1=/nowhere/bgpd.conf", "--out", str(run.directory)) == 255
    assert [line for line in run.err if "/nowhere/bgpd.conf" in line]


def test_help_names_every_command(run: Run) -> None:
    """`--help` has what can be asked for, `import` too, and so has the answer to a wrong word."""
    assert run("--help") == 0
    shown = run.out
    assert run("frobnicate") == 255
    for command in ("status", "explain", "history", "plan", "check", "compare", "import"):
        assert command in run.err[0]
        assert [line for line in shown if command in line]


WISHES = [
    (["-d", V4], "drained", "", None, False),
    (["-a", V4], "auto", "", None, False),
    (["-a", "--force", V4], "forced", "", None, False),
    (["-a", V4, "--force"], "forced", "", None, False),
    (["-d", V4, "--reason", "disk full", "--for", "2h"], "drained", "disk full", 7200, False),
    (["--for", "30m", "-d", V4], "drained", "", 1800, False),
    (["-a", "--force", "--for", "1d", V4], "forced", "", 86400, False),
    (["-d", "--dry-run", V4], "drained", "", None, True),
    (["-a", V4, "--reason", "mended"], "auto", "mended", None, False),
]


@pytest.mark.parametrize(("arguments", "mode", "reason", "seconds", "dry_run"), WISHES)
def test_wishes(
    run: Run, arguments: list[str], mode: str, reason: str, seconds: float | None, *, dry_run: bool
) -> None:
    """Options may stand before and behind the names, and mean what they say."""
    announced = mode != "drained"
    with reconciler(run.directory, intents=[state(announced=announced)]) as asked:
        assert run(*arguments) == 0
    body = {
        "mode": mode,
        "prefixes": [V4],
        "reason": reason,
        "seconds": seconds,
        "dry_run": dry_run,
    }
    assert asked == [("POST", "/intents", body)]


def test_several_names(run: Run) -> None:
    """Several names are one wish, each prefix once."""
    answers = withdrawn(SECOND, V4, V6)
    with reconciler(run.directory, intents=answers, status=whole()) as asked:
        assert run("-d", "192.0.2.2", "all", "2001:db8::1") == 0
    assert asked[0][2]["prefixes"] == [SECOND, V4, V6]


def test_help(run: Run) -> None:
    """Help is on stdout and ends well; so does the version."""
    assert run("--help") == 0
    assert "NAME is a DNS name, an address, a prefix, or all." in " ".join(run.out)
    assert run("--version") == 0
    assert re.fullmatch(r"vip_mgmt [0-9]+\.[0-9]+\.[0-9]+.*", run.out[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["stauts"], "'stauts' is no command; did you mean status?"),
        (["histroy", "vip-1.tld"], "did you mean history?"),
        (["xyzzy"], "'xyzzy' is no command; use -a NAME"),
        (["status", "--jsn"], "unknown option --jsn; did you mean --json"),
        (["status", "--since", "2h"], "--since is only valid with history"),
        (["-d", V4, "--forse"], "-d: unknown option --forse; did you mean --force"),
        (["--bogus=1", "status"], "unknown option --bogus"),
        (["status", V4, "-x"], "unknown option -x"),
    ],
)
def test_mistyped(run: Run, arguments: list[str], said: str) -> None:
    """What is mistyped is named, with what is nearest."""
    assert run(*arguments) == 255
    assert said in run.err[0]


def test_mistyped_vip(run: Run) -> None:
    """A name that nothing knows is named with the VIPs that are nearest; the toolkit's line stays the last."""
    assert run("-d", "vip-l.tld") == 255
    assert "did you mean vip-2.tld or vip-1.tld?" in run.err[0]
    assert run.err[-1] == "Unable to lookup vip-l.tld. Exiting.."


ANYWHERE = [["--config", "{file}"], ["--config={file}"]]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("option", ANYWHERE, ids=["apart", "joined"])
@pytest.mark.parametrize("words", [["status", "--json"], ["-d", V4], ["history", V4]], ids=" ".join)
def test_options_anywhere(tmp_path: Path, words: list[str], option: list[str], place: int) -> None:
    """An option may stand before, behind and between a command and its names."""
    given = [part.format(file=tmp_path / "vip.toml") for part in option]
    arguments = [*words[:place], *given, *words[place:]]
    assert parse(arguments) == replace(parse(words), path=tmp_path / "vip.toml")


OPTIONS = {
    "-a": {
        "--reason",
        "--for",
        "--force",
        "--soft",
        "--dry-run",
        "--dns",
        "--until-seen",
        "--timeout",
        "--at",
        "--here",
        "--everywhere",
    },
    "-d": {
        "--reason",
        "--for",
        "--at",
        "--late",
        "--soft",
        "--force",
        "--no-wait",
        "--dry-run",
        "--dns",
        "--until-gone",
        "--timeout",
        "--last",
        "--here",
        "--everywhere",
    },
    "status": {"--json", "--dns", "--all", "--watch", "--site"},
    "explain": {"--dns", "--json"},
    "history": {"--dns", "--json", "--since", "--follow"},
    "plan": {"--json", "--peers", "--without"},
    "check": {"--json", "--offline", "--form", "--nagios"},
    "schedule": {"--json"},
    "cancel": set[str](),
    "reload": set[str](),
    "compare": {"--json", "--frr", "--quagga", "--peer", "--peer-as", "--vrf"},
}


@pytest.mark.parametrize("command", OPTIONS)
def test_help_on_one_command(run: Run, command: str) -> None:
    """`plan --help`, or `--help plan`, has the options that go with it, and no others."""
    for arguments in ([command, "--help"], ["-h", command]):
        assert run(*arguments) == 0
        shown = {line.split()[0] for line in run.out if line.startswith("  --")}
        assert shown == OPTIONS[command] | {"--config"}
        assert run.out[0].startswith(f"usage: vip_mgmt {command} ")


def test_configuration(run: Run, tmp_path: Path) -> None:
    """--config beats $VIP_CONFIG; one that is not there ends with 255."""
    assert run("check", "--offline") == 0
    assert run.out == [f"{tmp_path}/vip.toml: 3 prefixes, no findings"]
    assert run("--config", str(tmp_path / "other.toml"), "check", "--offline") == 255
    assert run.err[0].startswith(f"configuration: {tmp_path}/other.toml: No such file")


# --- what is said of a wish ----------------------------------------------------------------------

SAID = [
    ("-d", state(announced=False), 0, [f"bgp_mgt: Deleting route to {V4}"]),
    ("-d", state(before=None, announced=False), 0, [f"bgp_mgt: Deleting route to {V4}"]),
    ("-d", state(before=False, announced=False), 0, [f"Route {V4} already removed"]),
    (
        "-d",
        state(announced=True, as_wanted=False, reason="no answer"),
        1,
        [
            f"bgp_mgt: Deleting route to {V4}",
            f"bgp_mgt: {V4}: not confirmed as withdrawn: no answer",
        ],
    ),
    (
        "-d",
        state(announced=None, as_wanted=False, reason="no answer"),
        1,
        [
            f"bgp_mgt: Deleting route to {V4}",
            f"bgp_mgt: {V4}: not confirmed as withdrawn: no answer",
        ],
    ),
    ("-a", state(before=False), 0, [f"bgp_mgt: Adding route to {V4}"]),
    ("-a", state(before=None), 0, [f"bgp_mgt: Adding route to {V4}"]),
    ("-a", state(), 0, [f"Route {V4} already exists"]),
    (
        "-a",
        state(before=False, announced=False, wanted=False, reason="down: 0 realservers"),
        1,
        [f"bgp_mgt: {V4}: stays withdrawn: down: 0 realservers"],
    ),
    (
        "-a",
        state(
            announced=False,
            wanted=False,
            reason="down: 0 realservers",
            was="forced by root at 2026-01-01T00:00:00Z",
        ),
        1,
        [
            f"bgp_mgt: {V4}: replaced: forced by root at 2026-01-01T00:00:00Z",
            f"bgp_mgt: Deleting route to {V4}",
            f"bgp_mgt: {V4}: withdrawn: down: 0 realservers",
        ],
    ),
    (
        "-a",
        state(was="draining by root at 2026-01-01T00:00:00Z"),
        0,
        [
            f"bgp_mgt: {V4}: replaced: draining by root at 2026-01-01T00:00:00Z",
            f"Route {V4} already exists",
            f"bgp_mgt: {V4}: announced as its rank, and softly no longer",
        ],
    ),
    (
        "-a",
        state(before=False, was="drained by root at 2026-01-01T00:00:00Z"),
        0,
        [f"bgp_mgt: Adding route to {V4}"],
    ),
    (
        "-a",
        state(before=False, announced=False, wanted=False, **ELSEWHERE),
        1,
        [f"bgp_mgt: {V4}: stays withdrawn: {NOT_HERE}"],
    ),
    (
        "-d",
        state(before=False, announced=False, wanted=False, **ELSEWHERE),
        0,
        [f"Route {V4} already removed", f"bgp_mgt: {V4}: {NOT_HERE}"],
    ),
    (
        "-d",
        state(before=True, announced=False, wanted=False, **ELSEWHERE),
        0,
        [f"bgp_mgt: Deleting route to {V4}"],
    ),
    (
        "-a",
        state(before=False, health="unknown", reason="held: no ip_vs"),
        0,
        [f"bgp_mgt: Adding route to {V4}", f"bgp_mgt: {V4}: warning: held: no ip_vs"],
    ),
    *(
        (
            "-a",
            state(
                before=before, health="down", intent=intent, reason=f"{why}; down: 0 realservers"
            ),
            1,
            [
                line,
                f"bgp_mgt: {V4}: warning: {NOT_FOR_LONG}: {why}; down: 0 realservers",
            ],
        )
        for before, line in (
            (True, f"Route {V4} already exists"),
            (False, f"bgp_mgt: Adding route to {V4}"),
        )
        for intent, why in (
            (
                "auto",
                "held: 2 of 3 VIPs would be withdrawn at once, more than 50%; must stay bad for 3s",
            ),
            ("auto", "last: no other data centre announces it as far as any live witness knows"),
            ("returning", "returning by root; held: 2 of 3 VIPs would be withdrawn at once"),
        )
    ),
    (
        "-a",
        state(before=False, as_wanted=False, reason="the daemon has half"),
        1,
        [f"bgp_mgt: Adding route to {V4}", f"bgp_mgt: {V4}: not as decided: the daemon has half"],
    ),
    (
        "-a",
        state(before=None, announced=None, as_wanted=False, reason="ExaBGP: does not answer"),
        1,
        [f"bgp_mgt: {V4}: not confirmed as announced: ExaBGP: does not answer"],
    ),
]


NOBODY: dict[str, Any] = {
    "announced": False,
    "as_wanted": False,
    "peers": {"203.0.113.11": False},
    "up": [],
    "lack": "no session is up",
}
ONE_OF_TWO: dict[str, Any] = {
    "as_wanted": False,
    "peers": {"203.0.113.11": True, "203.0.113.12": False},
    "up": ["203.0.113.11", "203.0.113.12"],
    "lack": "not sent to 203.0.113.12",
}
SAID += [
    ("-a", state(before=False, **NOBODY), 1, [f"bgp_mgt: {V4}: recorded; no session is up"]),
    ("-a", state(**NOBODY), 1, [f"bgp_mgt: {V4}: recorded; no session is up"]),
    (
        "-a",
        state(before=False, **ONE_OF_TWO),
        1,
        [
            f"bgp_mgt: Adding route to {V4}",
            f"bgp_mgt: {V4}: not as decided: up: 2 realservers; not sent to 203.0.113.12",
        ],
    ),
    (
        "-d",
        state(**{**ONE_OF_TWO, "lack": "still sent to 203.0.113.11"}, reason="drained by bob"),
        1,
        [
            f"bgp_mgt: Deleting route to {V4}",
            f"bgp_mgt: {V4}: not confirmed as withdrawn: drained by bob; still sent to 203.0.113.11",
        ],
    ),
    (
        "-a",
        state(**NOBODY, reason="not done: by a reason that an operator gave", failure="error 7"),
        1,
        [f"bgp_mgt: {V4}: recorded; no session is up: not done: error 7"],
    ),
    (
        "-a",
        state(**NOBODY, reason="up: not done: by a reason that an operator gave"),
        1,
        [f"bgp_mgt: {V4}: recorded; no session is up"],
    ),
    (
        "-d",
        state(before=False, announced=False, as_wanted=False, reason="not done: error"),
        1,
        [
            f"bgp_mgt: Deleting route to {V4}",
            f"bgp_mgt: {V4}: not confirmed as withdrawn: not done: error",
        ],
    ),
]


@pytest.mark.parametrize(("option", "answer", "status", "lines"), SAID)
def test_said(run: Run, option: str, answer: dict[str, Any], status: int, lines: list[str]) -> None:
    """What is said on stderr is what the shell toolkit said, and the exit status tells whether it is so."""
    with reconciler(run.directory, intents=[answer]):
        assert run(option, V4) == status
    assert run.err == lines
    assert run.out == []


def test_dry_run(run: Run) -> None:
    """A dry run says that it only would be."""
    with reconciler(run.directory, intents=[state(announced=False)]):
        assert run("-d", V4, "--dry-run") == 0
    assert run.err == [f"bgp_mgt: would be: Deleting route to {V4}"]


def test_all_is_all_that_is_announced_here(run: Run) -> None:
    """What only other data centres announce is said once for `all`, and does not make it fail."""
    elsewhere = state(before=False, announced=False, wanted=False, **ELSEWHERE)
    others = [{**elsewhere, "prefix": prefix} for prefix in (V6, SECOND)]
    said = f"bgp_mgt: {V6}, {SECOND}: only other data centres announce it"
    with reconciler(run.directory, intents=[state(), *others]):
        assert run("-a", "all") == 0
    assert run.err == [said, f"Route {V4} already exists"]
    with reconciler(run.directory, intents=[*withdrawn(V4), *others], status=whole()):
        assert run("-d", "all") == 0
    assert run.err == [said, f"Route {V4} already removed"]


OTHER = "192.0.2.7/32"


@pytest.mark.parametrize(("announced", "status"), [(True, 1), (None, 1), (False, 0)])
def test_all_of_another_file(run: Run, *, announced: bool | None, status: int) -> None:
    """What the watchdog runs of another vip.toml, and announces, `all` does not mean: it is named, and the status is 1."""
    more = whole(state(), state(OTHER, vip="gone.tld", announced=announced))
    with reconciler(run.directory, intents=withdrawn(V4, V6, SECOND), status=more):
        assert run("-d", "all") == status
    assert any(f"still announced here: gone.tld {OTHER}: " in line for line in run.err) is bool(
        status
    )


def test_all_where_the_rest_is_not_known(run: Run) -> None:
    """Where what else is announced can't be asked, that is said, and not that all is withdrawn."""
    with reconciler(run.directory, intents=withdrawn(V4, V6, SECOND)):
        assert run("-d", "all") == 1
    assert run.err[-1].startswith("bgp_mgt: whether anything else is announced here is not known: ")


def test_an_alarm_is_told_once(run: Run) -> None:
    """What is wrong with all prefixes is said once, after what became of each."""
    lost = {"announced": None, "as_wanted": False, "reason": "see TROUBLE", "trouble": ["no way"]}
    with reconciler(run.directory, intents=[state(V4, **lost), state(V6, **lost)]):
        assert run("-d", V4, V6) == 1
    assert run.err.count("bgp_mgt: TROUBLE: no way") == 1
    assert run.err[-1] == "bgp_mgt: TROUBLE: no way"


REPLACED = "drained by bob at 2026-01-31T03:00:00Z until 2026-01-31T05:00:00Z: new kernel"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-d", "all"], [f"{V4}, {V6}: replaced: {REPLACED}"]),
        (["-d", "all", "--dry-run"], [f"{V4}, {V6}: would be: replaced: {REPLACED}"]),
        (["-a", "all"], []),
    ],
)
def test_what_is_replaced(run: Run, arguments: list[str], said: list[str]) -> None:
    """A drain that takes another one's place says which, once; the rest is as ever, and so is the status."""
    mode = arguments[0]
    answers = [
        state(prefix, announced=mode == "-a", before=mode == "-d", was=was)
        for prefix, was in ((V4, REPLACED), (V6, REPLACED), (SECOND, ""))
    ]
    with reconciler(run.directory, intents=answers, status=whole()):
        assert run(*arguments) == 0
    assert run.err[: len(said)] == [f"bgp_mgt: {line}" for line in said]
    assert len(run.err) == len(said) + 3


def test_what_is_replaced_without_a_watchdog(run: Run) -> None:
    """Where nobody answers, what is recorded says so too, and a dry run leaves the file alone."""
    assert run("-d", V4, "--reason", "disk", "--for", "2h") == 1
    for more in (["--dry-run"], [], ["--force"]):
        assert run("-a" if "--force" in more else "-d", V4, *more) == 1
        assert [line for line in run.err if "replaced" in line]
    assert run.intents() == {V4: Mode.FORCED}


def test_one_of_several(run: Run) -> None:
    """Where one prefix is not as decided, it is named and the status is 1."""
    answers = [state(announced=False), state(V6, as_wanted=False, reason="no answer")]
    with reconciler(run.directory, intents=answers):
        assert run("-d", "192.0.2.1", "2001:db8::1") == 1
    assert run.err == [
        f"bgp_mgt: Deleting route to {V4}",
        f"bgp_mgt: Deleting route to {V6}",
        f"bgp_mgt: {V6}: not confirmed as withdrawn: no answer",
    ]


def test_refused(run: Run) -> None:
    """What the watchdog refuses is said, and nothing is recorded behind its back."""
    with reconciler(run.directory, intents=(400, {"error": "prefix: 192.0.2.1/32: unknown"})):
        assert run("-d", V4) == 1
    assert run.err == ["bgp_mgt: prefix: 192.0.2.1/32: unknown"]
    assert not (run.directory / "state.sqlite3").exists()


def test_garbage(run: Run) -> None:
    """A watchdog that answers nonsense leaves the outcome unknown: status 1, and a word of what to do."""
    with reconciler(run.directory, intents=b"<html>"):
        assert run("-d", V4) == 1
    assert "whether it was done is unknown, see vip_mgmt status" in run.err[0]


@pytest.mark.parametrize(
    "answer",
    [[], {}, [state(V6, announced=False)], [state(announced=False), state(V6)], [{"prefix": V4}]],
    ids=["none", "a table", "of another", "of another too", "half"],
)
def test_no_answer_to_the_question(run: Run, answer: Any) -> None:
    """An answer of another form, or about other prefixes, is none: unknown, and recorded here."""
    with reconciler(run.directory, intents=answer):
        assert run("-d", V4) == 1
    assert "whether it was done is unknown" in run.err[0]
    assert run.intents() == {V4: Mode.DRAINED}


@pytest.mark.parametrize("option", ["-a", "-d"])
def test_what_the_watchdog_says_acts_on_no_terminal(run: Run, option: str) -> None:
    """A watchdog's words are escaped: they neither act on the terminal nor look like other lines."""
    evil = "\x1b[2J\nbgp_mgt: Deleting route to 203.0.113.1/32\x9b"
    answer = state(announced=None, as_wanted=False, reason=evil)
    with reconciler(run.directory, intents=[answer]):
        assert run(option, V4) == 1
    assert run.err[-1].endswith(r"\x1b[2J\nbgp_mgt: Deleting route to 203.0.113.1/32\x9b")


@pytest.mark.parametrize(
    ("arguments", "recorded"), [(["-d"], Mode.DRAINED), (["-a", "--force"], Mode.FORCED)]
)
def test_no_answer(run: Run, arguments: list[str], recorded: Mode) -> None:
    """A wish is durable although the watchdog hangs, or ends in the midst: vip_mgmt records it then."""
    with reconciler(run.directory, intents=b"") as asked:
        assert run(*arguments, V4) == 1
    assert asked
    assert run.intents()[V4] is recorded
    when = (
        "takes effect in the next cycle of vip_watchdog, or when one starts; until then, what the "
        "peers have is unknown"
    )
    said = [line for line in run.err if V4 in line]
    assert said == [f"bgp_mgt: {V4}: {recorded} is recorded; {when}"]


def test_what_is_only_recorded(run: Run) -> None:
    """A watchdog whose daemon does not answer says that the wish is recorded, and no more: not done."""
    told = {"prefix": V4, "recorded": "drained is recorded; not confirmed within 7 s", "was": ""}
    with reconciler(run.directory, intents=[told]):
        assert run("-d", V4) == 1
    assert run.err == [f"bgp_mgt: {V4}: {told['recorded']}"]
    assert run.intents() == {}


def test_no_answer_to_a_dry_run(run: Run) -> None:
    """A dry run records nothing, whatever happens."""
    with reconciler(run.directory, intents=b""):
        assert run("-d", V4, "--dry-run") == 1
    assert not (run.directory / "state.sqlite3").exists()


# --- names ---------------------------------------------------------------------------------------


def named(run: Run, script: Mapping[str, Reply], *arguments: str) -> int:
    """Run the command with a DNS server that answers by a script."""
    with DnsServer(script) as server:
        address, port = server.endpoint
        path = write_config(run.directory)
        head, _, rest = path.read_text().partition('dc = "par1"\n')
        path.write_text(f'{head}dc = "par1"\nresolver = "{address}:{port}"\n{rest}')
        return run(*arguments)


BOTH = {
    "vip-1.tld A": records("vip-1.tld. A 192.0.2.1"),
    "vip-1.tld AAAA": records("vip-1.tld. AAAA 2001:db8::1"),
    "www.tld A": records("www.tld. CNAME vip-1.tld.", "vip-1.tld. A 192.0.2.1"),
    "www.tld AAAA": records("www.tld. CNAME vip-1.tld.", "vip-1.tld. AAAA 2001:db8::1"),
}


@pytest.mark.parametrize("name", ["vip-1.tld", "www.tld", "VIP-1.TLD."])
def test_by_name(run: Run, name: str) -> None:
    """A name, and an alias of it, mean all addresses of the VIP."""
    with reconciler(run.directory, intents=withdrawn(V4, V6)) as asked:
        assert named(run, BOTH, "-d", name) == 0
    assert asked[0][2]["prefixes"] == [V4, V6]
    assert run.err == [f"Route {V4} already removed", f"Route {V6} already removed"]


def test_nowhere(run: Run) -> None:
    """A name that is nowhere ends with 255 and the toolkit's words, and nothing is done for any name."""
    with reconciler(run.directory) as asked:
        assert named(run, {}, "-d", V4, "nope.tld") == 255
    assert run.err[-1] == "Unable to lookup nope.tld. Exiting.."
    assert not asked


def test_not_in_the_configuration(run: Run) -> None:
    """An address that vip.toml lacks ends with 255, and nothing is done for any name."""
    with reconciler(run.directory) as asked:
        assert run("-d", V4, "203.0.113.9") == 255
    assert run.err == ["203.0.113.9: not in vip.toml; name a VIP, or one of its addresses"]
    assert not asked


def test_names_that_differ(run: Run) -> None:
    """Where DNS and vip.toml differ it says so, and goes on."""
    script = {**BOTH, "vip-1.tld AAAA": Reply()}
    with reconciler(run.directory, intents=withdrawn(V4, V6)) as asked:
        assert named(run, script, "-d", "vip-1.tld") == 0
    assert asked[0][2]["prefixes"] == [V4, V6]
    assert run.err == [
        "bgp_mgt: vip-1.tld: vip.toml has 2001:db8::1/128, which DNS lacks; included anyway",
        f"Route {V4} already removed",
        f"Route {V6} already removed",
    ]


def test_a_name_of_odd_bytes(run: Run) -> None:
    """A name that is no text is refused like any other, and does not break the log."""
    with reconciler(run.directory) as asked:
        assert run("-d", "\udcff\udcfe") == 255
    assert not asked
    assert run.err[-1].startswith("Unable to lookup ")


def test_status_of_two_sessions_to_one_address(run: Run) -> None:
    """Peers are told by their address; two sessions to one by a name that has the local one too."""
    other = {**PEER, "name": "203.0.113.11 from 203.0.113.1"}
    answer = {"dc": "par1", "backend": "exabgp", "peers": [other], "routes": [], "trouble": []}
    with reconciler(run.directory, status=answer):
        run("status", "--json")
    (peer,) = json.loads("\n".join(run.out))["peers"]
    assert (peer["name"], peer["address"]) == (other["name"], other["address"])


# --- without a watchdog --------------------------------------------------------------------------


TAKEN = (
    "takes effect within 1 s where a vip_watchdog runs with its configuration, else when one starts "
    "with it: see its log"
)


def test_recorded(run: Run) -> None:
    """With ExaBGP down a wish is recorded all the same, says when it takes effect, and ends with 1."""
    assert run("-d", "192.0.2.1", "2001:db8::1", "--reason", "disk full", "--for", "2h") == 1
    assert run.err == [
        f"bgp_mgt: control: {run.directory}/control.sock: no vip_watchdog serves it",
        f"bgp_mgt: {V4}: drained is recorded; {TAKEN}",
        f"bgp_mgt: {V6}: drained is recorded; {TAKEN}",
    ]
    store = Store(run.directory / "state.sqlite3")
    intent = store.intents().of[parse_prefix(V4)]
    assert [(entry.event, entry.prefix) for entry in store.history([])] == [
        ("drained", V4),
        ("drained", V6),
    ]
    store.close()
    assert (intent.mode, intent.owner, intent.reason) == (Mode.DRAINED, ME, "disk full")
    assert intent.until is not None
    assert intent.until - intent.since == pytest.approx(7200)
    assert run("-a", V4) == 1
    assert run.intents() == {V6: Mode.DRAINED}


def test_dry_run_without_a_watchdog(run: Run) -> None:
    """A dry run records nothing."""
    assert run("-d", V4, "--dry-run") == 1
    assert run.err[-1].startswith(f"bgp_mgt: {V4}: drained would be recorded")
    assert run.intents() == {}


def test_nowhere_to_record(run: Run) -> None:
    """Where it can't be recorded either, that is said: status 1."""
    (run.directory / "state.sqlite3").write_bytes(b"garbage" * 1000)
    assert run("-d", V4) == 1
    assert f"bgp_mgt: state: {run.directory}/state.sqlite3: " in run.err[-1]


# --- questions -----------------------------------------------------------------------------------


def test_status(run: Run) -> None:
    """Status is a table for people, of all or of what is named; the exit status tells of those."""
    answer = {
        "dc": "par1",
        "backend": "exabgp",
        "last_cycle": 0.25,
        "peers": [PEER],
        "routes": [state(), state(SECOND, announced=False, as_wanted=False)],
        "sessions": [],
        "trouble": [],
    }
    with reconciler(run.directory, status=answer):
        assert run("status") == 1
        assert run.out[0] == "par1 on exabgp; peers: 203.0.113.11 AS64496 up"
        assert [line.split()[1] for line in run.out[1:]] == ["PREFIX", V4, SECOND]
        assert run("status", V4) == 0
        assert [line.split()[1] for line in run.out[1:]] == ["PREFIX", V4]
        assert run("status", V4, "--json") == 0
        shown = json.loads("\n".join(run.out))
        assert (shown["dc"], shown["last_cycle"]) == ("par1", 0.25)
        assert shown["configuration"]["state"] == "unknown"  # an older watchdog does not tell
        assert shown["peers"] == [{key: PEER[key] for key in ("address", "asn", "up")}]
        assert [route["prefix"] for route in shown["routes"]] == [V4]
        assert run("status", "2001:db8::1") == 1
        (said,) = run.err
        assert said.startswith(
            f"bgp_mgt: {V6}: in vip.toml, but vip_watchdog has not loaded it yet;"
        )


def test_plan(run: Run) -> None:
    """The plan ends with 2 where there is something to do."""
    change = {"action": "withdraw", "prefix": V4, "route": "", "reason": "drained by alice"}
    with reconciler(run.directory, plan=[change]):
        assert run("plan") == 2
    assert run.out == [f"withdraw  {V4}  (drained by alice)"]
    with_nothing = run.directory / "control.sock"
    with_nothing.unlink()
    with reconciler(run.directory, plan=[]):
        assert run("plan") == 0
    assert run.out == ["no changes: the daemon has what was decided"]


def test_history(run: Run) -> None:
    """History is asked for the prefixes that are named."""
    entry = {"time": 1700000000, "prefix": V4, "event": "drained", "reason": "drained by alice"}
    with reconciler(run.directory, history=[entry]) as asked:
        assert run("history", V4, V6) == 0
    assert asked[0][1] == "/history?prefix=192.0.2.1%2F32&prefix=2001%3Adb8%3A%3A1%2F128"
    assert run.out[0].startswith(f"2023-11-14T22:13:20Z  {V4}")


def test_forced(run: Run) -> None:
    """What is dead and forced is as the operator wants it."""
    with reconciler(run.directory, intents=[state(health="down", intent="forced")]):
        assert run("-a", "--force", V4) == 0
    assert run.err == [f"Route {V4} already exists"]


def test_forced_for_trial(run: Run) -> None:
    """A rehearsal shows the intent that is still in force: what would be forced is not warned of."""
    answer = state(health="down", intent="auto", reason="forced by root", before=False)
    with reconciler(run.directory, intents=[answer]):
        assert run("-a", "--force", "--dry-run", V4) == 0
    assert run.err == [f"bgp_mgt: would be: Adding route to {V4}"]


def test_questions_without_a_watchdog(run: Run) -> None:
    """What only a watchdog knows is refused with 1; what the state file knows is told."""
    for question in (["explain", V4], ["plan"], ["plan", "--peers"], ["plan", "--peers", V4]):
        assert run(*question) == 1
        assert "no vip_watchdog serves it" in run.err[0]
        assert "only vip_watchdog knows; see that ExaBGP runs" in run.err[0]
        assert run.out == []
    assert run("-d", V4) == 1
    assert run("history", V4) == 0
    assert V4 in run.out[0]
    assert run("status", V4) == 1
    assert "drained" in "\n".join(run.out)


@pytest.mark.parametrize("answer", [b"", b"<html>", [], (503, {"error": "busy"})])
def test_questions_to_a_watchdog_that_gives_no_answer(run: Run, answer: Any) -> None:
    """What is recorded is told all the same, with why there is no more."""
    with reconciler(run.directory, status=answer, explain=answer):
        assert run("status", V4) == 1
        assert "TROUBLE: control: " in run.out[1]
        assert "vip_watchdog runs, but does not answer" in run.out[1]
        assert "its routes stay while ExaBGP runs, and what is announced is not known" in run.out[1]
        assert "nothing is announced here" not in run.out[1]
        assert V4 in run.out[-1]
        assert run("explain", V4) == (0 if answer == [] else 1)


def test_a_watchdog_of_an_older_version(run: Run) -> None:
    """Until it is started again it tells less: then that is unknown, and no fault."""
    new = ("peers", "up", "lack")
    route = {key: value for key, value in state().items() if key not in new}
    peer = {key: value for key, value in PEER.items() if key != "name"}
    answer = {
        "dc": "par1",
        "backend": "exabgp",
        "peers": [peer],
        "routes": [route],
        "trouble": [],
    }
    with reconciler(run.directory, status=answer, intents=[{**route, "announced": False}]):
        assert run("status") == 0
        assert run.out[2].split()[:4] == ["vip-1.tld", V4, "yes", "?"]
        assert run("status", "--json") == 0
        assert run("-d", V4) == 0


def test_status_of_sessions(run: Run) -> None:
    """PEERS counts those that were sent it, of those that are up; what is wrong with sessions stands once."""
    answer = {
        "dc": "par1",
        "backend": "exabgp",
        "peers": [PEER, {**PEER, "name": "203.0.113.12", "address": "203.0.113.12", "up": False}],
        "routes": [
            state(),
            state(SECOND, **ONE_OF_TWO),
            state(V6, **NOBODY),
            state("192.0.2.4/32", peers={}, up=[], announced=None, as_wanted=False),
            state("192.0.2.5/32", peers={}, up=[], announced=False, as_wanted=False),
            state(
                "192.0.2.6/32",
                peers={"a": False, "b": None},
                up=[],
                announced=None,
                as_wanted=False,
            ),
        ],
        "sessions": ["sessions: down: 203.0.113.12"],
        "trouble": [],
    }
    with reconciler(run.directory, status=answer):
        assert run("status") == 1
    assert run.out[0] == "par1 on exabgp; peers: 203.0.113.11 AS64496 up, 203.0.113.12 AS64496 DOWN"
    assert run.out[1] == "TROUBLE: sessions: down: 203.0.113.12"
    head, *rows = run.out[2:]
    shown = [row[head.index("PEERS") : head.index("AS_PATH")].strip() for row in rows]
    assert shown == ["1/1", "1/2", "0/0 up", "?", "0/0 up", "?"]
    reasons = [row[head.index("REASON") :] for row in rows]
    assert reasons[1] == "up: 2 realservers; not sent to 203.0.113.12"
    assert reasons[2] == "up: 2 realservers", "that no session is up stands above"
