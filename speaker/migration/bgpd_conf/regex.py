"""Regular expressions over AS_PATH as bgpd's as-path lists have them, matched in linear time. Pure.

bgpd has the C library's POSIX extended expressions, in which `_` is a boundary (bgp_regcomp() in
bgp_regex.c). Python's matcher tries one way after the other, and takes years over `((0*)*)*1`. Here an
expression becomes an automaton whose states are followed all at once (K. Thompson, CACM 11(6), 1968):
each character of the path meets each state once at most. What the libraries that bgpd may be built with
do not agree on is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.wording import count
from speaker.migration.bgpd_conf.statement import MigrationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_LENGTH = 500
MAX_DEPTH = 30
BOUNDARY = frozenset(",{}() ")
"""What `_` is beside the start and the end of a path."""
_DIGITS = frozenset("0123456789")
_PLAIN = _DIGITS | {" ", "-"}
_REPEATS = "*+?"


@dataclass(frozen=True, slots=True)
class _State:
    """A state, and where it leads. `characters` are what it takes; None for a state that takes nothing.

    `start` and `end` let only those pass who are there.
    """

    to: tuple[int, ...] = ()
    characters: frozenset[str] | None = None
    others: bool = False
    """Whether it takes all but the characters."""
    start: bool = False
    end: bool = False


class Pattern:
    """An expression, ready to be asked.

    Raises:
        MigrationError: it is none, or has what is not understood.
    """

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise MigrationError(
                f"the expression has {count(len(text), 'character')}, and {MAX_LENGTH} at most are read: write "
                "several entries"
            )
        self._states = _Parser(text).states
        self._first = len(self._states) - 1

    @property
    def size(self) -> int:
        """Return how many states it has."""
        return len(self._states)

    def search(self, path: str) -> bool:
        """Return whether some part of a path is meant, as `str(AsPath)` writes it."""
        return any(0 in states for states in self.follow(path))

    def follow(self, path: str) -> Iterator[set[int]]:
        """Yield the states that are reached before each character of a path, and at its end."""
        reached = self._reach((self._first,), start=True, end=not path)
        yield reached
        for position, character in enumerate(path, start=1):
            after = [
                state.to[0]
                for state in map(self._states.__getitem__, reached)
                if state.characters is not None and (character in state.characters) != state.others
            ]
            end = position == len(path)
            reached = self._reach((self._first, *after), start=False, end=end)
            yield reached

    def _reach(self, states: Iterable[int], *, start: bool, end: bool) -> set[int]:
        """Return the states that are reached from some without taking a character."""
        reached: set[int] = set()
        left = [*states]
        while left:
            number = left.pop()
            if number in reached:
                continue
            reached.add(number)
            state = self._states[number]
            passes = (start or not state.start) and (end or not state.end)
            if state.characters is None and passes:
                left += state.to
        return reached


class _Parser:
    """Reads an expression into pieces, and lays the states of these from the last one to the first.

    So each state knows the one that follows it. State 0 is the end of all, and the last state the start.
    """

    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0
        self.states = [_State()]
        piece = self._branches()
        if self._at < len(text):
            raise self._error("a ) that closes nothing")
        self._lay(_State((self._place(piece, 0),)))

    # --- reading -----------------------------------------------------------------------------

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _error(self, what: str) -> MigrationError:
        return MigrationError(f"{self._text!r} is not read as a regular expression: {what}")

    def _branches(self) -> _Piece:
        found = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            found.append(self._sequence())
        return found[0] if len(found) == 1 else _Piece("|", tuple(found))

    def _sequence(self) -> _Piece:
        found = []
        while self._peek() not in ("", "|", ")"):
            found.append(self._repeated())
        if not found:
            raise self._error("nothing between ( | and )")
        return _Piece("", tuple(found))

    def _repeated(self) -> _Piece:
        piece = self._atom()
        repeat = self._peek()
        if not repeat or repeat not in _REPEATS:
            return piece
        self._at += 1
        if piece.kind in ("^", "$"):
            raise self._error(f"{repeat} after {piece.kind}")
        if self._peek() and self._peek() in _REPEATS:
            raise self._error("one repeat after another")
        return _Piece(repeat, (piece,))

    def _atom(self) -> _Piece:
        character = self._peek()
        self._at += 1
        match character:
            case "(":
                return self._group()
            case "[":
                return self._class()
            case "^" | "$" | "_":
                return _Piece(character)
            case ".":
                return _Piece("set", others=True)
            case _ if character in _PLAIN:
                return _Piece("set", characters=frozenset(character))
        raise self._error(
            f"{character!r}, where only digits and _ ^ $ . * + ? ( ) | [ ] - are read"
        )

    def _group(self) -> _Piece:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} groups within each other")
        piece = self._branches()
        if self._peek() != ")":
            raise self._error("a ( that nothing closes")
        self._at += 1
        self._depth -= 1
        return piece

    def _class(self) -> _Piece:
        others = self._peek() == "^"
        self._at += others
        end = self._text.find("]", self._at)
        inside = self._text[self._at : end] if end > self._at else ""
        if not inside or not set(inside) <= _PLAIN:
            raise self._error("a [ ] of something else than digits, blanks and -")
        self._at = end + 1
        found: set[str] = set()
        position = 0
        while position < len(inside):
            first, dash, last = inside[position], *inside[position + 1 : position + 3].ljust(2)
            if dash == "-" and position + 2 < len(inside):
                if not (first in _DIGITS and last in _DIGITS and first <= last):
                    raise self._error("a range of something else than digits")
                found |= {str(digit) for digit in range(int(first), int(last) + 1)}
                position += 3
            else:
                found.add(first)
                position += 1
        return _Piece("set", characters=frozenset(found), others=others)

    # --- laying ------------------------------------------------------------------------------

    def _lay(self, state: _State) -> int:
        self.states.append(state)
        return len(self.states) - 1

    def _place(self, piece: _Piece, after: int) -> int:
        """Lay the states of a piece before a state, and return the first of them."""
        match piece.kind:
            case "":
                for part in reversed(piece.parts):
                    after = self._place(part, after)
                return after
            case "|":
                return self._lay(_State(tuple(self._place(part, after) for part in piece.parts)))
            case "?":
                return self._lay(_State((self._place(piece.parts[0], after), after)))
            case "*" | "+":
                loop = self._lay(_State())
                first = self._place(piece.parts[0], loop)
                self.states[loop] = _State((first, after))
                return loop if piece.kind == "*" else first
            case "^":
                return self._lay(_State((after,), start=True))
            case "$":
                return self._lay(_State((after,), end=True))
            case "_":
                taken = self._lay(_State((after,), BOUNDARY))
                ends = (_State((after,), start=True), _State((after,), end=True))
                return self._lay(_State((taken, *map(self._lay, ends))))
        return self._lay(_State((after,), piece.characters, piece.others))


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of an expression: one character of a set, an anchor, or parts in a sequence or a choice."""

    kind: str
    parts: tuple[_Piece, ...] = ()
    characters: frozenset[str] = frozenset()
    others: bool = False
