"""Proves that keepalived's language is read as keepalived.conf(5) has it, and nothing else raises."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaker.check.keepalived import lines
from speaker.check.keepalived.files import MachineFiles
from speaker.check.keepalived.lines import ConfError
from speaker.check.keepalived.servers import conf_of
from speaker.check.keepalived.tree import read_tree
from tests.unit.check.keepalived.files import MAIN, Texts, shown, tree

if TYPE_CHECKING:
    from pathlib import Path

READ: dict[str, tuple[str, list[object]]] = {
    "comments": ("a 1 ! no\n# no\nb 2#no\n\n  c\t3  \n", ["a 1", "b 2", "c 3"]),
    "comments in quotes are none": ('a "x ! y # z" w', ["a x ! y # z w"]),
    "escaped comment signs": (r"a \#1 \!2", ["a #1 !2"]),
    "braces": ("a 1 {\nb\n}\nc\n{\nd { e\n} }\n", ["a 1", ["b"], "c", ["d", ["e"]]]),
    "braces in quotes are none": ('a "{" b\nc "}"', ["a { b", "c }"]),
    "parameters": ("$A=1\n$B=2.${A}\na $A x${B}y $A,\n", ["a 1 x2.1y 1,"]),
    "parameters at their time": ("$A=1\na $A\n$A=2\na $A", ["a 1", "a 2"]),
    "parameters that are not known": ("a $HOME b$5\n$A=\nc x${A}", ["a $HOME b$5", "c x"]),
    "several lines": (
        "$A= \\\n  a ${N} { \\\n  b \\\n } \\\n\n$N=1\n$A\n$N=2\n$A\n",
        ["a 1", ["b"], "a 2", ["b"]],
    ),
    "several lines in several lines": (
        "$B= \\\nb \\\nc\n$A= \\\na { \\\n$B \\\n}\n$A\n",
        ["a", ["b", "c"]],
    ),
    "conditions": ("@lb1 a\n@lb2 b\n@^lb1 c\n@^lb2 d\n@lb1\n", ["a", "d"]),
    "a condition in a parameter": ("$A=@lb2\n$B=@lb1\n$A a\n$B b", ["b"]),
    "numbers": ("~SEQ(N, 3) a $N\n~SEQ(N, 2, 1) b $N\n~SEQx(N, 8, 2, 0xc) c $N", [
        "a 1", "a 2", "a 3", "b 2", "b 1", "c 8", "c a", "c c",
    ]),
    "numbers in numbers": ("~SEQ(A, 1, 2) ~SEQ(B, 1, 2) a ${A}${B}", [
        "a 11", "a 12", "a 21", "a 22",
    ]),
    "lists": ("~LST(A, x, y) a $A\n~LST({A, B}, {1,2},{3,4}) b $A $B", [
        "a x", "a y", "b 1 2", "b 3 4",
    ]),
    "signs": ("a ${_HASH} ${_BANG} ${_PWD}", ["a # ! /etc/keepalived"]),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_what_is_read(case: str) -> None:
    """Each part of the language gives the statements that it stands for, and no note."""
    written, expected = READ[case]
    found = tree(written)
    assert (shown(found.top), found.notes, found.complete) == (expected, (), True)


def test_includes() -> None:
    """Other files are read in their place: by patterns, relative to the file that includes them."""
    texts = {
        str(MAIN): "a\ninclude sub/*.conf\nblock {\ninclude {x,y}.inc\n}\nb\n",
        "/etc/keepalived/sub/1.conf": "one\ninclude deep/2\n",
        "/etc/keepalived/sub/3.conf": "three\n",
        "/etc/keepalived/sub/deep/2": "two\n",
        "/etc/keepalived/y.inc": "why\n",
    }
    found = read_tree(MAIN, Texts(texts), "lb1")
    assert shown(found.top) == ["a", "one", "two", "three", "block", ["why"], "b"]
    assert str(found.top.block[2].place) == "/etc/keepalived/sub/deep/2:1"
    assert found.complete


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("@lb1 include x.inc", ["one", "b"]),
        ("@lb2 include x.inc", ["b"]),
        ("$F=x.inc\ninclude $F", ["one", "b"]),
        ("$F=x\n@^lb2 include ${_PWD}/${F}.inc", ["one", "b"]),
        ("$L=include x.inc\n$L", ["one", "b"]),
    ],
)
def test_includes_by_a_condition_or_a_parameter(line: str, read: list[str]) -> None:
    """What is left of a line is an include like any other."""
    texts = {str(MAIN): f"{line}\nb\n", "/etc/keepalived/x.inc": "one\n"}
    found = read_tree(MAIN, Texts(texts), "lb1")
    assert (shown(found.top), found.complete, found.notes) == (read, True, ())


@pytest.mark.parametrize(
    ("written", "note"),
    [
        ("}\na", ":1: '}' of no block"),
        ("{\na", ":1: '{' of no statement"),
        ("a {\nb", ":1: 'a': its block has no end"),
        ("a {} {\n}", ":1: '{' of no statement"),
        ("x {\n" * 40, ":33: '{' of no statement, or too deep"),
        ("~SEQ(N, x) a", ":1: '~SEQ(N, x) a'"),
        ("~SEQ(N, 3, 1, 1) a", "not understood"),
        ("~LST({A,B},{1}) a", "not understood"),
        ("~SEQ(N, 1, 99999999) a $N", f"more than {lines.MAX_STEPS} lines"),
        ("a ${NOPE} b", ":1: a parameter that is not known"),
        ("$A=x${A}\na $A", "not understood"),
        ("$A= \\\nb \\\n$A\n$A", "without end"),
        (
            "$A=\\\ninclude keepalived.conf\\\nb\n$A",
            ":4: include among lines that a parameter makes",
        ),
        ("~SEQ(N, 2) include ${N}.conf", ":1: include among lines that a parameter makes"),
        ("include keepalived.conf", "a file within itself"),
        ("include secret_conf", "include /etc/keepalived/secret.conf: Permission denied"),
    ],
)
def test_what_is_not_understood(written: str, note: str) -> None:
    """What can't be made out is a note with its place, and the reading is not complete."""
    found = tree(written.replace("secret_conf", "secret.conf"), secret_conf=None)
    assert not found.complete
    assert note in found.notes[-1]


