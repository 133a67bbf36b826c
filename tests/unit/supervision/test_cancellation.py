"""No `except` that is wide enough for what a clean-up raises may hide that a task is to end."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import speaker

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(speaker.__file__).parent
WIDE = {"Exception", "BaseException"}


def _waits(node: ast.AST) -> bool:
    """Tell whether a statement waits: for another function's waiting it is not to blame."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return False
    if isinstance(node, ast.Await | ast.AsyncWith | ast.AsyncFor):
        return True
    return any(map(_waits, ast.iter_child_nodes(node)))


def _is_wide(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(isinstance(n, ast.Name) and n.id in WIDE for n in ast.walk(handler.type))


def _heeds(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler asks first whether its task is to end, or raises what it caught."""
    first, last = ast.unparse(handler.body[0]), handler.body[-1]
    return first == "heed_cancellation()" or (isinstance(last, ast.Raise) and last.exc is None)


def _wide_handlers(tree: ast.AST) -> Iterator[ast.ExceptHandler]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Try | ast.TryStar) and any(map(_waits, node.body)):
            yield from filter(_is_wide, node.handlers)


def test_wide_handlers() -> None:
    """Whoever catches everything around an `await` heeds a cancellation first."""
    wide = {
        f"{path.relative_to(SOURCES)}:{handler.lineno}": _heeds(handler)
        for path in sorted(SOURCES.rglob("*.py"))
        for handler in _wide_handlers(ast.parse(path.read_text()))
    }
    assert len(wide) > 3  # it does find them
    assert [place for place, heeds in wide.items() if not heeds] == []
