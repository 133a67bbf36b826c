"""A rule as vip.toml has it -> what it means: the rule of a VIP, or one of [rule]."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from policy.rule import AtLeast, Not, ShareUp, Term
from policy.sources import MAX_DEPTH, MAX_TERMS
from policy.wording import count
from speaker import units
from speaker.printable import shown

if TYPE_CHECKING:
    from policy.rule import Rule

_SOURCE = re.compile(r"ipvs|tcp|(?:check|report|rule)/[A-Za-z0-9_.:-]{1,64}|vip/[^\s/]{1,253}")
_FORMS = '"SOURCE", { all = [...] }, { any = [...] }, { at_least = N, of = [...] }, { share_up = "50%", of = [...] } or { not = ... }'


def rule(value: Any) -> Rule:
    """Parse a rule; `rule/NAME` stands in it as a source.

    Raises:
        ValueError: it is none; says where in it.
    """
    return _rule(value, "", 1)


def _rule(value: Any, where: str, level: int) -> Rule:
    at = f"{where}: " if where else ""
    if level > MAX_DEPTH:
        raise ValueError(
            f"{at}deeper than {MAX_DEPTH}; give inner parts a [rule.NAME] of their own"
        )
    if isinstance(value, str):
        if not _SOURCE.fullmatch(value):
            raise ValueError(
                f'{at}{shown(value)} is not a source; write "ipvs", "tcp", "check/NAME", "report/NAME", "vip/NAME" or "rule/NAME"'
            )
        return Term(value.lower() if value.startswith("vip/") else value)
    match value:
        case {"not": inner, **others} if not others:
            return Not(_rule(inner, _inside(where, "not"), level + 1))
        case {"all": list(of), **others} if not others:
            return AtLeast(len(of), _parts(of, _inside(where, "all"), level))
        case {"any": list(of), **others} if not others:
            return AtLeast(1, _parts(of, _inside(where, "any"), level))
        case {"at_least": int(count), "of": list(of), **others} if not others:
            parts = _parts(of, _inside(where, "of"), level)
            if isinstance(count, bool) or not 1 <= count <= len(parts):
                raise ValueError(f"{at}at_least = {count} of {len(parts)}; write 1 to {len(parts)}")
            return AtLeast(count, parts)
        case {"share_up": str(share), "of": list(of), **others} if not others:
            return ShareUp(units.share(share), _parts(of, _inside(where, "of"), level))
    raise ValueError(f"{at}{shown(value)} is not a rule; write {_FORMS}")


def _inside(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _parts(of: list[Any], where: str, level: int) -> tuple[Rule, ...]:
    if not 1 <= len(of) <= MAX_TERMS:
        raise ValueError(f"{where}: {count(len(of), 'part')}; give 1 to {MAX_TERMS}")
    return tuple(_rule(each, f"{where}[{index}]", level + 1) for index, each in enumerate(of))
