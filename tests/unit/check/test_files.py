"""What vip.toml names on this machine and is not there is found; what may not be looked at is noted."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from speaker.check.files import files
from speaker.config.settings_api import ApiTls
from tests.support.lab.nginx import Certificates
from tests.unit.check.test_check import codes, site
from tests.unit.config.test_load import HEAD, load
from tests.unit.test_vip_mgmt import Run

if TYPE_CHECKING:
    from pathlib import Path

CHECKS = """
[check.program]
exec = ["{directory}/{program}"]
{user}
[check.web]
http = "https://{{address}}/"
ca = "{directory}/{file}"
certificate = "{directory}/{file}"
key = "{directory}/{file}"
[events]
exec = ["{directory}/{program}"]
[api]
listen = ["127.0.0.1:8080", "/run/vip-speaker/api.sock"]
tokens_file = "{directory}/{tokens}"
[api.tokens.shop]
read = true
[api.tokens.by-group]
read = true
group = "root"
"""
LINE = f"shop sha256:{hashlib.sha256(b'a').hexdigest()}\n"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    (tmp_path / "there").write_text("x")
    (tmp_path / "there").chmod(0o755)
    (tmp_path / "no-program").write_text("x")
    (tmp_path / "no-program").chmod(0o644)
    (tmp_path / "tokens").write_text(LINE)
    (tmp_path / "others").write_text(LINE.replace("shop", "till"))
    return tmp_path


def text(directory: Path, **names: str) -> str:
    usual = {"program": "there", "user": 'user = "root"', "file": "there", "tokens": "tokens"}
    return HEAD + CHECKS.format(directory=directory, **{**usual, **names})


def test_all_there(machine: Path) -> None:
    """Where all is there, nothing is found."""
    found = files(load(text(machine)))
    assert (found.findings, found.notes) == ((), ())


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ({"program": "nope"}, [("program-missing", "check.program.exec"), ("program-missing", "events.exec")]),
        ({"program": "no-program"}, [("program-missing", "check.program.exec"), ("program-missing", "events.exec")]),
        ({"program": ""}, [("program-missing", "check.program.exec"), ("program-missing", "events.exec")]),
        ({"user": 'user = "no-such-user"'}, [("user-missing", "check.program.user")]),
        ({"file": "nope"}, [("file-missing", f"check.web.{key}") for key in ("ca", "certificate", "key")]),
        ({"tokens": "nope"}, [("tokens-file", "api.tokens_file")]),
        ({"tokens": "there"}, [("tokens-file", "api.tokens_file"), ("tokens-line", "api.tokens.shop")]),
        ({"tokens": "others"}, [("tokens-line", "api.tokens.shop")]),
    ],
)  # fmt: skip
def test_what_is_not_there(machine: Path, names: dict[str, str], found: list[tuple[str, str]]) -> None:  # fmt: skip
    """A program, a user, a file and a token's line that are not there are findings, each at its key."""
    report = files(load(text(machine, **names)))
    assert codes(report) == found
    assert report.notes == ()
    assert all(each.remedy and "Errno" not in each.found for each in report.findings)


def test_unreadable_is_not_absent(machine: Path) -> None:
    """What the user who asks may not look at is noted: the watchdog may be allowed to."""
    config = load(text(machine))
    user = os.geteuid()
    machine.chmod(0o000)
    try:
        if user == 0:
            os.seteuid(65534)
        report = files(config)
    finally:
        os.seteuid(user)
        machine.chmod(0o700)
    assert report.findings == ()
    assert len(report.notes) == 6
    assert all(each.startswith("not checked: ") for each in report.notes)


GROUPS = """
[api]
listen = ["/run/vip-speaker/api.sock"]
group = "no-such-group"
[api.tokens.shop]
read = true
group = "nor-such"
"""


def test_groups_that_are_not_there() -> None:
    """A group that may read, report or ask, and is none of this machine's, is a finding."""
    node = HEAD.replace("[node]\n", '[node]\nread_group = "no-readers"\n', 1)
    assert codes(files(load(node + GROUPS))) == [
        ("group-missing", "api.group"),
        ("group-missing", "api.tokens.shop.group"),
        ("group-missing", "node.read_group"),
    ]


@pytest.mark.parametrize(
    ("days", "found"), [(30, ()), (5, ("expires at",)), (-1, ("has expired",))]
)
def test_the_certificate_of_the_api(tmp_path: Path, days: int, found: tuple[str, ...]) -> None:
    """One that callers are shown is found two weeks before it expires."""
    certificates = Certificates(tmp_path)
    certificates.make("api", "vip.example", days)
    shown = ApiTls(tmp_path / "api.pem", tmp_path / "api.key")
    config = load(HEAD + GROUPS.replace("no-such-group", "root").replace("nor-such", "root"))
    api = replace(config.settings.api, tls=shown)
    report = files(replace(config, settings=replace(config.settings, api=api)))
    assert codes(report) == [("certificate-expires", "api.certificate")] * len(found)
    assert all(text in each.found for text, each in zip(found, report.findings, strict=True))


def test_nobody_needs_a_token() -> None:
    """The usual file of tokens need not be there where nobody is known by one."""
    group = '[api]\nlisten = ["/run/vip-speaker/api.sock"]\n[api.tokens.a]\nread = true\ngroup = "root"\n'
    assert files(load(HEAD + group)).findings == ()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """`check` finds it offline as well; `check --form` does not look."""
    more = (
        '[check.a]\nexec = ["/nope/probe"]\n[vip.c]\naddresses = ["192.0.2.9"]\nrule = "check/a"\n'
    )
    monkeypatch.setenv("VIP_CONFIG", str(site(tmp_path, more)))
    run = Run(tmp_path, capsys)
    assert run("check", "--offline") == 2
    assert run.out[0].startswith("check.a.exec: /nope/probe: No such file or directory; install")
    assert run("check", "--form") == 0
