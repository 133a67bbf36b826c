"""What NAME means: a DNS name, an address, a prefix, or all."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pytest

from policy.health import HealthRule
from policy.route import Asn, parse_prefix
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from speaker.cli.targets import TargetError, Targets, find
from speaker.resolver.resolver import Answer, BadNameError, Family, NameLookupError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

V4, V6 = IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")
OTHER = IPv4Address("192.0.2.3")
STRANGE = IPv4Address("203.0.113.9")
INSIDE = IPv4Address("198.51.100.53")
SERVFAIL = "SERVFAIL from 192.0.2.53 port 53"


def vip(name: str, *prefixes: str) -> Vip:
    addresses = tuple(Address(parse_prefix(text), ("par1",)) for text in prefixes)
    return Vip(name, addresses, (Profile("prepend-1", 1),), HealthRule())


TOPOLOGY = Topology(
    (DataCentre("par1", Asn(64699)),),
    (
        vip("vip-1.tld", "192.0.2.1", "2001:db8::1"),
        vip("vip-2.tld", "192.0.2.3"),
        vip("any.tld", "198.51.100.0/24"),
    ),
)
FOUND = Answer("vip-1.tld", (V4,), (V6,))


def targets(
    *names: str, dns: Mapping[str, Answer | NameLookupError] | None = None, widely: bool = False
) -> Targets:
    """What names mean where DNS says so; it knows no others."""

    asked: list[Sequence[str]] = []

    def lookup(asked_for: Sequence[str]) -> dict[str, Answer | NameLookupError]:
        asked.append(asked_for)
        return {name: (dns or {}).get(name, Answer(name, exists=False)) for name in asked_for}

    try:
        return find(names, TOPOLOGY, lookup, dns=widely)
    finally:
        assert len(asked) == 1, "DNS is asked once, for all names"


def prefixes(*names: str, dns: Mapping[str, Answer | NameLookupError] | None = None) -> list[str]:
    return [str(prefix) for prefix in targets(*names, dns=dns).prefixes]


def refused(*names: str, dns: Mapping[str, Answer | NameLookupError] | None = None) -> str:
    with pytest.raises(TargetError) as caught:
        targets(*names, dns=dns)
    return str(caught.value)


ALL = ["192.0.2.1/32", "2001:db8::1/128", "192.0.2.3/32", "198.51.100.0/24"]
ONE = ALL[:2]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("192.0.2.1/31", "192.0.2.1/31 has host bits set; write an address or a prefix without host bits; name 192.0.2.1, of vip-1.tld"),
        ("192.0.2.1/33", "; name 192.0.2.1, of vip-1.tld"),
        ("192.0.2.0/31", "192.0.2.0/31: not in vip.toml; name what is in it: 192.0.2.1/32 of vip-1.tld"),
        ("192.0.2.0/24", "name what is in it: 192.0.2.1/32 of vip-1.tld, 192.0.2.3/32 of vip-2.tld"),
        ("0.0.0.0/0", "192.0.2.3/32 of vip-2.tld, 198.51.100.0/24 of any.tld, …"),
        ("198.51.100.53", "198.51.100.53: not in vip.toml; name 198.51.100.0/24, of any.tld"),
        ("198.51.100.53/32", "; name 198.51.100.0/24, of any.tld"),
        ("203.0.113.9", "203.0.113.9: not in vip.toml; name a VIP, or one of its addresses"),
        ("203.0.113.9/31", "; write an address or a prefix without host bits"),
        ("192.0.2.1/x/y", "; name 192.0.2.1, of vip-1.tld"),
        ("192.0.2.1:80", "; name it alone: 192.0.2.1"),
        ("[2001:DB8::1]", "; name it alone: 2001:db8::1"),
        ("[2001:db8::1]:80", "; name it alone: 2001:db8::1"),
        ("vip-1.tld:80", "; name it alone: vip-1.tld"),
        ("https://VIP-1.tld/a?b", "; name it alone: vip-1.tld"),
        ("vip1.tld:80", "; did you mean vip-1.tld"),
    ],
)  # fmt: skip
def test_what_to_type(typed: str, said: str) -> None:
    """What names no VIP is refused with what does: of an address, of a prefix, of a URL, of a port."""
    found = refused(
        typed, dns={typed: BadNameError(f"name: {typed!r}: write names like vip-1.tld")}
    )
    assert said in found.splitlines()[0]
    assert ("has host bits" in found) <= ("/31" in typed)


# --- without DNS ---------------------------------------------------------------------------------


def test_report() -> None:
    """A report, which history shows under such a name, is no VIP: it is said where it is to be seen."""
    assert refused("report/shop").startswith(
        "report/shop: a report, and no VIP; vip_mgmt history without"
    )


def test_all() -> None:
    """`all` is everything of vip.toml, and DNS is not asked."""
    assert prefixes("all") == ALL
    assert targets("all").notes == ()


@pytest.mark.parametrize("name", ["192.0.2.1", "192.0.2.1/32"])
def test_address(name: str) -> None:
    """An address is its host prefix, and the prefix is itself."""
    assert prefixes(name) == ["192.0.2.1/32"]


@pytest.mark.parametrize("name", ["2001:db8::1", "2001:DB8:0::1/128"])
def test_ipv6(name: str) -> None:
    """An IPv6 address may be written in any way."""
    assert prefixes(name) == ["2001:db8::1/128"]


@pytest.mark.parametrize("name", ["203.0.113.9", "192.0.3.0/24", "203.0.113.53", "2001:db9::/32"])
def test_address_that_is_not_there(name: str) -> None:
    """An address or a prefix that is not in vip.toml is refused: nothing of it is ours."""
    assert refused(name) == f"{name}: not in vip.toml; name a VIP, or one of its addresses"


def test_several() -> None:
    """Prefixes come once each, in the order named."""
    assert prefixes("192.0.2.3", "192.0.2.1", "192.0.2.3/32") == ["192.0.2.3/32", "192.0.2.1/32"]
    assert prefixes("192.0.2.3", "all") == [ALL[2], ALL[0], ALL[1], ALL[3]]


def test_one_that_is_refused_refuses_all() -> None:
    """Where one name can't be acted on, none is."""
    assert "203.0.113.9" in refused("192.0.2.1", "203.0.113.9")


