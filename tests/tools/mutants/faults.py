"""The faults: one exact replacement in a file each, and the tests that are to notice."""

from __future__ import annotations

from dataclasses import dataclass

RULES, PREFERENCE, AUTO = "test_rules", "test_preference", "test_auto"
MODEL, DECIDE, PLAN, HEALTH = "test_model", "test_decide", "test_plan", "test_health"
CHECKER, STALE = "test_checker", "unit/backends/exabgp/test_staleness"
SUITES = (RULES, PREFERENCE, AUTO, MODEL, DECIDE, PLAN, HEALTH, CHECKER, STALE)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: `old`, which is in the file exactly once, becomes `new`."""

    name: str
    file: str
    old: str
    new: str
    suites: tuple[str, ...]

    @property
    def path(self) -> str:
        """The file's path; without a folder, it is policy's."""
        return self.file if "/" in self.file else f"policy/{self.file}"


FAULTS = (
    # --- what a data centre announces ---
    Fault(
        "one prepend too few",
        "route.py",
        "return cls((asn,) * (prepends + 1))",
        "return cls((asn,) * max(1, prepends))",
        (RULES, PREFERENCE),
    ),
    Fault(
        "the order of the ranks is reversed",
        "preference.py",
        "return address.prefer.index(dc.name)",
        "return len(address.prefer) - 1 - address.prefer.index(dc.name)",
        (RULES, PREFERENCE),
    ),
    Fault(
        "the path begins with a foreign AS",
        "topology.py",
        "AsPath.originated(asn, self.prepends)",
        "AsPath((64500, *(asn,) * self.prepends))",
        (RULES,),
    ),
    Fault(
        "a foreign AS is prepended",
        "topology.py",
        "AsPath.originated(asn, self.prepends)",
        "AsPath((asn, *(64500,) * self.prepends))",
        (RULES,),
    ),
    Fault(
        "all announce with the profile of the first choice",
        "preference.py",
        "(address.ranks or vip.ranks)[rank(address, dc)]",
        "(address.ranks or vip.ranks)[0]",
        (RULES,),
    ),
    Fault(
        "an address's own ranks are ignored",
        "preference.py",
        "(address.ranks or vip.ranks)[rank(address, dc)]",
        "vip.ranks[rank(address, dc)]",
        (PREFERENCE,),
    ),
    Fault(
        "ranks may tie",
        "topology.py",
        "second <= first for first, second",
        "second < first for first, second",
        (PREFERENCE,),
    ),
    Fault(
        "a preference may leave out a data centre",
        "topology.py",
        "if sorted(address.prefer) != names:",
        "if not set(address.prefer) <= set(names):",
        (PREFERENCE,),
    ),
    Fault(
        "a prefix may be in two places",
        "topology.py",
        "if address.prefix in by_prefix:",
        "if address.prefix in ():",
        (PREFERENCE,),
    ),
    # --- who should attract what ---
    Fault(
        "spread gives all to the first data centre",
        "preference.py",
        "start = index % len(dcs)",
        "start = 0",
        (PREFERENCE,),
    ),
    Fault(
        "the hash ignores the weight",
        "preference.py",
        "(dc.weight or 1.0) / math.log(u)",
        "1.0 / math.log(u)",
        (AUTO,),
    ),
    Fault(
        "the weight scales the hash itself",
        "preference.py",
        "(dc.weight or 1.0) / math.log(u)",
        "-(dc.weight or 1.0) * u",
        (AUTO,),
    ),
    Fault(
        "weight 0 is no last resort",
        "preference.py",
        "return dc.weight == 0, ",
        "return False, ",
        (AUTO,),
    ),
    Fault(
        "the hash depends on how many data centres there are",
        "preference.py",
        "_uniform(dc.name.encode(),",
        '_uniform(f"{dc.name}{len(list(dcs))}".encode(),',
        (AUTO,),
    ),
    Fault(
        "the hash ignores the address",
        "preference.py",
        "pair[0].packed)",
        'b"")',
        (AUTO,),
    ),
    Fault(
        "another hash than the version before",
        "preference.py",
        "hashlib.sha256(",
        "hashlib.sha512(",
        (AUTO,),
    ),
    Fault(
        "each address of a pair has a hash of its own",
        "preference.py",
        "found.append(tuple(family[place] for family in families if place < len(family)))",
        "found.append((address,))",
        (AUTO,),
    ),
    Fault(
        "pairs are counted over both families",
        "preference.py",
        "nth[address.version] += 1",
        "nth = dict.fromkeys(nth, place + 1)",
        (AUTO,),
    ),
    # --- the model of a router ---
    Fault(
        "the model counts those that do not live",
        "best_path.py",
        "if living is None or name in living",
        "if True",
        (MODEL,),
    ),
    Fault(
        "the model ignores ORIGIN",
        "best_path.py",
        "_ORIGINS.index(attributes.origin)",
        "0",
        (MODEL,),
    ),
    Fault(
        "the model compares MEDs across neighbouring ASes",
        "best_path.py",
        "by_neighbour[neighbouring_as(attributes)]",
        "by_neighbour[None]",
        (MODEL,),
    ),
    Fault(
        "the model ignores MED",
        "best_path.py",
        "return attributes.med or 0",
        "return 0",
        (MODEL,),
    ),
    # --- what is announced now ---
    Fault(
        "what is drained is announced",
        "decide.py",
        "announced = None if intent.mode is Mode.DRAINED else route",
        "announced = route",
        (RULES,),
    ),
    Fault(
        "what is drained is announced where health is not checked",
        "decide.py",
        "if intent is not None and intent.mode is not Mode.AUTO:",
        "if intent is not None and intent.mode is not Mode.AUTO and health is not None:",
        (DECIDE,),
    ),
    Fault(
        "what is forced is announced as another data centre does",
        "decide.py",
        "announced = None if intent.mode is Mode.DRAINED else route",
        "announced = None if intent.mode is Mode.DRAINED else "
        "type(route)(route.prefix, type(route.attributes)(type(route.attributes.as_path)()))",
        (RULES,),
    ),
    Fault(
        "unknown is down",
        "decide.py",
        "announced = route if was_announced else None",
        "announced = None",
        (DECIDE,),
    ),
    Fault(
        "the guard is off",
        "guard.py",
        "if too_many and now - since[prefix] < rule.confirm",
        "if False",
        (DECIDE,),
    ),
    Fault(
        "prefixes with the same counts share a health",
        "cases.py",
        "key = (rule, counts, facts.was_announced, tuple(memory.items()))",
        "key = (rule, counts)",
        (DECIDE,),
    ),
    Fault(
        "the guard holds the death of one VIP",
        "guard.py",
        "too_many = going > 1 and",
        "too_many = going > 0 and",
        (DECIDE,),
    ),
    Fault(
        "the guard counts prefixes",
        "guard.py",
        "return {name for prefix in chain(*prefixes) if (name := vip_of(prefix)) is not None}",
        "return {str(prefix) for prefix in chain(*prefixes) if vip_of(prefix) is not None}",
        (DECIDE,),
    ),
    Fault(
        "the guard counts what is no VIP any more",
        "guard.py",
        "return {name for prefix in chain(*prefixes) if (name := vip_of(prefix)) is not None}",
        "return {vip_of(prefix) or str(prefix) for prefix in chain(*prefixes)}",
        (DECIDE,),
    ),
    Fault(
        "the guard counts only VIPs that go whole",
        "guard.py",
        "going = len(_vips(vip_of, recent, wanted))",
        "going = len(_vips(vip_of, recent, wanted) - _vips(vip_of, set(announced) - set(wanted)))",
        (DECIDE,),
    ),
    Fault(
        "the guard forgets the steps of a landslide",
        "guard.py",
        "going = len(_vips(vip_of, recent, wanted))",
        "going = len(_vips(vip_of, wanted))",
        (DECIDE,),
    ),
    Fault(
        "the guard counts what came back among what goes",
        "guard.py",
        "        if prefix in gone and when <= now < when + rule.confirm\n",
        "        if when <= now < when + rule.confirm\n",
        (DECIDE,),
    ),
    Fault(
        "the limit of the guard is too many by one",
        "guard.py",
        "going > rule.max_withdraw * total",
        "going >= rule.max_withdraw * total",
        (DECIDE,),
    ),
    Fault(
        "the guard looks again too late",
        "guard.py",
        "(*map(since.__getitem__, held), *recent.values())),",
        "map(since.__getitem__, held)),",
        (DECIDE,),
    ),
    Fault(
        "the guard holds an operator",
        "guard.py",
        "        and decision.cause is Cause.HEALTH\n",
        "",
        (DECIDE,),
    ),
    Fault(
        "the guard holds for ever",
        "guard.py",
        "if too_many and now - since[prefix] < rule.confirm",
        "if too_many",
        (DECIDE,),
    ),
    Fault(
        "one realserver too many is needed",
        "judge.py",
        "count >= thresholds.restore_at",
        "count > thresholds.restore_at",
        (HEALTH,),
    ),
    # --- the states of a service ---
    Fault(
        "what a killed checker left is believed of what is up",
        "service_state.py",
        "    Row((_S.UP, _S.MISSING), _FROZEN, _S.UP, Doubt.FROZEN, _there),\n",
        "    Row((_S.UP, _S.MISSING), _FROZEN, _S.UP, _IS_UP, _there),\n",
        (CHECKER, HEALTH),
    ),
    Fault(
        "what a killed checker left is believed of what falls",
        "service_state.py",
        "_S.FALLING, Doubt.FROZEN, _still_falling",
        "_S.FALLING, _IS_UP, _still_falling",
        (CHECKER, HEALTH),
    ),
    Fault(
        "what a killed checker left is believed of what is down",
        "service_state.py",
        "    Row(_DOWNS, _FROZEN, None, Doubt.FROZEN, _same),",
        "    Row(_DOWNS, _FROZEN, None, _IS_DOWN, _same),",
        (CHECKER, HEALTH),
    ),
    Fault(
        "a service that vanished is not waited for",
        "service_state.py",
        "    Row(_UPS, _ABSENT, _S.MISSING, Doubt.GONE, _missing, grace),\n",
        "",
        (CHECKER, HEALTH),
    ),
    Fault(
        "a service that comes back empty is down",
        "service_state.py",
        "    Row((_S.MISSING, _S.RETURNED), _BAD, _S.RETURNED, Doubt.BACK, _returned, checked_again),\n",
        "",
        (CHECKER, HEALTH),
    ),
    Fault(
        "what nobody has checked is too few",
        "service_state.py",
        "    Row(_UPS, _BAD, _S.FALLING, Doubt.STARTED, _doubted, warm),\n",
        "",
        (CHECKER, HEALTH),
    ),
    Fault(
        "what nobody has brought back yet is gone",
        "service_state.py",
        "    Row(_UPS, _ABSENT, None, Doubt.STARTED, _same, warm),\n",
        "",
        (CHECKER, HEALTH),
    ),
    Fault(
        "fall counts for nothing",
        "service_state.py",
        "    Row(_UPS, _BAD, _S.FALLING, _IS_UP, _falling, fall),\n",
        "",
        (CHECKER, HEALTH),
    ),
    Fault(
        "fall counts for nothing where the service is lost",
        "service_state.py",
        "    Row(_UPS, _ABSENT, _S.LOST, _IS_UP, _lost, fall),\n",
        "",
        (CHECKER, HEALTH),
    ),
    Fault(
        "what appears is believed at once",
        "service_state.py",
        "    Row((_S.GONE, _S.APPEARED), _EXISTS, _S.APPEARED, _IS_DOWN, _appeared, believed),\n",
        "",
        (CHECKER, HEALTH),
    ),
    Fault(
        "rise counts for nothing",
        "service_state.py",
        "    Row(_DOWNS, _GOOD, _S.RISING, _IS_DOWN, _rising, rise),\n",
        "",
        (CHECKER, HEALTH),
    ),
    Fault(
        "between the thresholds a service comes back",
        "service_state.py",
        "    Row(_DOWNS, _NOT_GOOD, _S.DOWN, _IS_DOWN, _down),",
        "    Row(_DOWNS, _BAD, _S.DOWN, _IS_DOWN, _down),\n    Row(_DOWNS, _NOT_GOOD, _S.UP, _IS_UP, _up),",
        (CHECKER, HEALTH),
    ),
    Fault(
        "what is announced is withdrawn at first sight after the checker's start",
        "service_state.py",
        "    Row((_S.NEW,), _BAD + _ABSENT, None, Doubt.STARTED, _same, announced_warm),\n",
        "",
        (CHECKER, HEALTH),
    ),
    Fault(
        "each restart uses up the same grace",
        "service_look.py",
        "return self.now if self.last.state is State.RETURNED else self.gone_since",
        "return self.since if self.last.state is State.RETURNED else self.gone_since",
        (CHECKER, HEALTH),
    ),
    Fault(
        "a doubt counts for fall",
        "service_look.py",
        "        if self.started is not None and self.is_unproven:\n            began = max",
        "        if False:\n            began = max",
        (CHECKER, HEALTH),
    ),
    Fault(
        "a service that was full proves that it was filled",
        "judge.py",
        "(State.NEW, State.UP, State.RISING)",
        "(State.NEW, State.RISING)",
        (CHECKER, HEALTH),
    ),
    Fault(
        "rise counts from before the checker's start",
        "service_look.py",
        "return max(self.since, self.started or self.since)",
        "return self.since",
        (CHECKER, HEALTH),
    ),
    # --- what may be stale at ExaBGP ---
    Fault(
        "nothing is doubted at the start",
        "speaker/backends/exabgp/staleness.py",
        "        self.happened(Event.STARTED)\n",
        "",
        (STALE,),
    ),
    Fault(
        "what is absent is not doubted when a session has sent its table",
        "speaker/backends/exabgp/staleness.py",
        "Event.SETTLED: frozenset({Demand.WITHDRAW_ABSENT, Demand.SEND_ALL})",
        "Event.SETTLED: frozenset({Demand.SEND_ALL})",
        (STALE,),
    ),
    Fault(
        "nothing is sent again when a session has sent its table",
        "speaker/backends/exabgp/staleness.py",
        "Event.SETTLED: frozenset({Demand.WITHDRAW_ABSENT, Demand.SEND_ALL})",
        "Event.SETTLED: frozenset({Demand.WITHDRAW_ABSENT})",
        (STALE,),
    ),
    Fault(
        "what changes again is not sent again",
        "speaker/backends/exabgp/staleness.py",
        "Event.CHANGED_AGAIN: frozenset({Demand.SEND_ALL})",
        "Event.CHANGED_AGAIN: frozenset()",
        (STALE,),
    ),
    Fault(
        "a reading meets what happens meanwhile",
        "speaker/backends/exabgp/staleness.py",
        "if self._raised.get(demand, attempt.at) <= attempt.at:",
        "if True:",
        (STALE,),
    ),
    Fault(
        "a reading forgets what is mixed meanwhile",
        "speaker/backends/exabgp/staleness.py",
        "{p: number for p, number in self._mixed.items() if number > attempt.at}",
        "{}",
        (STALE,),
    ),
    Fault(
        "all is sent again in the midst of changes",
        "speaker/backends/exabgp/staleness.py",
        "return some_up and self.is_calm",
        "return some_up",
        (STALE,),
    ),
    Fault(
        "all is sent again to nobody",
        "speaker/backends/exabgp/staleness.py",
        "return some_up and self.is_calm",
        "return self.is_calm",
        (STALE,),
    ),
    Fault(
        "what is absent is never doubted without an event",
        "speaker/backends/exabgp/staleness.py",
        "if now - self._doubted >= RARELY:",
        "if False:",
        (STALE,),
    ),
    Fault(
        "what is missing is sent again for as long as it lasts",
        "speaker/backends/exabgp/staleness.py",
        "is_new = bool(missing - self._missing)",
        "is_new = bool(missing)",
        (STALE,),
    ),
    Fault(
        "the same change mixes",
        "speaker/backends/exabgp/staleness.py",
        "[0] != change\n",
        "[0] is not None\n",
        (STALE,),
    ),
    # --- what is planned ---
    Fault(
        "what nobody owns is withdrawn",
        "plan.py",
        "for prefix in dict.fromkeys(owned)",
        "for prefix in dict.fromkeys([*owned, *announced])",
        (PLAN,),
    ),
)
