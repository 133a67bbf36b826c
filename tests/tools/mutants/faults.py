"""The faults: one exact replacement in a file of policy/ each, and the tests that are to notice."""

from __future__ import annotations

from dataclasses import dataclass

RULES, PREFERENCE, AUTO = "test_rules", "test_preference", "test_auto"
MODEL, DECIDE, PLAN, HEALTH = "test_model", "test_decide", "test_plan", "test_health"
SUITES = (RULES, PREFERENCE, AUTO, MODEL, DECIDE, PLAN, HEALTH)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: `old`, which is in the file exactly once, becomes `new`."""

    name: str
    file: str
    old: str
    new: str
    suites: tuple[str, ...]


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
        ">= thresholds.restore_at,",
        "> thresholds.restore_at,",
        (HEALTH,),
    ),
    Fault(
        "what nobody owns is withdrawn",
        "plan.py",
        "for prefix in dict.fromkeys(owned)",
        "for prefix in dict.fromkeys([*owned, *announced])",
        (PLAN,),
    ),
)
