"""Expressions over AS_PATH: what is read is what the C library, which is bgpd's, makes of it; in linear time."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from speaker.migration.bgpd_conf.regex import BOUNDARY, MAX_DEPTH, MAX_LENGTH, Pattern
from speaker.migration.bgpd_conf.statement import MigrationError

LIBC = ctypes.CDLL(None)
EXTENDED, NOSUB = 1, 8


class Posix:
    """The C library's expression, as bgp_regcomp() makes it."""

    def __init__(self, text: str) -> None:
        self._compiled = ctypes.create_string_buffer(256)
        bgpd = text.replace("_", f"(^|[{''.join(sorted(BOUNDARY))}]|$)").encode()
        self.is_one = LIBC.regcomp(self._compiled, bgpd, EXTENDED | NOSUB) == 0

    def search(self, path: str) -> bool:
        found: int = LIBC.regexec(self._compiled, path.encode(), 0, None, 0)
        return found == 0

    def free(self) -> None:
        LIBC.regfree(self._compiled)


ATOMS = st.sampled_from(
    ["0", "6", "64", "64699", " ", ".", "_", "^", "$", "[0-9]", "[^6]", "[46 ]", "[0-46-]", "-"]
)
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.tuples(inner, st.sampled_from("*+?")).map(lambda pair: f"({pair[0]}){pair[1]}"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(ATOMS, st.sampled_from("*+?")).map("".join),
    ),
    max_leaves=8,
)
ANY = st.text("0649^$_.*+?()|[]- {},:", max_size=12)
PATHS = st.lists(st.sampled_from(["6", "64", "64699", "64500", "0"]), max_size=5).map(" ".join)


@given(text=st.one_of(EXPRESSIONS, ANY), paths=st.lists(PATHS, min_size=1, max_size=5))
@example(text="^$", paths=["", "64699"])
@example(text="_64699_", paths=["64699", "64500 64699 6", "646990", ""])
@example(text="^(64699_)+$", paths=["64699 64699", "64699 64500"])
@example(text="(_)*6", paths=["6", " 6"])
@example(text="6^4", paths=["64"])
def test_as_the_c_library(text: str, paths: list[str]) -> None:
    """What is read as an expression is one for the C library, and means the same paths."""
    try:
        mine = Pattern(text)
    except MigrationError:
        return
    posix = Posix(text)
    try:
        assert posix.is_one
        for path in paths:
            assert mine.search(path) is posix.search(path), path
    finally:
        posix.free()


@pytest.mark.parametrize(
    "text",
    [
        "^$", ".*", "_64699$", "^64699_", "^64699( 64699)*$", "_(64699|64500)_", "^[0-9]+$", "6?4",
        "^(64[0-9]+_?)+$", "_6451[2-9]_|_645[2-9][0-9]_",
    ],
)  # fmt: skip
def test_usual_ones_are_read(text: str) -> None:
    """What sites have in their lists is read."""
    Pattern(text).search("64699")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[:digit:]]+", "a [ ] of something else than digits"),
        ("6+?", "one repeat after another"),
        ("*6", "'*', where only digits"),
        ("(6", "a ( that nothing closes"),
        ("6)", "a ) that closes nothing"),
        ("6||4", "nothing between"),
        ("()", "nothing between"),
        ("^*", "* after ^"),
        ("[9-0]", "a range of something else"),
        ("6{2}", "'{', where only digits"),
        ("6\\.", "'\\\\', where only digits"),
        ("(" * (MAX_DEPTH + 1) + "6" + ")" * (MAX_DEPTH + 1), "groups within each other"),
        ("6" * (MAX_LENGTH + 1), f"{MAX_LENGTH + 1} characters"),
    ],
)
def test_not_read(text: str, expected: str) -> None:
    """What is none, or what libraries differ on, is refused, and said."""
    with pytest.raises(MigrationError) as caught:
        Pattern(text)
    assert expected in str(caught.value)


@given(
    text=st.one_of(
        EXPRESSIONS,
        st.integers(1, MAX_DEPTH - 1).map(lambda depth: "(" * depth + "0*" + ")*" * depth + "1"),
        st.integers(1, 60).map(lambda count: "[0-9]*" * count + "-"),
    ),
    path=st.one_of(PATHS, st.integers(0, 300).map("0".__mul__)),
)
@example(text="(" * 29 + "0*" + ")*" * 29 + "1", path="0" * 2000)
def test_linear(text: str, path: str) -> None:
    """Each character of a path meets each state once at most, and states are few."""
    try:
        pattern = Pattern(text)
    except MigrationError:  # such as a repeat of an anchor
        return
    assert pattern.size <= 4 * len(text) + 2
    steps = [len(states) for states in pattern.follow(path)]
    assert len(steps) == len(path) + 1
    assert max(steps) <= pattern.size
