"""The model's choice beside a real BIRD's and a real GoBGP's, for generated topologies."""

import random
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from policy.best_path import announcements, best
from policy.route import Asn, Origin, Route, parse_prefix
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Config, ExaBgp
from tests.support.lab.gobgp import GoBgp
from tests.support.lab.netns import Link, Network
from tests.support.lab.puppet import Puppet
from tests.support.lab.requirements import require

CASES = 240
SEED = 4271
STEPS = 16
ROUTER_ASN = 64500
# The sessions that each router has: a data centre of a case is one of them. All five of a case may
# have one ASN, or five, or some of both.
SLOTS = tuple(map(Asn, (*[64699] * 5, 64496, 64496, 64511, 65536, 65551)))


@dataclass
class Case:
    """One topology with one address, which of its data centres announce now, and what comes next.

    `slots` has the session of each data centre; `flips` the data centre to fail or to recover, by step.
    """

    prefix: str
    slots: Mapping[str, int]
    routes: Mapping[str, Route]
    flips: Sequence[str]
    living: set[str] = field(default_factory=set)

    def slots_of(self, names: Collection[str]) -> set[int]:
        """Return the sessions of data centres."""
        return {self.slots[name] for name in names}

    def chosen(self, lost: Collection[int]) -> set[int]:
        """Return the sessions of the data centres that the model chooses; some are lost."""
        living = {name for name in self.living if self.slots[name] not in lost}
        return self.slots_of(best(self.routes, living))

    def __str__(self) -> str:
        return "; ".join(
            f"{name} {'announces' if name in self.living else 'would announce'} {route}"
            for name, route in self.routes.items()
        )


def cases(generator: random.Random) -> Iterator[Case]:
    """Make up cases: 2 to 5 data centres that fail and recover one by one in any order."""
    for number in range(CASES):
        names = [f"dc{index}" for index in range(generator.randint(2, 5))]
        kinds = (SLOTS[:5], list(dict.fromkeys(SLOTS)), SLOTS)
        asns = generator.sample(kinds[number % 3], len(names))
        slots = dict(zip(names, _slots(asns, generator), strict=True))
        network = "192.0.2" if number < 128 else "198.51.100"
        prefix = parse_prefix(f"{network}.{number % 128}/32")
        prefer = tuple(generator.sample(names, len(names)))
        vip = Vip("vip.tld", (Address(prefix, prefer),), _ranks(generator, number, len(names)))
        dcs = tuple(DataCentre(name, SLOTS[slot]) for name, slot in slots.items())
        topology = Topology(dcs, (vip,))
        # All fail, in any order, then all recover, in any other, and so on.
        flips = [name for _ in range(STEPS) for name in generator.sample(names, len(names))]
        yield Case(str(prefix), slots, announcements(topology, vip, vip.addresses[0]), flips)


def _slots(asns: Sequence[Asn], generator: random.Random) -> list[int]:
    """Return a session of its own for each ASN."""
    free = generator.sample(range(len(SLOTS)), len(SLOTS))
    found = []
    for asn in asns:
        found.append(next(slot for slot in free if SLOTS[slot] == asn))
        free.remove(found[-1])
    return found


def _ranks(generator: random.Random, number: int, count: int) -> tuple[Profile, ...]:
    """Return ranks that rise, as a file must have them, or in most cases ones that may tie."""
    if number % 4 == 0:
        return tuple(map(Profile.plain, sorted(generator.sample(range(6), count))))
    if number % 4 == 1:  # MED decides
        return tuple(Profile("x", 1, med=generator.choice([0, 10, 50])) for _ in range(count))
    return tuple(
        Profile(
            "x",
            generator.choice([1, 1, 1, 2]),
            generator.choice([0, 10, 50]),
            generator.choice(list(Origin)),
        )
        for _ in range(count)
    )


