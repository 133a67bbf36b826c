"""A command without a shell: its words are those that a shell gives the program, or it is refused."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.healthcheck.shell_words import words_of

PIECES = st.sampled_from(
    [
        *("\\", "'", '"', "\t", "if", "A=b", "é", '"\\$a"', '"\\`"', "\\\n", "\r", "{a,b}"),
        *"ab -=/:@%+,.!{}|&;<>()$`*?[]#~",
    ]
)


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(PIECES, max_size=12))
def test_as_a_shell(pieces: list[str]) -> None:
    """Of what is not refused, a shell makes the same words. Nothing of it is run: `printf` stands before it."""
    command = "".join(pieces)
    try:
        words = words_of(command)
    except MigrationError:
        return
    argv = ["/bin/sh", "-c", f"printf '%s\\0' {command}"]
    done = subprocess.run(argv, capture_output=True, check=False, cwd="/nonexistent-for-globs"[:1])
    assert done.stdout.decode().split("\0")[:-1] == [*words]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("curl -sf http://127.0.0.1/", ("curl", "-sf", "http://127.0.0.1/")),
        ("mysql -e 'SELECT 1'", ("mysql", "-e", "SELECT 1")),
        ('x "a b" c\\ d', ("x", "a b", "c d")),
        ("x 'a$b' '*'", ("x", "a$b", "*")),
        ("x a#b a~b", ("x", "a#b", "a~b")),
        ("x %{a} {} '{1,2}'", ("x", "%{a}", "{}", "{1,2}")),
    ],
)
def test_words(command: str, expected: tuple[str, ...]) -> None:
    """Quotes and backslashes are a shell's."""
    assert words_of(command) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("a | b", "'|' needs a shell"),
        ("a && b", "'&' needs a shell"),
        ('a "$B"', "'$' needs a shell"),
        ("a `b`", "'`' needs a shell"),
        ("a *.pid", "'*' needs a shell"),
        ("a > /dev/null", "'>' needs a shell"),
        ("a #b", "'#' needs a shell"),
        ("~/check", "'~' needs a shell"),
        ("A=b c", "'A=b' needs a shell"),
        ("exit 0", "'exit' needs a shell"),
        ("! a", "'!' needs a shell"),
        ('a "\\$b"', "'$' needs a shell"),
        ('a "\\`b"', "'`' needs a shell"),
        ("a \\\nb", r"'\n' needs a shell"),
        ('a "b\\\nc"', r"'\n' needs a shell"),
        ("a\rb", r"'\r' needs a shell"),
        ("a x{b,c}", "'{' needs a shell"),
        ("a {1..3}", "'{' needs a shell"),
        ("a 'b", "No closing quotation; correct it"),
        ("", "is empty; name a program"),
    ],
)
def test_refused(command: str, expected: str) -> None:
    """What only a shell does is named, with what to do."""
    with pytest.raises(MigrationError) as error:
        words_of(command)
    assert str(error.value).startswith(expected)
