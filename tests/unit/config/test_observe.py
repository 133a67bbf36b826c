"""[metrics] and [events]: off unless set; what makes no sense is a fault, and no secret is shown."""

from __future__ import annotations

from ipaddress import IPv6Address
from pathlib import Path

import pytest

from speaker.config import ConfigError
from speaker.config.settings import EventsSettings, MetricsSettings
from tests.unit.config.test_load import HEAD, load


def test_off_unless_set() -> None:
    """Nothing is served, written or sent where the file does not say so."""
    settings = load(HEAD).settings
    assert (settings.metrics, settings.events) == (MetricsSettings(), EventsSettings())


def test_what_they_mean() -> None:
    """Each key has its value; names of hosts are read without regard to case."""
    settings = load(
        HEAD
        + '[metrics]\nlisten = "[2001:db8::1]:9180"\nhosts = ["LB1.tld"]\ntextfile = "/var/x.prom"\n'
        + '[events]\nwebhook = "https://hook.tld/a?token=b"\nexec = ["/usr/bin/tell", "now"]\n'
    ).settings
    assert settings.metrics == MetricsSettings(
        (IPv6Address("2001:db8::1"), 9180), frozenset({"lb1.tld"}), Path("/var/x.prom")
    )
    assert settings.events == EventsSettings("https://hook.tld/a?token=b", ("/usr/bin/tell", "now"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[metrics]\nlisten = "9180"', "metrics.listen: '9180' is not an address and port"),
        ('[metrics]\nhosts = ["https://a"]', "metrics.hosts[0]: 'https://a' is not a host name"),
        ('[metrics]\ntextfile = "x.prom"', "metrics.textfile: 'x.prom' is not absolute"),
        ('[metrics]\ntextfile = "/x.txt"', "metrics.textfile: '/x.txt' does not end with .prom"),
        ('[events]\nexec = ["tell"]', "events.exec[0]: 'tell' is not absolute"),
        ('[events]\nexec = ["/bin/a", "\\u0000"]', "events.exec: a word has a NUL"),
        (f"[events]\nexec = {['/bin/a'] * 65}", "events.exec: more than 64 words"),
        ('[events]\nwebhook = "ftp://S3CRET/"', "events.webhook: not a URL that events"),
        ('[events]\nwebhook = "https:///S3CRET"', "events.webhook: not a URL that events"),
        ('[events]\nwebhook = "https://a:0/S3CRET"', "events.webhook: not a URL that events"),
        ('[events]\nwebhook = "https://a:x/S3CRET"', "events.webhook: not a URL that events"),
        ('[events]\nwebhook = "https://u:S3CRET@a/"', "events.webhook: a URL with a user"),
        ('[events]\nwebhook = "https://a/S3CRET b"', "events.webhook: a URL has printable"),
    ],
)
def test_fault(text: str, fault: str) -> None:
    """What makes no sense is a fault at its key, and a webhook's URL is not shown in it."""
    with pytest.raises(ConfigError) as caught:
        load(f"{HEAD}{text}\n")
    assert fault in str(caught.value)
    assert len(caught.value.faults) == 1
    assert "S3CRET" not in str(caught.value)
