"""`[rule]` and the rules of VIPs: put together of what they name, and what in them makes no sense."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.rule import AtLeast, Not, ShareUp, Term, depth
from policy.rule import terms as terms_of
from policy.ruled import asked_vips, circle
from policy.sources import CHECK, MAX_DEPTH, MAX_TERMS, REPORT, SERVICES, VIP
from policy.wording import count
from speaker.config.schema_checks import RULE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from policy.rule import Rule
    from speaker.config.fault import Faults, KeyPath
    from speaker.config.schema import Document
    from speaker.config.settings_checks import CheckSettings
    from speaker.config.validate import Form


class RuleBuilder:
    """Makes the rules of VIPs of what they are made of, and notes every fault on the way."""

    def __init__(self, form: Form, faults: Faults, checks: Mapping[str, CheckSettings]) -> None:
        self._form, self._faults, self._checks = form, faults, checks
        self._vips = {name.lower() for name in form.document.vip}
        self._whole: dict[str, Rule | None] = {}
        self._named()

    def of_vip(self, name: str) -> Rule | None:
        """Return the rule of a VIP; None where it has none, or it makes no sense."""
        written = self._form.document.vip[name].rule
        if written is None:
            return None
        path = ("vip", name, "rule")
        rule = self._expanded(path, written)
        if rule is None:
            return None
        source = self._source(name)
        for term in dict.fromkeys(terms_of(rule)):
            if term in SERVICES and term != source:
                self._faults.add(
                    path,
                    f'"{term}", but health.source is "{source}"; '
                    + (f'write "{source}"' if source in SERVICES else f'set source = "{term}"'),
                )
        self._realservers(path, name, rule)
        return rule

    def check_circles(self, rules: Mapping[str, Rule]) -> None:
        """Refuse circles of VIPs whose rules name each other."""
        way = circle({name.lower(): asked_vips(rule) for name, rule in rules.items()})
        if way:
            name = next(name for name in rules if name.lower() == way[0])
            said = " -> ".join(VIP + each for each in way)
            self._faults.add(("vip", name, "rule"), f"goes in a circle: {said}; take one out")

    def _named(self) -> None:
        """Expand the rules of `[rule]`, innermost first."""
        rules = self._form.document.rule
        asks = {name: [*_named_in(rule)] for name, rule in rules.items()}
        if way := circle(asks):
            said = " -> ".join(RULE + each for each in way)
            self._faults.add(("rule", way[0]), f"goes in a circle: {said}; take one out")
            self._whole = dict.fromkeys(rules)
            return
        todo = [*rules]
        while todo:
            name = todo[-1]
            missing = [each for each in asks[name] if each in rules and each not in self._whole]
            if missing:
                todo += missing
                continue
            todo.pop()
            if name not in self._whole:
                self._whole[name] = self._expanded(("rule", name), rules[name])

    def _expanded(self, path: KeyPath, written: Rule) -> Rule | None:
        """Return a rule with those that it names in their place; None where it makes no sense."""
        faults = [
            fault for term in dict.fromkeys(terms_of(written)) if (fault := self._unknown(term))
        ]
        for fault in faults:
            self._faults.add(path, fault)
        named = [self._whole.get(name) for name in _named_in(written)]
        if faults or any(rule is None for rule in named):
            return None
        size = sum(1 for _ in terms_of(written)) + sum(
            sum(1 for _ in terms_of(rule)) - 1 for rule in named if rule is not None
        )
        if size > MAX_TERMS:
            self._faults.add(
                path, f"names {count(size, 'source')}; {MAX_TERMS} at most: name fewer"
            )
            return None
        rule = self._inlined(written)
        if depth(rule) > MAX_DEPTH:
            self._faults.add(
                path, f"is {depth(rule)} deep; {MAX_DEPTH} at most: have fewer within each other"
            )
            return None
        return rule

    def _inlined(self, rule: Rule) -> Rule:
        match rule:
            case Term(name):
                whole = self._whole[name.removeprefix(RULE)] if name.startswith(RULE) else None
                return whole or rule
            case Not(inner):
                return Not(self._inlined(inner))
            case AtLeast(count, of):
                return AtLeast(count, tuple(map(self._inlined, of)))
            case ShareUp(share, of):
                return ShareUp(share, tuple(map(self._inlined, of)))

    def _unknown(self, term: str) -> str:
        """Return what is wrong with the name of a source; nothing where it is there."""
        document = self._form.document
        kind, _, name = term.partition("/")
        known: Collection[str] = {
            CHECK: document.check, RULE: document.rule, REPORT: document.report, VIP: self._vips,
        }.get(f"{kind}/", ())  # fmt: skip
        if term in SERVICES or name in known or self._form.lacks(kind, name):
            return ""
        shown = ", ".join([f'"{kind}/{each}"' for each in sorted(known)][:5])
        return f'"{term}" is unknown; ' + (
            f"name one of {shown}{self._faults.near([name], known)}"
            if shown
            else f"there is no [{kind}]"
        )

    def _source(self, name: str) -> str:
        own = self._form.document.vip[name].health
        return own.source if "source" in own.model_fields_set else self._form.document.health.source

    def _realservers(self, path: KeyPath, name: str, rule: Rule) -> None:
        vip = self._form.document.vip[name]
        if any(service.realservers for service in vip.services.values()):
            return
        for check in checks_of(rule, self._checks):
            if check.by_realserver and not check.realservers:
                self._faults.add(
                    path,
                    f'"{CHECK}{check.name}" asks each realserver, and none is known; write them as '
                    f"realservers into [check.{check.name}], or into the VIP's services",
                )


def rules_of_vips(
    form: Form, faults: Faults, checks: Mapping[str, CheckSettings]
) -> dict[str, Rule]:
    """Return the rules of VIPs, by their names as written: of those that have one that makes sense."""
    builder = RuleBuilder(form, faults, checks)
    found = {name: builder.of_vip(name) for name in form.document.vip}
    rules = {name: rule for name, rule in found.items() if rule is not None}
    builder.check_circles(rules)
    return rules


def unused(document: Document) -> tuple[str, ...]:
    """Return the names of `[rule]` that no VIP's rule comes to, be it by others."""
    todo = [vip.rule for vip in document.vip.values() if vip.rule is not None]
    used: set[str] = set()
    while todo:
        named = {*_named_in(todo.pop())} - used
        used |= named
        todo += [document.rule[name] for name in named if name in document.rule]
    return tuple(name for name in document.rule if name not in used)


def checks_of(rule: Rule | None, checks: Mapping[str, CheckSettings]) -> tuple[CheckSettings, ...]:
    """Return the checks that a rule names, each once."""
    if rule is None:
        return ()
    names = dict.fromkeys(
        term.removeprefix(CHECK) for term in terms_of(rule) if term.startswith(CHECK)
    )
    return tuple(checks[name] for name in names if name in checks)


def _named_in(rule: Rule) -> Iterable[str]:
    """Return the rules of `[rule]` that a rule names, each as often as it does."""
    return [term.removeprefix(RULE) for term in terms_of(rule) if term.startswith(RULE)]