class Site:
    """An ExaBGP that is all data centres, a session for each slot, at a BIRD and at a GoBGP.

    `chosen` has the prefixes of the cases in which a router had one to choose, by router.
    """

    def __init__(self, network: Network) -> None:
        speaker = network.host("dcs")
        self._links: dict[str, list[Link]] = {}
        self._routers: dict[str, Bird | GoBgp] = {}
        sessions = []
        bird = partial(Bird, options=["deterministic med yes;"])
        for name, make in (("BIRD", bird), ("GoBGP", GoBgp)):
            host = network.host(name.lower())
            links = [network.link(host, speaker) for _ in SLOTS]
            pairs = zip(links, SLOTS, strict=True)
            own = [link.session(ROUTER_ASN, asn, families=("ipv4",)) for link, asn in pairs]
            self._links[name], self._routers[name] = links, make(host, own)
            sessions.extend(own)
        puppet = Puppet(speaker)
        ExaBgp(speaker, "v5", Config([each.flipped() for each in sessions], puppet.run))
        self._helper = puppet.helper()
        for router in self._routers.values():
            router.wait_for_sessions(60)
        self._lost: set[int] = set()
        self.chosen: dict[str, set[str]] = {name: set() for name in self._routers}
        self.counts: Counter[tuple[str, str]] = Counter()

    def change(self, changes: Sequence[tuple[Case, str]]) -> None:
        """Let data centres of cases fail that live, and recover that do not."""
        lines = []
        for case, name in changes:
            route, announce = case.routes[name], name not in case.living
            (case.living.add if announce else case.living.discard)(name)
            for links in self._links.values():
                link = links[case.slots[name]]
                what = f"route {route.prefix} next-hop {link.b.ipv4} {route.attributes}"
                verb = "announce" if announce else "withdraw"
                lines.append(f"neighbor {link.a.ipv4} {verb} {what}")
        self._helper.send(*lines)
        for line in lines:
            assert self._helper.reply(30, line).status == "done", line

    def lose(self, slot: int) -> None:
        """Let a data centre's sessions fail, and with them all that it announces."""
        for name, router in self._routers.items():
            router.disable(self._links[name][slot].b.ipv4)
        self._lost.add(slot)

    def compare(self, everything: Sequence[Case]) -> None:
        """Compare what each router holds and has chosen, in every case, with the model."""
        for name, router in self._routers.items():
            slots = {link.b.ipv4: slot for slot, link in enumerate(self._links[name])}
            held = {case.prefix: case.slots_of(case.living) - self._lost for case in everything}
            found = eventually(
                partial(_holdings, router, slots),
                until=partial(_are_held, {prefix: own for prefix, own in held.items() if own}),
                within=60,
                what=f"{name} holds what was announced",
                every=0.1,
            )
            for case in everything:
                wanted = case.chosen(self._lost)
                if len(wanted) == 1:
                    self.chosen[name].add(case.prefix)
                    self.counts[name, "chosen"] += 1
                    assert {found[case.prefix][0]} == wanted, f"{name}: {case.prefix}: {case}"
                elif wanted:
                    self.counts[name, "tied"] += 1
                    assert wanted <= {*found[case.prefix]}, f"{name}: {case.prefix}: {case}"
                    if name == "BIRD":  # which shows that nothing but the address decides
                        assert found[case.prefix][0] == min(wanted), f"{case.prefix}: {case}"


def _holdings(router: Bird | GoBgp, slots: Mapping[str, int]) -> dict[str, list[int]]:
    """Return the slots that a router has a route of, by prefix, the selected one first."""
    return {
        prefix: [slots[route.next_hop] for route in routes]
        for prefix, routes in router.candidates().items()
    }


def _are_held(wanted: Mapping[str, set[int]], found: Mapping[str, list[int]]) -> bool:
    return {prefix: set(slots) for prefix, slots in found.items()} == wanted


def test_routers_choose_what_the_model_does(network: Network) -> None:
    """A router chooses the model's data centre, whichever live; where some tie, it holds them all.

    Which of those that tie a BIRD chooses is the one of the lowest address, the last step of RFC
    4271 §9.1.2.2: no step before it has told them apart. GoBGP goes by age before.
    """
    require("bird", "gobgpd", "gobgp", flavours=("v5",))
    site = Site(network)
    everything = list(cases(random.Random(SEED)))
    site.change([(case, name) for case in everything for name in case.routes])
    site.compare(everything)
    for step in range(STEPS):
        site.change([(case, case.flips[step]) for case in everything])
        site.compare(everything)
    site.change([(case, n) for case in everything for n in case.routes if n not in case.living])
    for slot in random.Random(SEED).sample(range(len(SLOTS)), 4):
        site.lose(slot)
        site.compare(everything)
    assert all(len(prefixes) >= 200 for prefixes in site.chosen.values())
    assert all(site.counts[name, "chosen"] >= 2000 for name in site.chosen)
    assert all(site.counts[name, "tied"] >= 200 for name in site.chosen)
