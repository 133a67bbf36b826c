"""Owns what the transcripts were recorded from: four network lines, and two route-maps."""

import pytest

from policy.route import Asn, AsPath, Attributes, Prefix, Route, parse_prefix
from speaker.backends.quagga.route_map import RunningRouteMap
from speaker.backends.quagga.running_config import Running, parse_running
from tests.golden.transcript import DIALECTS, Transcript

ASN = Asn(64699)
OLD, QUAGGA, *FRRS = DIALECTS
FRR = FRRS[0]
P1, P2 = parse_prefix("192.0.2.1/32"), parse_prefix("192.0.2.2/32")
Q1, Q2 = parse_prefix("2001:db8::1/128"), parse_prefix("2001:db8::2/128")
RUNNING = "show running-config"
TABLE4, TABLE6 = "show bgp ipv4 unicast", "show bgp ipv6 unicast"
BGP1 = RunningRouteMap("BGP1", ("set as-path prepend 64699",))
BGP2 = RunningRouteMap("BGP2", ("set as-path prepend 64699 64699",))
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)


def said(dialect: str, name: str, command: str, time: int = 0) -> list[str]:
    return Transcript.load(dialect, name).said(command, time=time).stdout.splitlines()


def running(dialect: str) -> Running:
    return parse_running(said(dialect, "05", RUNNING))


def route(prefix: Prefix, prepends: int) -> Route:
    return Route(prefix, Attributes(AsPath.originated(ASN, prepends), 0))
