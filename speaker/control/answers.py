"""What a watchdog may answer: the forms that vip_mgmt believes.

Whoever runs as the watchdog's user is less trusted than root at its terminal. So an answer of
another form, or about other prefixes than were asked for, is no answer.
"""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any

from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from policy.route import Prefix

Form = tuple[type, ...] | list[Any] | dict[str, Any]
"""Types; a list with the form of each member; or the keys of a table. A key that ends with `?` may
be missing; the key `*` is the form of all values, whatever their names. Other keys are ignored."""

_TEXT, _TRUTH, _NUMBER = (str,), (bool,), (int, float)
_UNKNOWN_OR_TRUTH = (bool, NoneType)
_ROUTE: dict[str, Any] = {
    "vip": _TEXT,
    "prefix": _TEXT,
    "announced": _UNKNOWN_OR_TRUTH,
    "as_path": [(int,)],
    "rank": (int,),
    "prepends": (int,),
    "realservers": (int, NoneType),
    "health": _TEXT,
    "intent": _TEXT,
    "reason": _TEXT,
    "wanted": _UNKNOWN_OR_TRUTH,
    "as_wanted": _TRUTH,
    "peers?": {"*": _UNKNOWN_OR_TRUTH},
    "up?": [_TEXT],
    "lack?": _TEXT,
    "failure?": _TEXT,
}
_ENTRY = {"time": _NUMBER, "prefix": _TEXT, "event": _TEXT, "reason": _TEXT}
_PEER = {"name?": _TEXT, "address": _TEXT, "asn": (int,), "up": _UNKNOWN_OR_TRUTH}
STATUS: Form = {
    "dc": _TEXT,
    "backend": _TEXT,
    "daemon?": {"name": _TEXT, "untested": _TEXT},
    "configuration?": {"file": _TEXT, "state": _TEXT, "trouble": _TEXT},
    "last_cycle?": (int, float, NoneType),
    "peers": [_PEER],
    "routes": [_ROUTE],
    "sessions?": [_TEXT],
    "trouble": [_TEXT],
}
EXPLANATIONS: Form = [
    {
        **_ROUTE,
        "dc": _TEXT,
        "prefer": [_TEXT],
        "profile": _TEXT,
        "operator": _TEXT,
        "decided_by": (str, NoneType),
        "history": [_ENTRY],
        "trouble?": [_TEXT],
    }
]
HISTORY: Form = [_ENTRY]
RELOADED: Form = {"said": _TEXT}
PLAN: Form = [{"action": _TEXT, "prefix": _TEXT, "route": _TEXT, "reason": _TEXT}]
_OUTCOMES: Form = [{**_ROUTE, "before": _UNKNOWN_OR_TRUTH, "was?": _TEXT, "trouble?": [_TEXT]}]


class AnswerError(SpeakerError):
    """An answer that can't be one to what was asked."""


def check(answer: Any, form: Form, at: str = "answer") -> None:
    """Refuse an answer of another form.

    Raises:
        AnswerError: it is of another form; says where.
    """
    match form:
        case tuple():
            if not isinstance(answer, form) or (isinstance(answer, bool) and bool not in form):
                raise AnswerError(f"{at}: {answer!r:.80}: not of the form that a watchdog gives")
        case list():
            if not isinstance(answer, list):
                raise AnswerError(f"{at}: {answer!r:.80}: not a list")
            for number, each in enumerate(answer):
                check(each, form[0], f"{at}[{number}]")
        case dict():
            if not isinstance(answer, dict):
                raise AnswerError(f"{at}: {answer!r:.80}: not a table")
            _check_table(answer, form, at)


def _check_table(answer: Mapping[str, Any], form: Mapping[str, Any], at: str) -> None:
    if "*" in form:
        for key, each in answer.items():
            check(each, form["*"], f"{at}.{key:.80}")
        return
    for key, inner in form.items():
        name = key.removesuffix("?")
        if name in answer:
            check(answer[name], inner, f"{at}.{name}")
        elif name == key:
            raise AnswerError(f"{at}: has no {key}")


def check_outcomes(answer: Any, prefixes: Collection[Prefix]) -> None:
    """Refuse what is not an outcome of each of these prefixes, and of no others.

    Raises:
        AnswerError: it is not.
    """
    check(answer, _OUTCOMES)
    found = [route["prefix"] for route in answer]
    if sorted(found) != sorted(map(str, prefixes)):
        other = set(found) ^ set(map(str, prefixes))
        raise AnswerError(
            f"answer: about {len(found)} prefixes, {len(prefixes)} were asked for"
            + (f"; {min(other)} is in one of them only" if other else "")
        )


def reason(route: dict[str, Any]) -> str:
    """Return why a prefix is as it is, and which sessions are not as they should be."""
    return f"{route['reason']}; {route['lack']}" if route["lack"] else str(route["reason"])
