"""Regular expressions over the body of an answer, searched in a time that grows with its length alone.

Theory of operation. Python's matcher tries one way after the other, and takes years over `(a*)*b` and a body of
a's; it holds the interpreter meanwhile, so that no other check, and no cycle, goes on. Here all ways are followed
at once (K. Thompson, CACM 11(6), 1968): each character of the body meets each state once at most. Sets of states
that were met are kept with where they lead, so that most characters cost one look. What would need more than that,
references to groups and looks ahead, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_LENGTH = 500
MAX_STATES = 300
MAX_REPEAT = 100
MAX_DEPTH = 20
MAX_KEPT = 2_000
"""How many sets of states are kept, until they are forgotten and found again."""
ACCEPT = 0


class PatternError(ValueError):
    """A regular expression that is none, or that has what is not read here."""


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """The characters that a state takes: of some ranges, or all others."""

    ranges: tuple[tuple[str, str], ...]
    others: bool = False

    def has(self, character: str) -> bool:
        """Tell whether a character is one of them."""
        return any(first <= character <= last for first, last in self.ranges) is not self.others


_DIGIT, _SPACE = (("0", "9"),), ((" ", " "), ("\t", "\r"))
_WORD = (("a", "z"), ("A", "Z"), ("0", "9"), ("_", "_"))
_CLASSES = {"d": _DIGIT, "s": _SPACE, "w": _WORD}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_ANY = CharacterSet((("\n", "\n"),), others=True)


@dataclass(slots=True)
class _State:
    """A state: what it takes (None: nothing), where it leads; `start`, `end`: only for who is there."""

    to: list[int]
    takes: CharacterSet | None = None
    start: bool = False
    end: bool = False


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of an expression: `set`, `^`, `$`, or parts in a sequence, a choice, or again and again."""

    kind: str
    parts: tuple[_Piece, ...] = ()
    takes: CharacterSet | None = None
    least: int = 0
    most: int | None = None


class BodyPattern:
    """An expression, ready to be asked.

    Raises:
        PatternError: it is none, or has what is not read.
    """

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise PatternError(f"longer than {MAX_LENGTH} characters")
        self._ignores_case = text.startswith("(?i)")
        text = text.removeprefix("(?i)")
        piece = _Parser(text.lower() if self._ignores_case else text).parse()
        self._states = [_State([])]
        self._first = self._place(piece, ACCEPT)
        self._kept: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def search(self, text: str) -> bool:
        """Tell whether some part of a text is meant."""
        text = text.lower() if self._ignores_case else text
        reached = self._reach([self._first], start=True, end=not text)
        for character in text:
            if ACCEPT in reached:
                return True
            reached = self._step(reached, character)
        return ACCEPT in self._reach([*reached], start=not text, end=True)

    def _step(self, reached: frozenset[int], character: str) -> frozenset[int]:
        key = (reached, character)
        found = self._kept.get(key)
        if found is None:
            after = [self._first]
            for number in reached:
                state = self._states[number]
                if state.takes is not None and state.takes.has(character):
                    after += state.to
            found = self._reach(after, start=False, end=False)
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[key] = found
        return found

    def _reach(self, left: list[int], *, start: bool, end: bool) -> frozenset[int]:
        """Return the states that are reached from some without taking a character."""
        reached: set[int] = set()
        while left:
            number = left.pop()
            if number in reached:
                continue
            reached.add(number)
            state = self._states[number]
            if state.takes is None and (start or not state.start) and (end or not state.end):
                left += state.to
        return frozenset(reached)

    # --- laying: from the last state to the first, so that each knows what follows it -----------------

    def _lay(self, state: _State) -> int:
        if len(self._states) >= MAX_STATES:
            raise PatternError(f"more than {MAX_STATES} states; write less, or repeat less")
        self._states.append(state)
        return len(self._states) - 1

    def _place(self, piece: _Piece, after: int) -> int:
        """Lay the states of a piece before a state, and return the first of them."""
        match piece.kind:
            case "sequence":
                for part in reversed(piece.parts):
                    after = self._place(part, after)
                return after
            case "choice":
                return self._lay(_State([self._place(part, after) for part in piece.parts]))
            case "repeat":
                return self._repeat(piece, after)
            case "^":
                return self._lay(_State([after], start=True))
            case "$":
                return self._lay(_State([after], end=True))
        return self._lay(_State([after], piece.takes))

    def _repeat(self, piece: _Piece, after: int) -> int:
        (part,) = piece.parts
        if piece.most is None:
            loop = self._lay(_State([after]))
            self._states[loop].to.append(self._place(part, loop))
            after = loop
        else:
            end = after
            for _ in range(piece.most - piece.least):
                after = self._lay(_State([self._place(part, after), end]))
        for _ in range(piece.least):
            after = self._place(part, after)
        return after