# --- a name that vip.toml has --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vip-1.tld", "VIP-1.tld", "vip-1.tld."])
def test_vip(name: str) -> None:
    """A name means what vip.toml has under it; where DNS says the same there is nothing to say."""
    found = targets(name, dns={"vip-1.tld": FOUND})
    assert [str(prefix) for prefix in found.prefixes] == ONE
    assert found.notes == ()


def test_dns_is_silent() -> None:
    """Where DNS does not answer for a name that vip.toml has, it says so and goes on."""
    silent = Answer("vip-1.tld", failed=dict.fromkeys(Family, "timed out"))
    found = targets("vip-1.tld", dns={"vip-1.tld": silent})
    assert [str(prefix) for prefix in found.prefixes] == ONE
    (note,) = found.notes
    assert note == "vip-1.tld: A: timed out; AAAA: timed out; using what vip.toml has"


def test_dns_has_no_such_name() -> None:
    """A name that only vip.toml has is taken from there, which is said once, whatever it has."""
    found = targets("vip-1.tld")
    assert [str(prefix) for prefix in found.prefixes] == ONE
    assert found.notes == ("vip-1.tld: DNS does not have it; using what vip.toml has",)


def test_broken_alias() -> None:
    """A CNAME that leads nowhere does not keep an operator from a VIP of vip.toml."""
    broken = NameLookupError("name: vip-1.tld: its CNAMEs go in a circle")
    found = targets("vip-1.tld", dns={"vip-1.tld": broken})
    assert [str(prefix) for prefix in found.prefixes] == ONE
    assert found.notes == (f"{broken}; using what vip.toml has",)


def test_one_family_fails() -> None:
    """Where one family fails, it says so, and complains of no address of that family."""
    answer = Answer("vip-1.tld", (V4,), failed={Family.IPV6: SERVFAIL})
    found = targets("vip-1.tld", dns={"vip-1.tld": answer})
    assert [str(prefix) for prefix in found.prefixes] == ONE
    assert found.notes == (f"vip-1.tld: AAAA: {SERVFAIL}; using what vip.toml has",)


