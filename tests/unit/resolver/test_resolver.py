"""Proves what a name is taken to mean, against a DNS server that gives good and odd answers."""

from __future__ import annotations

import time
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaker.resolver import dns_client as dns_query
from speaker.resolver.resolver import (
    Answer,
    AnswerError,
    BadNameError,
    Family,
    LookupOutcome,
    Resolver,
    parse_name,
)
from tests.support.lab.dns import ABSENT, EMPTY, GARBAGE, SILENCE, DnsServer, Reply, records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

V4 = IPv4Address("192.0.2.1")
V6 = IPv6Address("2001:db8::1")
SERVFAIL = Reply(rcode="SERVFAIL")
REFUSED = Reply(rcode="REFUSED")
BOTH = {
    "vip-1.tld A": records("vip-1.tld. A 192.0.2.1"),
    "vip-1.tld AAAA": records("vip-1.tld. AAAA 2001:db8::1"),
}


def ask(script: Mapping[str, Reply], name: str = "vip-1.tld", timeout: float = 5.0) -> Answer:
    with DnsServer(script) as server:
        return Resolver(server.endpoint, timeout).lookup(name)


def test_both_families() -> None:
    """A name stands for all its A and AAAA."""
    answer = ask(BOTH)
    assert answer == Answer("vip-1.tld", (V4,), (V6,))
    assert answer.outcome is LookupOutcome.FOUND
    assert answer.addresses == (V4, V6)


@pytest.mark.parametrize("text", ["VIP-1.tld", "vip-1.tld.", "ViP-1.TLD."])
def test_case_and_final_dot(text: str) -> None:
    """Case and a final dot make no difference."""
    assert ask(BOTH, text).name == "vip-1.tld"
    assert ask(BOTH, text).addresses == (V4, V6)


def test_order() -> None:
    """Addresses come once each, sorted as numbers, whatever the order of the answer."""
    lines = [f"vip-1.tld. A 192.0.2.{last}" for last in (10, 9, 200, 9)]
    answer = ask({"vip-1.tld A": records(*lines), "vip-1.tld AAAA": EMPTY})
    assert [str(address) for address in answer.ipv4] == ["192.0.2.9", "192.0.2.10", "192.0.2.200"]


def test_absent() -> None:
    """NXDOMAIN in both families: the name does not exist."""
    assert ask({}) == Answer("vip-1.tld", exists=False)
    assert ask({}).outcome is LookupOutcome.ABSENT


@pytest.mark.parametrize("other", [EMPTY, ABSENT])
def test_empty(other: Reply) -> None:
    """NODATA in any family: the name exists, and has no addresses."""
    assert ask({"vip-1.tld A": EMPTY, "vip-1.tld AAAA": other}).outcome is LookupOutcome.EMPTY


def test_one_family_only() -> None:
    """A name with addresses of one family only is a whole answer."""
    answer = ask({"vip-1.tld A": BOTH["vip-1.tld A"], "vip-1.tld AAAA": EMPTY})
    assert answer.outcome is LookupOutcome.FOUND
    assert answer.addresses == (V4,)


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        (SERVFAIL, "SERVFAIL"),
        (REFUSED, "REFUSED"),
        (Reply(rcode="NOTIMP"), "NOTIMP"),
        (Reply(flags=""), "referral"),
        (SILENCE, "no answer"),
        (GARBAGE, "no answer"),
    ],
)
def test_one_family_fails(reply: Reply, word: str) -> None:
    """A family that fails is told apart from one without addresses, and says why."""
    for within in (0.3, 3, 30):  # a busy machine may not have got the other family's answer by then
        answer = ask({**BOTH, "vip-1.tld AAAA": reply}, timeout=within)
        if answer.outcome is not LookupOutcome.SILENT:
            break
    assert answer.outcome is LookupOutcome.PARTIAL
    assert answer.addresses == (V4,)
    assert list(answer.failed) == [Family.IPV6]
    assert answer.reason.startswith("AAAA: ")
    assert word in answer.reason


def test_one_family_fails_while_the_other_is_empty() -> None:
    """No addresses, of which one family is not known, is not `has no addresses`."""
    answer = ask({"vip-1.tld A": EMPTY, "vip-1.tld AAAA": SERVFAIL})
    assert answer.outcome is LookupOutcome.PARTIAL


