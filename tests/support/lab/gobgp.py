"""Owns GoBGP as a far peer: its configuration, its command line, its routes in the lab's words."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tests.support.lab.eventually import eventually
from tests.support.lab.netns import Namespace
from tests.support.lab.session import BOTH, Family, SeenRoute, Session

_ORIGIN, _AS_PATH, _NEXT_HOP, _MED, _COMMUNITIES, _MP_REACH, _EXTENDED, _LARGE = (
    1,
    2,
    3,
    4,
    8,
    14,
    16,
    32,
)
_ORIGINS = ("igp", "egp", "incomplete")
_SUBTYPES = {2: "rt", 3: "soo"}
_ESTABLISHED = 6


class GoBgp:
    """A gobgpd that accepts sessions and keeps all that it is sent."""

    def __init__(
        self, host: Namespace, sessions: Sequence[Session], *, router_id: str = "203.0.113.253"
    ) -> None:
        """Start it and wait until it can be asked.

        Args:
            host: where it runs.
            sessions: as GoBGP's side sees them, all with the same local AS.
            router_id: its BGP identifier.
        """
        self._host = host
        self._sessions = sessions
        self._socket = host.directory / "gobgp.sock"
        config = host.directory / "gobgpd.toml"
        config.write_text(_config(sessions, router_id))
        argv = [
            "gobgpd",
            "-t",
            "toml",
            "-f",
            str(config),
            f"--api-hosts=unix://{self._socket}",
            "--pprof-disable",
        ]
        self.process = host.spawn(argv, log="gobgpd.log")
        self.process.ready(self._socket.exists, "the API socket")

    def routes(self, neighbor: str | None = None) -> dict[str, SeenRoute]:
        """Return the routes by prefix: those of one neighbour, or the best ones."""
        what = ["neighbor", neighbor, "adj-in"] if neighbor else ["global", "rib"]
        families = BOTH if neighbor is None else self._families(neighbor)
        tables = (self._ask(*what, "-a", family) for family in families)
        return {route.prefix: route for table in tables for route in _routes(table)}

    def candidates(self) -> dict[str, list[SeenRoute]]:
        """Return all routes by prefix, the selected one first."""
        found: dict[str, list[SeenRoute]] = {}
        for family in BOTH:
            for prefix, paths in self._ask("global", "rib", "-a", family).items():
                ordered = sorted(paths, key=lambda path: not path["best"])
                found[prefix] = [_route(prefix, path["attrs"]) for path in ordered]
        return {prefix: routes for prefix, routes in found.items() if routes}

    def best(self, prefix: str) -> SeenRoute | None:
        """Return the selected route of a prefix."""
        return self.routes().get(prefix)

    def sessions(self) -> dict[str, bool]:
        """Return by neighbour address whether the session is established."""
        return {
            peer["state"]["neighbor_address"]: peer["state"].get("session_state") == _ESTABLISHED
            for peer in self._ask("neighbor")
        }

    def count(self) -> int:
        """Return the number of prefixes, cheaply."""
        return sum(len(self._ask("global", "rib", "-a", family)) for family in BOTH)

    def restart_session(self, neighbor: str) -> None:
        """Drop a session, to be taken up again after GoBGP's own hold-off of some 5 s."""
        # Its `reset` would hold off for 30 s, whatever the configuration says.
        self.disable(neighbor)
        self.enable(neighbor)

    def disable(self, neighbor: str) -> None:
        """Drop a session, and refuse it until it is enabled."""
        self._run("neighbor", neighbor, "disable")

    def enable(self, neighbor: str) -> None:
        """Accept a session again."""
        self._run("neighbor", neighbor, "enable")

    def wait_for_sessions(self, within: float = 15) -> None:
        """Wait until every session is established."""
        eventually(
            self.sessions,
            until=lambda seen: all(seen.values()),
            within=within,
            what="every session established",
        )

    def _families(self, neighbor: str) -> tuple[Family, ...]:
        return next(session.families for session in self._sessions if session.remote == neighbor)

    def _run(self, *argv: str) -> str:
        return self._host.run("gobgp", "--target", f"unix://{self._socket}", *argv)

    def _ask(self, *argv: str) -> Any:  # JSON
        return json.loads(self._run("-j", *argv) or "[]")


def _routes(table: dict[str, list[dict[str, Any]]]) -> Iterator[SeenRoute]:
    for prefix, paths in table.items():
        if not paths:  # it is just being withdrawn
            continue
        best = next((path for path in paths if path["best"]), paths[0])
        yield _route(prefix, best["attrs"])


def _route(prefix: str, attributes: list[dict[str, Any]]) -> SeenRoute:
    by_type = {attribute["type"]: attribute for attribute in attributes}
    as_paths = by_type[_AS_PATH]["as_paths"]
    reached = by_type.get(_NEXT_HOP) or by_type[_MP_REACH]
    communities = by_type.get(_COMMUNITIES, {"communities": []})["communities"]
    extended = by_type.get(_EXTENDED, {"value": []})["value"]
    large = by_type.get(_LARGE, {"value": []})["value"]
    return SeenRoute(
        prefix=prefix,
        as_path=tuple(asn for segment in as_paths for asn in segment["asns"]),
        next_hop=reached["nexthop"],
        med=by_type.get(_MED, {"metric": None})["metric"],
        origin=_ORIGINS[by_type[_ORIGIN]["value"]],
        communities=frozenset(f"{value >> 16}:{value & 0xFFFF}" for value in communities),
        large_communities=frozenset(
            f"{c['ASN']}:{c['LocalData1']}:{c['LocalData2']}" for c in large
        ),
        extended_communities=frozenset(
            f"{_SUBTYPES[c['subtype']]}:{_asplain(c['value'])}"
            for c in extended
            if c["subtype"] in _SUBTYPES
        ),
    )


def _asplain(text: str) -> str:
    """Return an extended community's value with its AS number plain: GoBGP shows long ones in halves."""
    own, _, number = text.partition(":")
    match own.split("."):
        case [high, low]:
            own = str((int(high) << 16) + int(low))
    return f"{own}:{number}"


def _config(sessions: Sequence[Session], router_id: str) -> str:
    blocks = [f'[global.config]\nas = {sessions[0].local_asn}\nrouter-id = "{router_id}"']
    for session in sessions:
        families = "".join(
            f'\n[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "{family}-unicast"'
            for family in session.families
        )
        blocks.append(f"""\
[[neighbors]]
[neighbors.config]
neighbor-address = "{session.remote}"
peer-as = {session.remote_asn}
[neighbors.transport.config]
passive-mode = true
local-address = "{session.local}"
[neighbors.timers.config]
hold-time = 30
keepalive-interval = 10
connect-retry = 1{families}""")
    return "\n".join(blocks) + "\n"
