"""Tokens: whose they are by a file, which may change at any time; and how often who has one may ask."""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from speaker.clock import SystemClock
from speaker.control.rate import AT_ONCE, EACH_SECOND, Rates
from speaker.control.tokens import EVERY, MAX_SIZE, TokenFile, Tokens, parse, read, token_of
from tests.support.lab.user import nobody, reachable

if TYPE_CHECKING:
    from pathlib import Path

ONE, OTHER = "a" * 32, "b" * 32


def line(name: str, token: str) -> str:
    return f"{name} sha256:{hashlib.sha256(token.encode()).hexdigest()}\n"


class Steady(SystemClock):
    """A clock that a test sets."""

    now = 0.0

    def steady(self) -> float:
        """See `Clock.steady`."""
        return self.now


def test_file() -> None:
    """A name may have several tokens; comments and empty lines say nothing; of a bad line the number is said."""
    text = f"# ours\n\n{line('app', ONE)}{line('app', OTHER)}"
    assert {*parse(text).names.values()} == {"app"}
    assert len(parse(text).names) == 2
    assert parse(text).fault == ""
    bad = f"{line('app', ONE)}app {ONE}\n{line('app', OTHER).upper()}{line('db', ONE)}"
    found = parse(bad)
    assert len(found.names) == 1
    assert found.fault.startswith("line 2, 3, 4: not NAME sha256:HASH")


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (f"Bearer {ONE}", ONE),
        (f"bearer {ONE}==", f"{ONE}=="),
        ("", None),
        ("Bearer short", None),
        (f"Basic {ONE}", None),
        (f"Bearer {ONE} {ONE}", None),
        (f"Bearer {'a' * 513}", None),
        (f"Bearer {ONE}\x00", None),
        (f"Bearer {'é' * 20}", None),
    ],
)
def test_header(header: str, token: str | None) -> None:
    """A token is what RFC 6750 says, and of a bounded length."""
    assert token_of(header) == token


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Then nobody has a token, and it is said why."""
    path = tmp_path / "tokens"
    assert read(path).names == {}
    assert "without it nobody may report" in read(path).fault
    path.write_bytes(b"\xff" * 40)
    assert "not UTF-8" in read(path).fault
    path.write_bytes(b"#" * (MAX_SIZE + 1))
    assert "too large" in read(path).fault
    path.unlink()
    os.mkfifo(path)
    assert "not a regular file" in read(path).fault


def test_a_file_that_others_may_change(tmp_path: Path) -> None:
    """No file is believed that everybody may write, nor by root one that anybody else may; nobody has a token then."""
    path = tmp_path / "tokens"
    path.write_text(line("app", ONE))
    path.chmod(0o644)
    assert read(path) == TokenFile(parse(line("app", ONE)).names)
    path.chmod(0o646)
    assert read(path).names == {}
    assert "mode 0646 lets others write" in read(path).fault
    path.chmod(0o664)
    assert bool(read(path).names) is (os.geteuid() != 0)


def test_a_file_that_everybody_may_change() -> None:
    """It is not believed by a watchdog that is not root, either."""
    is_root = os.geteuid() == 0
    with reachable(0o755) as folder:
        path = folder / "tokens"
        path.write_text(line("app", ONE))
        for mode, names in ((0o664, parse(line("app", ONE)).names), (0o666, {})):
            path.chmod(mode)
            with nobody() if is_root else nullcontext():
                assert read(path).names == names


def test_revoked(tmp_path: Path) -> None:
    """A token that is taken out is of no use a second later; one that is put in is taken then."""
    path, clock, notes = tmp_path / "tokens", Steady(), [""]
    path.write_text(line("app", ONE))
    path.chmod(0o644)
    tokens = Tokens(lambda: path, clock, notes.append)

    async def ask(token: str) -> str | None:
        return await tokens.holder(token)

    async def main() -> None:
        assert await ask(ONE) == "app"
        assert await ask(OTHER) is None
        path.write_text(line("db", OTHER))
        assert await ask(OTHER) is None
        clock.now += EVERY
        assert await ask(OTHER) == "db"
        assert await ask(ONE) is None
        path.unlink()
        clock.now += EVERY
        assert await ask(OTHER) is None
        assert "nobody may report" in notes[-1]

    asyncio.run(main())


def test_how_often() -> None:
    """Each name may ask so often; one that asks too often keeps no other from it, and is heard again."""
    now = [0.0]
    rates = Rates(lambda: now[0])
    assert sum(rates.take("app") for _ in range(1000)) == AT_ONCE
    assert rates.take("db")
    now[0] += 1.0
    assert sum(rates.take("app") for _ in range(1000)) == EACH_SECOND
    now[0] += 1e6
    assert sum(rates.take("app") for _ in range(1000)) == AT_ONCE