@pytest.mark.parametrize("reply", [SERVFAIL, SILENCE, GARBAGE])
def test_both_fail(reply: Reply) -> None:
    """Where both families fail, DNS did not answer."""
    answer = ask({"vip-1.tld A": reply, "vip-1.tld AAAA": reply}, timeout=0.3)
    assert answer.outcome is LookupOutcome.SILENT
    assert set(answer.failed) == set(Family)


def test_nobody_listens() -> None:
    """A closed port says so at once; nothing waits for the time limit."""
    with DnsServer({}) as server:
        closed = server.endpoint
    started = time.monotonic()
    answer = Resolver(closed, 30).lookup("vip-1.tld")
    assert time.monotonic() - started < 10
    assert answer.outcome is LookupOutcome.SILENT
    assert "refused" in answer.reason


def test_time_limit() -> None:
    """The limit is for the whole call, however many questions are silent."""
    names = [f"vip-{number}.tld" for number in range(160)]
    script = {f"{name} {family}": SILENCE for name in names for family in Family}
    with DnsServer(script) as server:
        started = time.monotonic()
        answers = Resolver(server.endpoint, 0.5).lookup_all(names)
        assert time.monotonic() - started < 20
    assert len(answers) == 160
    assert all(
        isinstance(answer, Answer) and answer.outcome is LookupOutcome.SILENT
        for answer in answers.values()
    )


def test_a_lost_question_is_asked_again() -> None:
    """A server that was silent is asked again within the limit."""
    with DnsServer({"vip-1.tld A": SILENCE, "vip-1.tld AAAA": EMPTY}) as server:
        Resolver(server.endpoint, 0.3).lookup("vip-1.tld")
    assert server.asked.count("udp vip-1.tld A") >= 2


def test_truncated() -> None:
    """An answer too long for UDP is fetched over TCP."""
    lines = [f"vip-1.tld. A 198.51.100.{last}" for last in range(60)]
    long = Reply(tuple(lines), over_udp="truncate")
    with DnsServer({"vip-1.tld A": long, "vip-1.tld AAAA": EMPTY}) as server:
        answer = Resolver(server.endpoint, 5).lookup("vip-1.tld")
    assert len(answer.ipv4) == 60
    assert "tcp vip-1.tld A" in server.asked


def test_ipv6_server() -> None:
    """The server may be one with an IPv6 address."""
    with DnsServer(BOTH, host="::1") as server:
        assert Resolver(server.endpoint, 5).lookup("vip-1.tld").addresses == (V4, V6)


CHAIN = ("vip-1.tld. CNAME a.tld.", "a.tld. CNAME b.tld.")


def test_aliases() -> None:
    """A chain of CNAMEs is followed to its addresses."""
    answer = ask(
        {
            "vip-1.tld A": records(*CHAIN, "b.tld. A 192.0.2.1"),
            "vip-1.tld AAAA": records(*CHAIN, "b.tld. AAAA 2001:db8::1"),
        }
    )
    assert answer == Answer("vip-1.tld", (V4,), (V6,))


def test_aliases_out_of_the_zone() -> None:
    """A server that gives only the first part of a chain is asked for the rest."""
    first = Reply(("vip-1.tld. CNAME a.tld.",), flags="AA")
    answer = ask(
        {
            "vip-1.tld A": first,
            "vip-1.tld AAAA": first,
            "a.tld A": records("a.tld. A 192.0.2.1"),
            "a.tld AAAA": EMPTY,
        }
    )
    assert answer == Answer("vip-1.tld", (V4,))


@pytest.mark.parametrize(
    "script",
    [
        {"vip-1.tld": records(*CHAIN, "b.tld. CNAME a.tld.")},
        {"vip-1.tld": records("vip-1.tld. CNAME vip-1.tld.")},
        {"vip-1.tld": records("vip-1.tld. CNAME a.tld."), "a.tld": records(CHAIN[1], CHAIN[0])}
        | {"b.tld": records("b.tld. CNAME a.tld.")},
    ],
    ids=["in one answer", "to itself", "over several answers"],
)
def test_alias_loop(script: Mapping[str, Reply]) -> None:
    """CNAMEs that go round are an error, not a name without addresses."""
    with pytest.raises(AnswerError, match=r"^name: vip-1\.tld: an alias that leads back to"):
        ask({f"{name} {family}": reply for name, reply in script.items() for family in Family})


