"""What is stored in etcd: each key and value comes back as it was; anything else is refused by its own error."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.route import parse_prefix
from policy.site_intent import EVERYWHERE, Extent
from speaker.site.keys import KeyKind, KeyTextError, SiteKey, intent_key, parse_key
from speaker.site.told import (
    ANY,
    MAX_DIFFERING,
    MAX_VALUE,
    MachineTold,
    ObeysTold,
    StateTold,
    ToldError,
    ToldValue,
    parse_told,
)

PRINTABLE = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1)
DCS = PRINTABLE.map(lambda text: text[:64]) | st.sampled_from(["par1", "a/b", "%2F", "par 1", "é"])
MACHINES = st.from_regex(r"[A-Za-z0-9_.:-]{1,64}", fullmatch=True)
PREFIXES = st.ip_addresses().map(lambda address: parse_prefix(str(address))) | st.sampled_from(
    [parse_prefix("192.0.2.0/24"), parse_prefix("2001:db8::/48")]
)
HERE = st.builds(Extent, DCS, MACHINES)
KEYS = (
    st.builds(intent_key, st.just(EVERYWHERE) | st.builds(Extent, DCS) | HERE, PREFIXES)
    | st.builds(SiteKey, st.just(KeyKind.STATE), HERE, PREFIXES)
    | st.builds(SiteKey, st.sampled_from([KeyKind.MACHINE, KeyKind.OBEYS]), HERE)
)
TEXTS = PRINTABLE.map(lambda text: text[:200])
TOLD = (
    st.builds(
        MachineTold,
        version=TEXTS,
        config=TEXTS,
        wall=st.floats(0, 1e11),
        backend=TEXTS,
        process=TEXTS,
    )
    | st.builds(
        ObeysTold,
        revision=st.integers(0, 2**63 - 1),
        differs=st.dictionaries(PREFIXES.map(str) | st.just(ANY), TEXTS, max_size=5),
        unsent=st.dictionaries(PREFIXES.map(str) | st.just(ANY), TEXTS, max_size=5),
    )
    | st.builds(
        StateTold,
        announced=st.booleans() | st.none(),
        as_path=st.sampled_from(["", "64699 64699"]),
        health=TEXTS,
        intent=TEXTS,
    )
)


@given(KEYS)
def test_a_key_comes_back(key: SiteKey) -> None:
    """Each key has one text, which is read as that key; a data centre may have any name."""
    assert parse_key(str(key)) == key
    assert str(key).isascii()
    assert str(key).isprintable()


@given(KEYS, KEYS)
def test_keys_are_told_apart(one: SiteKey, other: SiteKey) -> None:
    """No two keys have one text."""
    assert (str(one) == str(other)) == (one == other)


BROKEN = st.builds(lambda text, at: f"{text[:at]}/{text[at:]}", KEYS.map(str), st.integers(0, 40))


@given(st.text() | BROKEN)
@example("intent/site/192.0.2.1/32/")
@example("intent/site/192.0.2.1")
@example("intent/dc//192.0.2.1/32")
@example("intent/dc/%ff/192.0.2.1/32")
@example("intent/dc/p%61r1/192.0.2.1/32")
@example("intent/site/2001:DB8::1/128")
@example("state/192.0.2.1/32/par1/l b")
@example("machine/par1/" + "x" * 65)
@example("obeys/par1")
@example("machine/" + "x" * 2000 + "/lb1")
def test_no_key(text: str) -> None:
    """Whatever is not the very text of a key is refused, or another's; nothing else comes of it."""
    found, refusal = None, ""
    try:
        found = parse_key(text)
    except KeyTextError as error:
        refusal = str(error)
    assert refusal.isprintable()
    assert found is None or str(found) == text


@given(TOLD)
def test_a_value_comes_back(told: ToldValue) -> None:
    """Each value has a JSON text, which is read as that value."""
    assert parse_told(type(told), told.text()) == told


@given(
    st.sampled_from([MachineTold, ObeysTold, StateTold]),
    st.binary() | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(
            st.sampled_from("v version config wall announced revision differs health".split()) | st.text(), inner
        ),
    ).map(lambda value: json.dumps(value).encode()),
)  # fmt: skip
def test_any_bytes(form: type[ToldValue], text: bytes) -> None:
    """Any bytes are a value of that form, or refused by one line."""
    refusal, found = "", None
    try:
        found = parse_told(form, text)
    except ToldError as error:
        refusal = str(error)
    assert refusal.isprintable()
    assert bool(refusal) == (found is None)
    assert found is None or type(found) is form


@pytest.mark.parametrize(
    ("form", "text", "said"),
    [
        (ObeysTold, '{"v":2,"revision":1}', "update this machine"),
        (ObeysTold, '{"v":1,"revision":-1}', "revision"),
        (ObeysTold, '{"v":1,"revision":1,"differs":{"x":"y"}}', "prefix"),
        (ObeysTold, '{"v":1,"revision":1,"differs":{"192.0.2.1":"y"}}', "no prefix as it is"),
        (StateTold, '{"v":1,"announced":1}', "announced"),
        (StateTold, '{"v":1}', "announced"),
        (StateTold, '{"v":1,"announced":true,"health":"\\u001b[2J"}', "printable"),
        (StateTold, '{"v":1,"announced":true,"health":"%s"}' % ("x" * 201), "200"),
        (MachineTold, '{"v":1,"version":"1","config":"","wall":NaN}', "wall"),
        (MachineTold, '{"v":1,"version":"1","config":"","wall":1e99}', "wall"),
        (StateTold, "[" * 100_000, "JSON"),
        (StateTold, " " * (MAX_VALUE + 1), "at most"),
        (
            ObeysTold,
            json.dumps(
                {
                    "v": 1,
                    "revision": 1,
                    "differs": {
                        f"192.0.{n >> 8}.{n & 255}/32": "" for n in range(MAX_DIFFERING + 1)
                    },
                }
            ),
            "differs",
        ),
    ],
)
def test_bounds(form: type[ToldValue], text: str, said: str) -> None:
    """What is too long, too much, or of a newer program is refused, with why."""
    with pytest.raises(ToldError, match=said):
        parse_told(form, text.encode())
