"""Owns BIRD as a far peer: its configuration, its control socket, its routes in the lab's words."""

import json
import re
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path

from tests.support.lab.eventually import eventually
from tests.support.lab.netns import Namespace
from tests.support.lab.session import SeenRoute, Session

_ROUTE, _ATTRIBUTES = 1007, 1012  # codes of the control protocol's lines
_PROTOCOL = 1002
_COUNT = 14
_NUMBERS = re.compile(r"\d+")
_TUPLE = re.compile(r"\(([^)]*)\)")


class Bird:
    """A BIRD 2 that accepts sessions and keeps all that it is sent."""

    def __init__(
        self,
        host: Namespace,
        sessions: Sequence[Session],
        *,
        router_id: str = "203.0.113.254",
        originate: Sequence[str] = (),
        options: Sequence[str] = (),
        forwards: bool = False,
        multipath: bool = False,
    ) -> None:
        """Start it and wait until it can be asked.

        Args:
            host: where it runs.
            sessions: as BIRD's side sees them.
            router_id: its BGP identifier.
            originate: prefixes that it announces to every neighbour.
            options: more statements for every neighbour, such as `graceful restart yes;`.
            forwards: whether its host forwards by the best IPv4 routes that it is sent.
            multipath: whether its kernel has all paths of a prefix that tie, instead of none of any.
        """
        self._host = host
        self._names = {session.remote: f"peer{number}" for number, session in enumerate(sessions)}
        self._socket = host.directory / "bird.ctl"
        blocks = [f"router id {router_id};", "log stderr all;", "protocol device {}"]
        blocks += [_static(prefix) for prefix in originate]
        if forwards:
            blocks.append("protocol kernel { ipv4 { export where source = RTS_BGP; }; }")
            host.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        blocks += [_bgp(self._names[session.remote], session, options) for session in sessions]
        blocks += [_MULTIPATH] * multipath
        self._config = host.directory / "bird.conf"
        self._text = "\n".join(blocks) + "\n"
        self._config.write_text(self._text)
        argv = ["bird", "-f", "-c", str(self._config), "-s", str(self._socket)]
        self.process = host.spawn(argv, log="bird.log")
        self.process.ready(self._socket.exists, "the control socket")

    def routes(self, neighbor: str | None = None) -> dict[str, SeenRoute]:
        """Return the routes by prefix: those of one neighbour, or the best ones."""
        found = self.attributes(neighbor)
        return {prefix: _route(prefix, attributes) for prefix, attributes in found.items()}

    def attributes(self, neighbor: str | None = None) -> dict[str, dict[str, str]]:
        """Return all attributes of those routes in BIRD's own words, such as `BGP.origin: IGP`."""
        which = f"protocol {self._names[neighbor]}" if neighbor else "primary"
        return dict(_routes(self._ask(f"show route {which} all")))

    def candidates(self) -> dict[str, list[SeenRoute]]:
        """Return all routes by prefix, the selected one first."""
        found: dict[str, list[SeenRoute]] = {}
        for prefix, attributes in _routes(self._ask("show route all")):
            found.setdefault(prefix, []).append(_route(prefix, attributes))
        return found

    def next_hops(self, prefix: str) -> set[str]:
        """Return the next hops that its kernel has for an IPv4 prefix: several are used at once."""
        shown = json.loads(self._host.run("ip", "-json", "-4", "route", "show", prefix))
        return {hop["gateway"] for route in shown for hop in route.get("nexthops", [route])}

    def best(self, prefix: str) -> SeenRoute | None:
        """Return the selected route of a prefix."""
        found = next(_routes(self._ask(f"show route {prefix} primary all")), None)
        return None if found is None else _route(*found)

    def sessions(self) -> dict[str, bool]:
        """Return by neighbour address whether the session is established."""
        lines = [text.split() for code, text in self._ask("show protocols") if code == _PROTOCOL]
        state = {fields[0]: fields[-1] == "Established" for fields in lines}
        return {address: state[name] for address, name in self._names.items()}

    def count(self) -> int:
        """Return the number of prefixes that it was sent, cheaply."""
        lines = self._ask("show route where source = RTS_BGP primary count")
        return sum(int(_NUMBERS.findall(text)[0]) for code, text in lines if code == _COUNT)

    def announce(self, prefixes: Mapping[str, str]) -> None:
        """Announce these prefixes besides, each with a community such as `64699:2`, and no others any more."""
        blocks = [_static(p, mark.replace(":", ",")) for p, mark in prefixes.items()]
        self._config.write_text(self._text + "\n".join(blocks) + "\n")
        self._ask("configure")

    def reflect(self) -> None:
        """Send every neighbour what the others announce: all paths of it, to those that take more than one."""
        ours = "export where source = RTS_STATIC;"
        assert ours in self._text
        self._text = self._text.replace(ours, "export all; add paths tx;")
        self.announce({})

    def restart_session(self, neighbor: str) -> None:
        """Drop a session, to be taken up again at once."""
        self._ask(f"restart {self._names[neighbor]}")

    def reload_in(self, neighbor: str) -> None:
        """Ask a neighbour for its routes again, by ROUTE-REFRESH where the session can (RFC 2918)."""
        self._ask(f"reload in {self._names[neighbor]}")

    def disable(self, neighbor: str) -> None:
        """Drop a session, and refuse it until it is enabled."""
        self._ask(f"disable {self._names[neighbor]}")

    def enable(self, neighbor: str) -> None:
        """Accept a session again."""
        self._ask(f"enable {self._names[neighbor]}")

    def wait_for_sessions(self, within: float = 15) -> None:
        """Wait until every session is established."""
        eventually(
            self.sessions,
            until=lambda seen: all(seen.values()),
            within=within,
            what="every session established",
        )

    def _ask(self, command: str) -> list[tuple[int, str]]:
        return ask(self._socket, command)