def test_endless_aliases() -> None:
    """A chain without an end in sight is an error."""
    chain = {f"n{number}.tld": f"n{number + 1}.tld." for number in range(100)}
    script = {
        f"{name} {family}": records(f"{name}. CNAME {target}")
        for name, target in chain.items()
        for family in Family
    }
    with pytest.raises(AnswerError, match="a chain of 16 aliases"):
        ask(script, "n0.tld")


@pytest.mark.parametrize("count", [64, 65, 1000])
def test_many_addresses(count: int) -> None:
    """Of more than 64 addresses none is taken: an answer of thousands is no name of one VIP."""
    addresses = [str(IPv4Address("198.18.0.0") + number) for number in range(count)]
    script = {
        "vip-1.tld A": records(*(f"vip-1.tld. A {address}" for address in addresses)),
        "vip-1.tld AAAA": EMPTY,
    }
    if count <= 64:
        assert [str(address) for address in ask(script).addresses] == addresses
        return
    with pytest.raises(AnswerError, match=f"^name: vip-1.tld: {count} records; at most 64"):
        ask(script)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(("vip-1.tld. CNAME gone.tld.",), rcode="NXDOMAIN"),
        Reply(("vip-1.tld. CNAME gone.tld.",), flags="AA"),
    ],
    ids=["said at once", "found by asking on"],
)
def test_dangling_alias(reply: Reply) -> None:
    """An alias of a name that does not exist is an error that names both."""
    with pytest.raises(
        AnswerError, match=r"^name: vip-1\.tld: an alias of gone\.tld, which does not exist"
    ):
        ask({"vip-1.tld A": reply, "vip-1.tld AAAA": reply})


def test_alias_without_addresses() -> None:
    """An alias of a name that exists without addresses is a name without addresses."""
    reply = records("vip-1.tld. CNAME a.tld.")
    answer = ask(
        {
            "vip-1.tld A": reply,
            "vip-1.tld AAAA": reply,
            "a.tld A": EMPTY,
            "a.tld AAAA": EMPTY,
        }
    )
    assert answer.outcome is LookupOutcome.EMPTY


def test_foreign_records() -> None:
    """Addresses of other names in an answer are nobody's."""
    answer = ask({"vip-1.tld A": records("other.tld. A 192.0.2.66"), "vip-1.tld AAAA": EMPTY})
    assert answer.outcome is LookupOutcome.EMPTY


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty label"),
        (".", "empty label"),
        ("vip..tld", "empty label"),
        (".vip.tld", "empty label"),
        ("vip.tld..", "empty label"),
        ("vip 1.tld", "letters, digits"),
        ("vip-1.tld\n", "letters, digits"),
        ("-d.tld", "letters, digits"),
        ("vip;1.tld", "letters, digits"),
        ("vïp.tld", "xn--"),
        ("a" * 64 + ".tld", "63"),
        (".".join(["a" * 60] * 5), "253"),
        ("192.0.2.999", "number"),
        ("192.0.2.1/33", "letters, digits"),
    ],
)
def test_bad_names(text: str, word: str) -> None:
    """A text that is no name is refused before anyone is asked."""
    with DnsServer({}) as server, pytest.raises(BadNameError, match=word):
        Resolver(server.endpoint).lookup(text)
    assert server.asked == []


@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    """Any text is a name or is refused with the one error; a name parses to itself."""
    try:
        name = parse_name(text)
    except BadNameError:
        return
    assert parse_name(name) == name


def resolv_conf(path: Path, *lines: str) -> str:
    file = path / "resolv.conf"
    file.write_text("\n".join(lines) + "\n")
    return str(file)


@pytest.mark.parametrize("lines", [(), ("search tld",)])
def test_no_server(tmp_path: Path, lines: tuple[str, ...]) -> None:
    """Without a name server DNS does not answer, and the reason names the file."""
    path = resolv_conf(tmp_path, *lines)
    answer = Resolver(resolv_conf=path).lookup("vip-1.tld")
    assert answer.outcome is LookupOutcome.SILENT
    assert path in answer.reason


