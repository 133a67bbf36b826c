"""Text of a less trusted side is made fit for a terminal, a log and syslog, in one place."""

from __future__ import annotations

import io
import json
import logging
import ssl
from contextlib import redirect_stderr, redirect_stdout, suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyroute2 import NetlinkError

from speaker import terminal, vip_mgmt, vip_watchdog
from speaker.api import HistoryEntry
from speaker.cli.tables import history_table
from speaker.errors import SpeakerError
from speaker.log import Printable
from speaker.printable import cause_of, printable, printable_json, reason
from speaker.terminal import table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVIL = "\x1b]0;owned\x07\x1b[2J\u202egpj.\r\x9b1m\u2028\n\x00"
ACTS = set("\x1b\x07\x9b\r\u202e\u2028\x00")


@given(st.text())
@example(EVIL)
def test_nothing_acts(text: str) -> None:
    """Whatever the text, only what is seen is left of it; and what was to be kept."""
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)
    assert set(printable(text, keep="\n")) <= {"\n", *printable(text)}


@given(st.text().filter(str.isprintable))
def test_what_is_printable_stays(text: str) -> None:
    """Names and reasons in any language stay as they are."""
    assert printable(text) == text


def test_how_it_looks() -> None:
    """It is escaped as Python would."""
    assert printable("a\x1b[1m\n\u202eb\x85") == r"a\x1b[1m\n\u202eb\x85"


def test_json() -> None:
    """In JSON values every text is made fit, names of keys too; all else stays."""
    assert printable_json({"a\n": [1, None, True, "\x1b", {"b": 1.5}]}) == {
        r"a\n": [1, None, True, r"\x1b", {"b": 1.5}]
    }
    assert json.loads(json.dumps(printable_json(["é"]))) == ["é"]


def test_what_reaches_a_terminal() -> None:
    """Neither what is told on stdout nor what is said on stderr acts on the terminal."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        terminal.tell(EVIL)
        terminal.say(EVIL)
    for written in (out.getvalue(), err.getvalue()):
        assert not ACTS & set(written)


@pytest.mark.parametrize("command", [vip_mgmt.main, vip_watchdog.main])
def test_what_the_command_line_has(
    capsys: pytest.CaptureFixture[str], command: Callable[[list[str]], int]
) -> None:
    """A command line that makes no sense is shown, and does not act either."""
    with suppress(SystemExit):
        assert command(["--" + EVIL]) == 255
    said = capsys.readouterr().err
    assert "usage:" in said or "vip_mgmt --help" in said
    assert not ACTS & set(said)


def test_a_cell_is_one_line() -> None:
    """A text in a table can't begin another line, which would be taken for another row."""
    shown = table([("VIP", "REASON"), ("vip-1.tld", "x\nvip-2.tld  yes")])
    assert shown.count("\n") == 1
    entry = HistoryEntry(0.0, "192.0.2.1/32", "drained", EVIL)
    assert not ACTS & set(history_table([entry]))


@pytest.mark.parametrize("text", [EVIL, "bgpd: refused:\nvip_watchdog: all is well"])
def test_a_line_of_the_log(text: str) -> None:
    """A message can neither act nor begin a line that could be taken for another message."""
    record = logging.makeLogRecord({"msg": "%s", "args": (text,)})
    first, *more = Printable("%(message)s").format(record).split("\n")
    assert all(line.startswith("  ") for line in more)
    assert not ACTS & set(first.join(more))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/x"), "Permission denied"),
        (OSError("no server"), "no server"),
        (TimeoutError(), "TimeoutError"),
        (RuntimeError("a\x1b"), "a\\x1b"),
    ],
)
def test_why_something_failed(error: Exception, said: str) -> None:
    """It is told in the system's words, and in nothing of Python's; nothing of it acts on a terminal."""
    assert reason(error) == said


def test_why_tls_failed(tmp_path: Path) -> None:
    """What OpenSSL tells has a reason: that alone is told, in words. Of a certificate that is none it has no reason."""
    (tmp_path / "x").write_text("x")
    context = ssl.create_default_context()
    with pytest.raises(ssl.SSLError) as error:
        context.load_verify_locations(tmp_path / "x")
    assert reason(error.value) == "no certificate or crl found"
    with pytest.raises(ssl.SSLError) as error:
        context.load_cert_chain(tmp_path / "x")
    assert reason(error.value) == "no certificate, or no key, in PEM"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/x"), "Permission denied"),
        (NetlinkError(1, "Operation not permitted"), "Operation not permitted"),
        (SpeakerError("x: no; y"), "x: no; y"),
        (KeyError("attrs"), "KeyError: 'attrs'"),
    ],
)
def test_what_nobody_foresaw(error: Exception, said: str) -> None:
    """Of an error that nobody foresaw its kind is told, too, for who reports it; of others their words alone."""
    assert cause_of(error) == said