@dataclass(slots=True)
class _Parser:
    """Reads an expression into pieces."""

    text: str
    at: int = 0
    depth: int = 0
    _none: _Piece = field(default_factory=lambda: _Piece("sequence"))

    def parse(self) -> _Piece:
        found = self._choice()
        if self.at < len(self.text):
            raise PatternError("a ) that closes nothing")
        return found

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self, word: str) -> bool:
        if not self.text.startswith(word, self.at):
            return False
        self.at += len(word)
        return True

    def _choice(self) -> _Piece:
        found = [self._sequence()]
        while self._take("|"):
            found.append(self._sequence())
        return found[0] if len(found) == 1 else _Piece("choice", tuple(found))

    def _sequence(self) -> _Piece:
        found = []
        while self._peek() not in ("", "|", ")"):
            found.append(self._repeated())
        return _Piece("sequence", tuple(found))

    def _repeated(self) -> _Piece:
        piece = self._atom()
        bounds = self._bounds()
        if bounds is None:
            return piece
        if piece.kind in ("^", "$") or self._bounds() is not None:
            raise PatternError("a repeat of what can't be repeated")
        least, most = bounds
        if max(least, most or 0) > MAX_REPEAT or (most is not None and most < least):
            raise PatternError(f"a repeat of more than {MAX_REPEAT}, or of less than nothing")
        return _Piece("repeat", (piece,), None, least, most)

    def _bounds(self) -> tuple[int, int | None] | None:
        for word, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(word):
                return bounds
        if not self._take("{"):
            return None
        end = self.text.find("}", self.at)
        least, comma, most = self.text[self.at : max(end, self.at)].partition(",")
        if not _is_number(least) or (most and not _is_number(most)):
            raise PatternError("a { that is no {2}, {2,} or {2,3}; write \\{ for the character")
        self.at = end + 1
        if not comma:
            return int(least), int(least)
        return int(least), int(most) if most else None

    def _atom(self) -> _Piece:
        character = self._peek()
        self.at += 1
        match character:
            case "(":
                return self._group()
            case "[":
                return _Piece("set", takes=self._set())
            case "^" | "$":
                return _Piece(character)
            case ".":
                return _Piece("set", takes=_ANY)
            case "\\":
                return _Piece("set", takes=self._escape())
            case "*" | "+" | "?" | "{":
                raise PatternError(f"a {character} that repeats nothing")
        return _Piece("set", takes=CharacterSet(((character, character),)))

    def _group(self) -> _Piece:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise PatternError(f"more than {MAX_DEPTH} groups within each other")
        if self._peek() == "?" and not self._take("?:"):
            raise PatternError("(? that is not (?:")
        found = self._choice()
        if not self._take(")"):
            raise PatternError("a ( that nothing closes")
        self.depth -= 1
        return found

    def _escape(self) -> CharacterSet:
        character = self._peek()
        self.at += 1
        if character in _ESCAPES:
            character = _ESCAPES[character]
        elif character.lower() in _CLASSES:
            return CharacterSet(_CLASSES[character.lower()], others=character.isupper())
        elif not character or (character.isascii() and character.isalnum()):
            raise PatternError(f"\\{character}")
        return CharacterSet(((character, character),))

    def _set(self) -> CharacterSet:
        others = self._take("^")
        ranges: list[tuple[str, str]] = []
        while not self._take("]") or not ranges:
            first = self._one()
            if self._peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                last = self._one()
                if len(first) != 1 or len(last) != 1 or first[0][0] > last[0][0]:
                    raise PatternError("a range in [ ] that is none")
                first = ((first[0][0], last[0][0]),)
            ranges += first
        return CharacterSet(tuple(ranges), others)

    def _one(self) -> tuple[tuple[str, str], ...]:
        character = self._peek()
        self.at += 1
        if not character:
            raise PatternError("a [ that nothing closes")
        if character != "\\":
            return ((character, character),)
        found = self._escape()
        if found.others:
            raise PatternError("a class of all others in [ ]")
        return found.ranges


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4
