"""The keys prefer, only and order: who announces an address, and what is said where they make no sense."""

from __future__ import annotations

import pytest

from policy.order import Order
from policy.route import Asn
from tests.unit.config.test_load import faults, load

HEAD = """
[node]
dc = "par1"
[dc.par1]
asn = 64699
[dc.lyo1]
asn = 64699
[dc.nrt1]
asn = "1.10"
"""
VIP = """
[vip."vip-1.tld"]
addresses = ["192.0.2.1", "192.0.2.2"]
"""


def chosen(text: str) -> list[tuple[tuple[str, ...], bool]]:
    return [(address.prefer, address.equal) for _, address in load(HEAD + text).topology]


def test_as_numbers() -> None:
    """An AS number is a number, or a text in either notation of RFC 5396; it is shown plain."""
    assert [dc.asn for dc in load(HEAD).topology.dcs] == [64699, 64699, Asn(65546)]
    assert str(load(HEAD).topology.dcs[2].asn) == "65546"


ALL = ("par1", "lyo1", "nrt1")


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ('prefer = "equal"', [(ALL, True)] * 2),
        ('prefer = "equal"\nonly = ["lyo1", "par1"]', [(("par1", "lyo1"), True)] * 2),
        ('prefer = ["lyo1", "par1"]\nonly = true', [(("lyo1", "par1"), False)] * 2),
        ('prefer = ["lyo1", "par1"]\nonly = ["par1", "lyo1"]', [(("lyo1", "par1"), False)] * 2),
        ('prefer = ["nrt1"]\nonly = true', [(("nrt1",), False)] * 2),
        ('only = ["par1", "nrt1"]', [(("par1", "nrt1"), False), (("nrt1", "par1"), False)]),
        ('prefer = ["lyo1", "par1", "nrt1"]\nonly = true', [(("lyo1", "par1", "nrt1"), False)] * 2),
    ],
)
def test_who_announces(keys: str, wanted: list[tuple[tuple[str, ...], bool]]) -> None:
    """Who announces an address, in which order, and whether all of them do so alike."""
    assert chosen(VIP + keys) == wanted


def test_addresses_of_their_own() -> None:
    """What an address leaves out is its VIP's; what it says is its own."""
    found = chosen(
        '[vip."a.tld"]\nprefer = "equal"\nonly = ["par1", "lyo1"]\naddresses = ["192.0.2.1", '
        '{ ip = "192.0.2.2", prefer = ["lyo1", "par1"] }, { ip = "192.0.2.3", only = false }, '
        '{ ip = "192.0.2.4", prefer = ["nrt1"], only = true }]'
    )
    assert found == [
        (("par1", "lyo1"), True),
        (("lyo1", "par1"), False),
        (ALL, True),
        (("nrt1",), False),
    ]


@pytest.mark.parametrize("prefer", ["spread", "auto"])
def test_words_among_some(prefer: str) -> None:
    """`spread` and `auto` keep to the data centres of `only`."""
    found = chosen(VIP + f'prefer = "{prefer}"\nonly = ["par1", "lyo1"]')
    assert all(sorted(names) == ["lyo1", "par1"] and not equal for names, equal in found)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('prefer = ["par1", "lyo1"]', "nrt1 is left out; add it, or write only = true"),
        ('prefer = "equal"\nonly = true', ".only: true goes with a list of prefer"),
        ('prefer = ["par1"]\nonly = ["par1", "lyo1"]', ".prefer: ['par1'] must name each of only"),
        ("only = []", ".only: [] must name some of"),
        ("prefer = []\nonly = true", ".prefer: [] must name some of"),
        ('only = ["par1", "par1"]', ".only: ['par1', 'par1'] must name some of"),
        ('only = ["fra1"]', ".only: ['fra1'] must name some of"),
        ('only = "par1"', ".only: 'par1' is neither true, false nor a list"),
        ("only = 1", ".only: 1 is neither true, false nor a list"),
        ('order = "age"', ".order: "),
    ],
)
def test_what_makes_no_sense(keys: str, said: str) -> None:
    """Each is one fault, with the key's path and what to do."""
    (found,) = faults(HEAD + VIP + keys)
    assert said in found
    assert 'vip."vip-1.tld"' in found


PROFILES = (
    '[policy]\nranks = ["a", "b", "c"]\norder = "{order}"\n'
    "[profile.a]\nprepends = {a}\n[profile.b]\nprepends = {b}\n[profile.c]\nprepends = {c}\n"
)
SAME = {"a": "1\nmed = 1", "b": "1\nmed = 2", "c": "1\nmed = 3"}
WORDS = {
    "a": '1\ncommunities = ["64699:1"]',
    "b": '1\ncommunities = ["64699:2"]',
    "c": "1",
}


@pytest.mark.parametrize(
    ("order", "ranks", "said"),
    [
        ("prepends", SAME, "prepends by rank are [1, 1, 1]"),
        ("med", SAME, ""),
        ("med", WORDS, "MED by rank is 0 (prepends 1, igp), 0"),
        ("med", {**SAME, "c": "0\nmed = 4"}, "MED by rank is"),
        ("community", WORDS, ""),
        ("community", SAME, "communities by rank are [], [], []"),
        ("community", {**WORDS, "c": WORDS["a"]}, "[64699:1], [64699:2], [64699:1]"),
        ("none", {"a": "1", "b": "1", "c": "0"}, ""),
    ],
)
def test_what_orders_ranks(order: str, ranks: dict[str, str], said: str) -> None:
    """What orders the ranks has to part them: prepends, MED after what decides before it, or communities."""
    text = HEAD + PROFILES.format(order=order, **ranks) + VIP
    if said:
        (found,) = faults(text)
        assert said in found
    else:
        assert {vip.order for vip in load(text).topology.vips} == {Order(order)}
    assert load(text, allow_ties=True).topology.vips


def test_an_order_of_its_own() -> None:
    """A VIP may be ordered by something else than the site; the ranks are checked for that."""
    vip = VIP.replace("vip-1", "vip-2").replace("192.0.2", "198.51.100") + 'order = "prepends"'
    text = HEAD + PROFILES.format(order="med", **SAME) + VIP
    assert [v.order for v in load(text).topology.vips] == [Order.MED]
    assert "prepends by rank are [1, 1, 1]" in faults(text + vip)[0]


@pytest.mark.parametrize(
    ("keys", "count", "fine"),
    [
        ('prefer = "equal"', 1, True),
        ('prefer = ["par1", "lyo1"]\nonly = true', 2, True),
        ('prefer = ["par1", "lyo1"]\nonly = true', 1, False),
        ('prefer = "spread"', 2, False),
    ],
)
def test_ranks_are_for_those_who_announce(keys: str, count: int, *, fine: bool) -> None:
    """As many ranks are needed as data centres announce an address; equal ones need one."""
    text = HEAD + f"[policy]\nprepends = {[*range(count)]}\n" + VIP + keys
    if fine:
        assert load(text).topology.vips
    else:
        assert f"policy.prepends: {count} rank" in faults(text)[0]


@pytest.mark.parametrize("text", ["1.65536", "65536.0", "0.0", "1.", ".1", "1.1.1", "1,1", "-1"])
def test_no_as_numbers(text: str) -> None:
    """Halves are 16 bits each, and there are two; 0 is none."""
    (found,) = faults(HEAD.replace('"1.10"', f'"{text}"'))
    assert "dc.nrt1.asn: " in found