def test_dns_has_more() -> None:
    """What DNS alone has under a VIP's name is named, and not taken: DNS can't widen a drain."""
    answer = Answer("vip-1.tld", (V4, OTHER, STRANGE), (V6,))
    found = targets("vip-1.tld", dns={"vip-1.tld": answer})
    assert [str(prefix) for prefix in found.prefixes] == ONE
    assert found.notes == (
        (
            "vip-1.tld: DNS has 192.0.2.3, which vip.toml has under vip-2.tld; not included; --dns includes it"
        ),
        "vip-1.tld: DNS has 203.0.113.9, which vip.toml lacks; ignored",
    )


def test_dns_has_more_and_is_believed() -> None:
    """With --dns, addresses that vip.toml has under other VIPs are taken; strange ones never are."""
    answer = Answer("vip-1.tld", (V4, OTHER, STRANGE, INSIDE), (V6,))
    found = targets("vip-1.tld", dns={"vip-1.tld": answer}, widely=True)
    assert [str(prefix) for prefix in found.prefixes] == [*ONE, *ALL[2:]]
    assert found.notes == (
        "vip-1.tld: DNS has 192.0.2.3, which vip.toml has under vip-2.tld; included",
        "vip-1.tld: DNS has 203.0.113.9, which vip.toml lacks; ignored",
        "vip-1.tld: DNS has 198.51.100.53, which vip.toml has under any.tld; included",
    )


def test_dns_has_less() -> None:
    """An address that vip.toml alone has is taken, and named."""
    found = targets("vip-1.tld", dns={"vip-1.tld": Answer("vip-1.tld", (V4,))})
    assert [str(prefix) for prefix in found.prefixes] == ONE
    assert found.notes == (
        "vip-1.tld: vip.toml has 2001:db8::1/128, which DNS lacks; included anyway",
    )


def test_wide() -> None:
    """An address inside a VIP's wide prefix is that prefix."""
    found = targets("any.tld", dns={"any.tld": Answer("any.tld", (INSIDE,))})
    assert (found.prefixes, found.notes) == ((parse_prefix("198.51.100.0/24"),), ())


# --- a name that only DNS has --------------------------------------------------------------------


def test_alias() -> None:
    """A name that vip.toml lacks means its addresses in DNS."""
    assert prefixes("www.tld", dns={"www.tld": Answer("vip-1.tld", (V4,), (V6,))}) == ONE


def test_alias_of_a_wide_one() -> None:
    """An alias of an address inside a wide prefix means that prefix."""
    alias = Answer("any.tld", (INSIDE,))
    assert prefixes("dns.tld", dns={"dns.tld": alias}) == ["198.51.100.0/24"]


def test_nowhere() -> None:
    """A name that is nowhere is refused in the words of the toolkit."""
    assert refused("nope.tld") == ("nope.tld: does not exist\nUnable to lookup nope.tld. Exiting..")
    empty = Answer("nope.tld")
    assert "exists, has no addresses" in refused("nope.tld", dns={"nope.tld": empty})


def test_nobody_knows() -> None:
    """A name unknown to vip.toml of which DNS says nothing is refused too, with why."""
    silent = Answer("www.tld", failed=dict.fromkeys(Family, "timed out"))
    text = refused("www.tld", dns={"www.tld": silent})
    assert text == ("www.tld: A: timed out; AAAA: timed out\nUnable to lookup www.tld. Exiting..")


def test_half_a_name() -> None:
    """A name unknown to vip.toml of which one family fails is refused: half of it might be left."""
    half = Answer("www.tld", (V4,), failed={Family.IPV6: SERVFAIL})
    assert refused("www.tld", dns={"www.tld": half}) == (
        f"www.tld: not in vip.toml, and AAAA: {SERVFAIL}; name it in vip.toml, or try again"
    )


def test_strange_address() -> None:
    """A name of which one address is not in vip.toml is refused, and names it."""
    answer = Answer("www.tld", (V4, STRANGE))
    assert refused("www.tld", dns={"www.tld": answer}) == (
        "www.tld: 203.0.113.9 not in vip.toml; add it there first"
    )


@pytest.mark.parametrize(
    "name", ["", "-", "a b", "x" * 300, "192.0.2.300", "192.0.2.1/24", "::1%lo"]
)
def test_no_name(name: str) -> None:
    """What is neither a name nor an address is refused, and never taken for something near it."""
    bad = BadNameError(f"name: {name!r}: bad")
    assert f"Unable to lookup {name}. Exiting.." in refused(name, dns={name: bad})