def ask(control: Path, command: str) -> list[tuple[int, str]]:
    """Ask a BIRD over its control socket.

    Args:
        control: the socket.
        command: one line, as birdc takes it.

    Returns:
        The lines of the reply with their codes.

    Raises:
        ValueError: BIRD refused the command.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(control))
        with connection.makefile("rw", encoding="ascii") as stream:
            list(_reply(stream))  # the greeting
            stream.write(f"{command}\n")
            stream.flush()
            lines = list(_reply(stream))
    code, text = lines[-1]
    if code >= 8000 and text != "Network not found":
        message = f"{command}: BIRD said {code} {text}"
        raise ValueError(message)
    return lines


def _reply(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    # "1007-text" goes on, "0000 text" is the last line, " text" has the code of the line before.
    code = 0
    for line in lines:
        if line[0] in " +":
            yield code, line[1:].rstrip("\n")
            continue
        code = int(line[:4])
        yield code, line[5:].rstrip("\n")
        if line[4] == " ":
            return


def _routes(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[str, dict[str, str]]]:
    prefix = ""
    attributes: dict[str, str] = {}
    for code, text in lines:
        if (
            code == _ROUTE and text and text[0] != "\t"
        ):  # neither a break between tables nor a "via"
            if attributes:
                yield prefix, attributes
            # A second route of the same network has blanks in place of the prefix.
            prefix = prefix if text[0] == " " else text.split()[0]
            attributes = {}
        elif code == _ATTRIBUTES:
            name, _, value = text.strip().partition(": ")
            attributes[name] = value
    if attributes:
        yield prefix, attributes


def _route(prefix: str, attributes: dict[str, str]) -> SeenRoute:
    med = attributes.get("BGP.med")
    return SeenRoute(
        prefix=prefix,
        as_path=tuple(map(int, _NUMBERS.findall(attributes.get("BGP.as_path", "")))),
        next_hop=attributes["BGP.next_hop"].split()[0],
        med=None if med is None else int(med),
        origin=attributes["BGP.origin"].lower(),
        communities=_tuples(attributes.get("BGP.community", "")),
        large_communities=_tuples(attributes.get("BGP.large_community", "")),
        extended_communities=_extended(attributes.get("BGP.ext_community", "")),
    )


def _tuples(text: str) -> frozenset[str]:
    return frozenset(
        ":".join(part.strip() for part in group.split(",")) for group in _TUPLE.findall(text)
    )


def _extended(text: str) -> frozenset[str]:
    """Return extended communities; BIRD calls a site of origin `ro`."""
    return frozenset(each.replace("ro:", "soo:") for each in _tuples(text))


_MULTIPATH = "protocol kernel { merge paths yes; ipv4 { export all; }; }"


def _static(prefix: str, community: str = "") -> str:
    marked = f" {{ bgp_community.add(({community})); }}" if community else ""
    version = ip_network(prefix).version
    return f"protocol static {{ ipv{version}; route {prefix} blackhole{marked}; }}"


def _bgp(name: str, session: Session, options: Sequence[str]) -> str:
    channels = [
        f"{family} {{ import all; export where source = RTS_STATIC; }};"
        for family in session.families
    ]
    lines = [
        f"local {session.local} as {session.local_asn};",
        f"neighbor {session.remote} as {session.remote_asn};",
        "direct;",
        "passive yes;",
        "error wait time 1, 1;",
        *options,
        *channels,
    ]
    return "\n".join([f"protocol bgp {name} {{", *(f"  {line}" for line in lines), "}"])
