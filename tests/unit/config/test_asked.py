"""What a check asks, in words: enough to ask it by hand, and nothing that may be secret."""

from __future__ import annotations

import pytest

from policy.explain import About, Line
from speaker.config.settings_checks import (
    CheckSettings,
    DnsCheck,
    ExecCheck,
    GrpcCheck,
    HttpCheck,
    JsonValue,
)
from speaker.reconcile.explain import asked

HEADERS = (("Authorization", "Bearer secret"),)


@pytest.mark.parametrize(
    ("asks", "words"),
    [
        (HttpCheck("https://{address}/health?key=secret", headers=HEADERS), "GET https://{address}/health, expects 200-299"),
        (
            HttpCheck("http://192.0.2.9/", "HEAD", host="shop.tld", statuses=((200, 200), (300, 302)), body="secret"),
            "HEAD http://192.0.2.9/ as shop.tld, expects 200, 300-302 and a body",
        ),
        (HttpCheck("http://192.0.2.9/", json=JsonValue(("a",), "secret")), "GET http://192.0.2.9/, expects 200-299 and a body"),
        (GrpcCheck("https://192.0.2.9:50051", "shop.Cart", "shop.tld"), "gRPC https://192.0.2.9:50051 as shop.tld, shop.Cart"),
        (GrpcCheck("http://192.0.2.9:50051"), "gRPC http://192.0.2.9:50051, the whole server"),
        (ExecCheck(("/usr/lib/nagios/plugins/check_http", "-a", "ann:secret")), "the program /usr/lib/nagios/plugins/check_http"),
        (DnsCheck("{address}:53", "www.example.org", answer=("192.0.2.80", "192.0.2.81")), "{address}:53 for www.example.org A, expects 192.0.2.80 or 192.0.2.81"),
        (DnsCheck("{address}:53", "example.org", "SOA"), "{address}:53 for example.org SOA"),
    ],
)  # fmt: skip
def test_in_words(asks: HttpCheck | GrpcCheck | ExecCheck | DnsCheck, words: str) -> None:
    """Each kind, as `explain` has it behind what the check says."""
    assert str(asks) == words
    check = CheckSettings("shop", asks, interval=5.0, timeout=0.5)
    line = asked(Line(About.SOURCE, "check/shop: up for 3m: HTTP 200"), {"shop": check})
    assert line.text == (
        f"check/shop: up for 3m: HTTP 200; it asks {words}, every 5s, 0.5s for an answer"
    )
    assert "secret" not in line.text


def test_what_is_no_check() -> None:
    """A report of that name, and a service, ask nothing."""
    check = CheckSettings("shop", DnsCheck("192.0.2.9:53", "example.org"))
    for line in (Line(About.SOURCE, "report/shop: up"), Line(About.SERVICE, "check/shop: up")):
        assert asked(line, {"shop": check}) == line