@pytest.mark.parametrize("pattern", ["conf.d/*.conf", '"keepalived.conf"', "'keepalived.conf'"])
def test_an_include_of_nothing(pattern: str) -> None:
    """A pattern that no file matches, and quotes belong to it, is a note; keepalived reads nothing for it, either."""
    found = tree(f"include {pattern}\na")
    assert (found.complete, len(found.notes), shown(found.top)) == (True, 1, ["a"])


def test_no_file() -> None:
    """The file itself must be there, and readable."""
    for texts in ({}, {str(MAIN): None}):
        with pytest.raises(ConfError, match=r"keepalived: /etc/keepalived/keepalived\.conf: "):
            read_tree(MAIN, Texts(texts), "lb1")


def test_notes_are_few() -> None:
    """However much is not understood, only the first notes are kept."""
    assert len(tree("~\n" * 1000).notes) == lines.MAX_NOTES


@pytest.mark.parametrize("what", ["directory", "fifo", "executable", "too large"])
def test_what_is_no_file(tmp_path: Path, what: str) -> None:
    """Only regular files are read that keepalived reads, and none for ever."""
    path = tmp_path / "keepalived.conf"
    match what:
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case _:
            path.write_text("a\n" * 10)
            path.chmod(0o755 if what == "executable" else 0o644)
    with pytest.raises(OSError, match=r"directory|not a regular file|executable|too large"):
        MachineFiles().read(path, 10)


def test_files_of_the_machine(tmp_path: Path) -> None:
    """Files that match are read in the order of their names; directories are none."""
    for name in ("b.conf", "a.conf"):
        (tmp_path / name).write_text(name)
    (tmp_path / "c.conf").mkdir()
    files = MachineFiles()
    found = files.find("*.conf", tmp_path)
    assert [path.name for path in found] == ["a.conf", "b.conf"]
    assert files.read(found[0], 100) == "a.conf"


PIECES = st.sampled_from([
    "virtual_server", "192.0.2.1", "80", "{", "}", "{\n", "}\n", "\n", " ", "!", "#", '"', "'", "\\",
    "\\\n", "$A", "${A}", "$A=", "$B= \\\n", "${B}", "@lb1 ", "@^x ", "~SEQ(A,1,3) ", "~LST(A,1,2) ",
    "include x.conf\n", "real_server", "fwmark", "group G", "virtual_server_group G", "delay_loop",
    "alpha", "sorry_server", "global_defs", "1-5", "/29", "::1", "\0", "é",
])  # fmt: skip
WRITTEN = st.one_of(st.lists(PIECES, max_size=40).map("".join), st.text(max_size=200))


@given(WRITTEN, WRITTEN)
def test_nothing_raises(first: str, second: str) -> None:
    """Whatever the files have in them, they are read, and what they mean is found or noted."""
    conf_of(tree(first, x_conf=second))


WORDS = st.text(st.characters(codec="utf-8", exclude_characters='\0\n\r"\\$~@'), min_size=1).filter(
    lambda word: not word.isspace() and word.split() != ["include"]
)
BLOCKS: st.SearchStrategy[list[tuple[list[str], object]]] = st.recursive(
    st.just([]),
    lambda inner: st.lists(st.tuples(st.lists(WORDS, min_size=1, max_size=3), inner), max_size=3),
    max_leaves=8,
)


def written(block: list[tuple[list[str], object]], *, breaks: bool) -> str:
    """Write statements with their blocks, every word in quotes."""
    text = ""
    for words, inner in block:
        text += " ".join(f'"{word}"' for word in words) + ("\n" if breaks else " ")
        text += "{ " + written(inner, breaks=breaks) + "}\n"  # type: ignore[arg-type]
    return text


def plain(found: object) -> list[object]:
    return [(list(each.words), plain(each)) for each in found.block]  # type: ignore[attr-defined]


@given(BLOCKS, st.booleans())
def test_round_trip(block: list[tuple[list[str], object]], breaks: bool) -> None:  # noqa: FBT001 - Hypothesis gives it
    """Whatever words are quoted, and wherever braces stand, the same tree is read."""
    found = tree(written(block, breaks=breaks))
    assert plain(found.top) == block
    assert found.complete
