"""Parsers of outside text: what broke one once breaks it no more, and `./dev fuzz` sees one that breaks."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.tools.fuzz.__main__ import main
from tests.tools.fuzz.look import look
from tests.tools.fuzz.parsers import KEPT, Parser, all_parsers
from tests.tools.fuzz.rule import SECONDS, hold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PARSERS = all_parsers()


@pytest.mark.parametrize("name", PARSERS)
def test_parser(name: str) -> None:
    """A parser takes what makes sense, and what broke it once, or refuses it with a typed error, in time."""
    parser = PARSERS[name]
    with parser.ready() as read:
        for data in (*parser.seeds, *parser.kept()):
            hold(read, data)


def test_kept() -> None:
    """Each folder of kept inputs is a parser's."""
    assert {path.name for path in KEPT.iterdir()} <= PARSERS.keys()


def parser_of(read: Callable[[bytes], object]) -> Parser:
    @contextmanager
    def ready() -> Iterator[Callable[[bytes], object]]:
        yield read

    return Parser("broken", (b"show bgp summary [ 1 2 3 ]\n" * 9,), ready)


def test_a_fault_is_found() -> None:
    """A parser that breaks is seen, and what broke it is made as short as it can be."""

    def read(data: bytes) -> None:
        if b"[]" in data:
            raise KeyError

    found = look(parser_of(read), 60, 1)
    assert found.broken_by == b"[]"
    assert "KeyError" in found.how


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--help"], 0, "usage: ./dev fuzz [-h] [--number NUMBER] [SECONDS] [PARSER"),
        (["x"], 2, "argument SECONDS: invalid number of seconds value: 'x'"),
        (["-1"], 2, "SECONDS: invalid"),
        (["nan"], 2, "SECONDS: invalid"),
        (["1", "dns", "nosuch"], 2, "PARSER: nosuch: not known; one of vip_toml, "),
    ],
)
def test_arguments(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, said: str
) -> None:
    """Whoever asks how it is used is told, and so is who uses it otherwise."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == status
    assert said in "".join(capsys.readouterr())


def test_what_takes_too_long_is_found() -> None:
    """So is one whose time grows with the square of the length: it is interrupted."""
    found = look(parser_of(re.compile(rb"(?:\s*\s*)*x").fullmatch), 60, 1)
    assert f"not done after {SECONDS:.0f}." in found.how
