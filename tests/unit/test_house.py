"""The house stays one that a newcomer finds their way in: small files, short functions, a name for one thing."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import policy
import speaker

SOURCES = sorted(
    path for package in (policy, speaker) for path in Path(package.__path__[0]).rglob("*.py")
)
LINES, FUNCTION_LINES = 300, 50


def parsed() -> Iterator[tuple[Path, ast.Module]]:
    for path in SOURCES:
        yield path, ast.parse(path.read_text())


def test_there_is_code() -> None:
    """What is looked at is there."""
    assert len(SOURCES) > 100


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[-3:]))
def test_files_are_short(path: Path) -> None:
    """A file has 300 lines at most, and its first line says what it owns."""
    text = path.read_text()
    assert len(text.splitlines()) <= LINES
    assert text.startswith('"""')


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (node.end_lineno or 0) - node.lineno + 1
    if ast.get_docstring(node) is not None:
        lines -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
    return lines


def test_functions_are_short() -> None:
    """A function has 50 lines at most, beside its docstring."""
    long = [
        f"{path.name}: {node.name}"
        for path, tree in parsed()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and length(node) > FUNCTION_LINES
    ]
    assert not long


def test_digits_are_those_of_ascii() -> None:
    """`int` makes no number of other digits such as ², and bgpd means none by them."""
    tests = re.compile(r"\.is(?:digit|decimal|numeric|alnum|alpha)\(\)")
    lines = [line for path in SOURCES for line in path.read_text().splitlines()]
    assert not [line for line in lines if tests.search(line) and ".isascii()" not in line]


def test_names_are_unique() -> None:
    """No two public classes have one name."""
    places = defaultdict(list)
    for path, tree in parsed():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


THINGS = (
    r" (?:(?:more|other|live|active|new) )?(?:prefixes|VIPs|aggregates|neighbou?rs|sessions|connections|peers|routes|"
    r"addresses|realservers|services|data centres|ranks|profiles|checks|rules|sources|parts|reports|tokens|windows|intents|"
    r"findings|errors|requests|lines|files|words|characters|bytes|times|entries|items|copies|groups|kinds|UPDATEs)\b"
)
LIMITS = re.compile(
    r"(?:self\.)?(?:[A-Z_\d .-]+|_?max\w*|_?most|limit|bound|size|(?:self\.)?_?tries)"
)
"""What is always more than one."""
AS_THEY_WERE = {"log_lines.py"}
"""Lines of the shell toolkit, to the letter."""


def bare_counts(path: Path, tree: ast.Module) -> Iterator[str]:
    """Yield the places of a text where a number that may be 1 stands before what it counts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and re.search("%[ds]" + THINGS, str(node.value)):
            yield f"{path.name}:{node.lineno}: {node.value!r}"
        if not isinstance(node, ast.JoinedStr):
            continue
        for number, text in pairwise(node.values):
            if (
                isinstance(number, ast.FormattedValue)
                and isinstance(text, ast.Constant)
                and re.match(THINGS, str(text.value))
                and not LIMITS.fullmatch(ast.unparse(number.value))
            ):
                yield f"{path.name}:{node.lineno}: {ast.unparse(node)}"


def test_one_is_one() -> None:
    """What is counted is counted by `wording.count`: `1 prefix`, and no `1 prefixes`. A limit, in capitals, is more than one."""
    found = [
        each
        for path, tree in parsed()
        if path.name not in AS_THEY_WERE
        for each in bare_counts(path, tree)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('f"{len(x)} prefixes"', 1),
        ('f"{a} of {b} VIPs, {c} live realservers"', 2),
        ('f"{number} more neighbors"', 1),
        ('log("%d prefixes", count)', 1),
        ('f"more than {MAX_SIZE} bytes"', 0),
        ('f"{name} has sessions"', 0),
        ("f\"{counted(1, 'prefix')} are\"", 0),
    ],
)
def test_bare_counts(text: str, count: int) -> None:
    """They are found by what stands before the thing."""
    assert len([*bare_counts(Path("x.py"), ast.parse(text))]) == count
