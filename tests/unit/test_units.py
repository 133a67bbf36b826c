"""The units that a person writes in vip.toml and on the command line."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from speaker import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("0s", 0.0),
        ("5s", 5.0),
        ("1.5s", 1.5),
        ("10m", 600.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """A duration is a number with one of five units."""
    assert units.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "5", "s", "-1s", "5 s", "5S", "1e3s", "5s\n", "1h30m", ".5s", "٣s", "inf s", 5, None],
)
def test_no_durations(text: object) -> None:
    """A duration without a unit, with a sign, or of two parts is refused, with an example."""
    with pytest.raises(ValueError, match=r'is not a duration; write it like "250ms"'):
        units.duration(text)


@pytest.mark.parametrize(
    ("text", "share"), [("0%", 0.0), ("50%", 0.5), ("12.5%", 0.125), ("100%", 1.0)]
)
def test_shares(text: str, share: float) -> None:
    """A share is a percentage."""
    assert units.share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "50", "101%", "-1%", "50 %", "100.1%", 0.5, None])
def test_no_shares(text: object) -> None:
    """A share without its sign, or beyond all, is refused."""
    with pytest.raises(ValueError, match="is not a share"):
        units.share(text)


@pytest.mark.parametrize("text", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"])
def test_addresses(text: str) -> None:
    """Both families are addresses."""
    assert units.address(text) == ip_address(text)


@pytest.mark.parametrize(
    "text", ["", "x/32", "192.0.2.01", "fe80::1%eth0", "vip-1.tld", "3221225985", 1, None]
)
def test_no_addresses(text: object) -> None:
    """Zones, prefixes, names and bare numbers are no addresses."""
    with pytest.raises(ValueError, match="is not an address"):
        units.address(text)


@pytest.mark.parametrize(
    ("text", "host"), [("192.0.2.1/32", "192.0.2.1"), ("2001:DB8::/128", "2001:db8::")]
)
def test_a_prefix_is_no_address(text: str, host: str) -> None:
    """A prefix where an address is asked for is refused with the address to write."""
    with pytest.raises(ValueError, match=f'is a prefix; write its address alone: "{host}"$'):
        units.address(text)


def test_a_wider_prefix() -> None:
    """A wider one is not made another thing: a VIP's is written as a table, and any other is one address."""
    with pytest.raises(ValueError, match=r"is a prefix; write one address, without /$"):
        units.address("192.0.2.0/24")
    for text, table in [
        ("192.0.2.0/24", '{ ip = "192.0.2.0", prefix_length = 24 }'),
        ("192.0.2.1/24", '{ ip = "192.0.2.0", prefix_length = 24 }'),
        ("2001:db8::/64", '{ ip = "2001:db8::", prefix_length = 64 }'),
    ]:
        with pytest.raises(ValueError, match=f"is a prefix; write it as a table: {table}$"):
            units.announced(text)
    with pytest.raises(ValueError, match=r'write its address alone: "192.0.2.1"$'):
        units.announced("192.0.2.1/32")


@given(st.ip_addresses(), st.integers(1, 65535))
def test_endpoints(address: units.IpAddress, port: int) -> None:
    """An address and port parse back; IPv6 is in brackets."""
    host = f"[{address}]" if address.version == 6 else str(address)
    assert units.endpoint(f"{host}:{port}") == (address, port)


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.1",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "2001:db8::1:80",
        "[192.0.2.1:80",
        "a:1",
        ":80",
    ],
)
def test_no_endpoints(text: str) -> None:
    """Without a port, or IPv6 without brackets, it is refused."""
    with pytest.raises(ValueError, match="is not an address"):
        units.endpoint(text)


@given(st.one_of(st.text(), st.text("0123456789.:%[]smhd", max_size=20), st.none(), st.integers()))
@example("9" * 5000 + "s")
@example("[::]:1")
def test_any_text(text: object) -> None:
    """Whatever is written gives a value or a ValueError."""
    for parse in (units.duration, units.share, units.address, units.endpoint):
        with suppress(ValueError):
            parse(text)
