"""docs/security.md says what is so: its tables are held to the code, and the code to its tables."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
PATHS, TEXTS, RESOURCES = PAGE.split("\n## ")[2:5]
SOURCES = sorted(
    str(path.relative_to(ROOT))
    for part in ("policy", "speaker")
    for path in (ROOT / part).rglob("*.py")
)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_FILE = re.compile(r"`((?:speaker|policy)/[\w/]+\.py)`")
_VALUE = re.compile(
    r"`(?P<file>(?:speaker|policy)/[\w/]+\.py)`|`(?P<name>\w+)` = (?P<number>[0-9.]+)(?: (?P<unit>\w+))?"
)
_UNITS = {None: 1, "s": 1, "KiB": 1 << 10, "MiB": 1 << 20}


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


def rows(table: str) -> list[str]:
    return [line for line in table.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("table", [PATHS, TEXTS, RESOURCES], ids=["paths", "texts", "resources"])
def test_each_row_has_a_test(table: str) -> None:
    """Each row of the tables ends with the tests that hold it, and each of these exists."""
    assert len(rows(table)) > 5
    for row in rows(table):
        named = _TEST.findall(row.rsplit("|", 2)[1])
        assert named, row
        for path, name in named:
            functions = {n.name for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef)}
            assert name in functions, f"{path} has no {name}"


def test_files_are_there() -> None:
    """Each file of the code that the page names exists."""
    assert {*_FILE.findall(PAGE)} <= {*SOURCES}


def test_constants() -> None:
    """Each bound that the page gives has that value in the file that stands before it."""
    file, count = "", 0
    for found in _VALUE.finditer(PAGE):
        if found["file"]:
            file = found["file"]
            continue
        values = [
            node.value
            for node in tree(file).body
            if isinstance(node, ast.Assign)
            for target in node.targets
            for name in ast.walk(target)
            if isinstance(name, ast.Name) and name.id == found["name"]
        ]
        assert values, f"{file} has no {found['name']}"
        said = float(found["number"]) * _UNITS[found["unit"]]
        assert said in _numbers(values[0]), f"{file}: {found['name']} is not {said:g}"
        count += 1
    assert count > 20


def _numbers(value: ast.expr) -> list[float]:
    """Return what a constant is, of several that are assigned at once all."""
    parts = value.elts if isinstance(value, ast.Tuple) else [value]
    return [float(eval(ast.unparse(part), {})) for part in parts]


OPENS = frozenset(
    "chmod chown connect create_subprocess_exec fdopen FileIO glob iglob link listdir mkdir mkdtemp "
    "mkfifo Popen read_bytes read_text readlink rename rmtree symlink_to touch truncate unlink "
    "write_bytes write_text".split()
)


def _opens(path: str) -> set[str]:
    """Return by what names a file opens, makes, changes or removes something in the file system."""
    found = {n.attr for n in ast.walk(tree(path)) if isinstance(n, ast.Attribute)} & OPENS
    for call in ast.walk(tree(path)):
        if isinstance(call, ast.Call):
            match call.func:
                case ast.Name("open") | ast.Attribute(ast.Name("os" | "Path" | "path"), "open"):
                    found.add("open")
                case ast.Attribute(ast.Name("socket"), "socket"):
                    found.add("socket")
    return found


def test_each_opening_has_a_row() -> None:
    """Whatever of the code opens a path stands in the table of paths."""
    named = {*_FILE.findall(PATHS)}
    opening = {path: names for path in SOURCES if (names := _opens(path))}
    assert len(opening) > 15
    missing = {path: sorted(names) for path, names in opening.items() if path not in named}
    assert not missing, "name them in docs/security.md, with owner, bound and test"


PRINTS = {
    "print": {"speaker/terminal.py"},
    "stdout": {"speaker/terminal.py"},
    "stderr": {"speaker/terminal.py", "speaker/log.py"},
    "syslog": {"speaker/cli/messages.py"},
    "basicConfig": {"speaker/log.py", "speaker/vip_mgmt.py"},
}
"""What prints or logs, and where it may stand. What stands nowhere here may stand nowhere."""
OTHERS = frozenset(
    "FileHandler StreamHandler SysLogHandler print_exc print_exception print_help print_stack print_usage "
    "dump_traceback".split()
)


def _prints(path: str) -> set[str]:
    found = set()
    for node in ast.walk(tree(path)):
        match node:
            case ast.Call(ast.Name("print")):
                found.add("print")
            case ast.Attribute(
                ast.Name("sys"), "stdout" | "stderr" | "__stdout__" | "__stderr__" as name
            ):
                found.add(name.strip("_"))
            case ast.Attribute(ast.Name("syslog"), "syslog"):
                found.add("syslog")
            case ast.Attribute(_, name) if name in OTHERS or name == "basicConfig":
                found.add(name)
    return found


@pytest.mark.parametrize("path", SOURCES)
def test_nothing_is_printed_elsewhere(path: str) -> None:
    """What is printed, logged or sent to syslog goes through the one place that makes it printable."""
    allowed = {name for name, places in PRINTS.items() if path in places}
    allowed |= OTHERS if path == "speaker/log.py" else set()
    assert _prints(path) <= allowed


def test_what_prints_makes_it_printable() -> None:
    """Each function that prints, or sends to syslog, calls `printable`; all of the log has one formatter."""
    for path, names in (
        ("speaker/terminal.py", {"print"}),
        ("speaker/cli/messages.py", {"syslog"}),
    ):
        for function in ast.walk(tree(path)):
            if isinstance(function, ast.FunctionDef):
                calls = {ast.unparse(n.func) for n in ast.walk(function) if isinstance(n, ast.Call)}
                if calls & (names | {f"syslog.{name}" for name in names}):
                    assert "printable" in calls, f"{path}: {function.name}"
    assert "queueing.setFormatter(Printable(" in (ROOT / "speaker/log.py").read_text()