def test_system(tmp_path: Path) -> None:
    """The system's servers and search domains are those of resolv.conf; the last `search` counts."""
    path = resolv_conf(
        tmp_path,
        "domain old.tld",
        "search a.tld b.tld",
        "nameserver 192.0.2.53",
        "nameserver 2001:db8::53",
    )
    assert dns_query.system(path) == dns_query.Client(
        ((IPv4Address("192.0.2.53"), 53), (IPv6Address("2001:db8::53"), 53)), ("a.tld", "b.tld")
    )


SEARCH = ("a.tld", "b.tld")


def ask_short(script: Mapping[str, Reply], name: str = "vip") -> tuple[Answer, list[str]]:
    with DnsServer(script) as server:
        answer = Resolver(server.endpoint, 5, search=SEARCH).lookup(name)
    return answer, sorted({question.split()[1] for question in server.asked})


def in_zone(name: str, reply: Reply) -> dict[str, Reply]:
    return {f"{name} A": reply, f"{name} AAAA": EMPTY}


def test_short_name_as_it_is() -> None:
    """A name without a dot that has addresses is taken as it is."""
    script = in_zone("vip", records("vip. A 192.0.2.1"))
    script |= in_zone("vip.a.tld", records("vip.a.tld. A 192.0.2.2"))
    answer, asked = ask_short(script)
    assert answer == Answer("vip", (V4,))
    assert asked == ["vip"]


@pytest.mark.parametrize("plain", [ABSENT, EMPTY, SERVFAIL])
def test_short_name_in_a_search_domain(plain: Reply) -> None:
    """A name without a dot, and without addresses, is found in the first search domain that has it.

    A failure of the plain name does not count: many resolvers refuse names without a dot.
    """
    script = {"vip A": plain, "vip AAAA": plain}
    script |= in_zone("vip.b.tld", records("vip.b.tld. A 192.0.2.1"))
    answer, asked = ask_short(script)
    assert answer == Answer("vip.b.tld", (V4,))
    assert asked == ["vip", "vip.a.tld", "vip.b.tld"]


def test_short_name_stops_at_a_failure() -> None:
    """Where a search domain fails, the next one is not taken in its place."""
    script = in_zone("vip.a.tld", SERVFAIL)
    script |= in_zone("vip.b.tld", records("vip.b.tld. A 192.0.2.1"))
    answer, asked = ask_short(script)
    assert answer.outcome is LookupOutcome.PARTIAL
    assert answer.name == "vip.a.tld"
    assert asked == ["vip", "vip.a.tld"]


def test_short_name_nowhere() -> None:
    """A name without a dot that is nowhere is absent under the name that was asked for."""
    assert ask_short({})[0] == Answer("vip", exists=False)


@pytest.mark.parametrize("name", ["vip.", "vip.tld"])
def test_no_search(name: str) -> None:
    """A name with a dot, or a final dot, is looked up in no search domain."""
    answer, asked = ask_short({}, name)
    assert answer.outcome is LookupOutcome.ABSENT
    assert asked == [name.removesuffix(".")]


def test_what_is_known() -> None:
    """What is known of a name already is taken for it, and not asked again."""
    with DnsServer(BOTH) as server:
        resolver = Resolver(server.endpoint, 5)
        known = resolver.lookup_all(["vip-1.tld"])
        server.asked.clear()
        found = resolver.lookup_all(["vip-1.tld", "gone.tld"], known)
        assert {each.split()[1] for each in server.asked} == {"gone.tld"}
    assert found["vip-1.tld"] is known["vip-1.tld"]


def test_many_names() -> None:
    """Names are looked up each for itself: one error leaves the others their answers."""
    with DnsServer(BOTH) as server:
        found = Resolver(server.endpoint, 5).lookup_all(["vip-1.tld", "no name", "gone.tld"])
    first, bad, absent = found.values()
    assert isinstance(first, Answer)
    assert first.addresses == (V4, V6)
    assert isinstance(bad, BadNameError)
    assert isinstance(absent, Answer)
    assert absent.outcome is LookupOutcome.ABSENT
