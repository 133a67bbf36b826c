"""Checks vip.toml beside keepalived's configuration, which knows when realservers are checked."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from policy.health import FWMARK, Service
from policy.lint.finding import Code, Finding
from policy.wording import count, named
from speaker.check.keepalived.fifos import fifo_findings
from speaker.check.keepalived.files import MachineFiles
from speaker.check.keepalived.homes import Homes
from speaker.check.keepalived.lines import ConfError
from speaker.check.keepalived.servers import Mark, conf_of
from speaker.check.keepalived.tree import read_tree
from speaker.check.report import Report
from speaker.health.keepalived.process import arguments
from speaker.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from policy.route import Prefix
    from policy.topology import Vip
    from speaker.check.keepalived.lines import Files
    from speaker.check.keepalived.servers import Addresses, Conf, Server
    from speaker.check.keepalived.timing import Timing
    from speaker.config.settings import Config, HealthSettings

DEFAULT_PATH = Path("/etc/keepalived/keepalived.conf")
_NAMED = 4096
"""A range of more addresses than this is not looked through one by one."""


def check_keepalived(
    config: Config,
    *,
    files: Files | None = None,
    running: Mapping[str, str] | None = None,
    hostname: str | None = None,
) -> Report:
    """Check the configuration of the keepalived that keeps the VIPs' services here.

    What is not understood of it is a note, and what may be missing for that no finding.

    Args:
        config: what is checked.
        files: reads files; None for this machine's.
        running: the options of the keepalived that runs, `f` its file and `i` its config-id;
            None to look for it.
        hostname: the machine's name; None to ask for it.
    """
    kept = {
        vip.name
        for vip in config.topology.vips
        if config.settings.health[vip.name].source == "ipvs" and vip.health.checker.required
    }
    if not kept:
        return Report()
    running = options(arguments()) if running is None else running
    hostname = os.uname().nodename if hostname is None else hostname
    path = config.settings.keepalived_conf or Path(running.get("f", DEFAULT_PATH))
    try:
        tree = read_tree(
            path, files or MachineFiles(), running.get("i", hostname.partition(".")[0])
        )
    except ConfError as error:
        return _unread(config, path, error)
    conf = conf_of(tree)
    notes = [f"not checked: keepalived: {note}" for note in conf.notes]
    if "f" in running and Path(running["f"]) != path:
        notes.append(f"keepalived runs with {running['f']}; {path} is checked")
    return Report(tuple(_Comparison(config, conf, path, kept).findings()), tuple(notes))


def options(running: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return the file and the config-id that keepalived was started with, where it says so.

    Args:
        running: the arguments of each keepalived that runs. Of several nothing is known.
    """
    found: dict[str, str] = {}
    if len(running) != 1:
        return found
    names = {"-f": "f", "--use-file": "f", "-i": "i", "--config-id": "i"}
    words = iter(running[0])
    for word in words:
        name, equals, value = word.partition("=")
        if name in names:
            found[names[name]] = value if equals else next(words, "")
        elif word[:2] in names and len(word) > 2:
            found[names[word[:2]]] = word[2:]
    return {name: value for name, value in found.items() if value.startswith("/") or name == "i"}


def _unread(config: Config, path: Path, error: ConfError) -> Report:
    if not isinstance(error.__cause__, FileNotFoundError):
        return Report(notes=(f"not checked: {error}",))
    if config.settings.keepalived_conf is None:
        return Report()
    remedy = "correct [health] keepalived_conf, or leave it out"
    return Report((Finding(Code.KEEPALIVED_FILE, str(path), "there is no such file", remedy),))


class _Comparison:
    """One configuration of keepalived beside vip.toml."""

    def __init__(self, config: Config, conf: Conf, path: Path, kept: set[str]) -> None:
        self._config = config
        self._conf = conf
        self._path = path
        self._kept = kept
        self._homes = Homes(config.topology)
        self._have: dict[Prefix, set[Service]] = defaultdict(set)

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong, in the order of keepalived's file; what it lacks comes last."""
        yield from self._of_process()
        for server in self._conf.servers:
            yield from self._of_server(server)
        if self._conf.complete:
            yield from self._missing()

    # --- what is said once ------------------------------------------------------------------

    def _of_process(self) -> Iterator[Finding]:
        yield from fifo_findings(self._config.settings, self._conf, self._path)
        rules = [vip.health for vip in self._config.topology.vips if vip.name in self._kept]
        grace = min(rule.checker.restart_grace for rule in rules)
        if self._conf.scripts is not None and self._conf.scripts[1] > grace:
            place, seconds = self._conf.scripts
            yield Finding(
                Code.KEEPALIVED_RESTART,
                str(place),
                f"scripts may take {seconds:g}s of keepalived's restart, and restart_grace is "
                f"{duration_text(grace)}: VIPs may be withdrawn meanwhile",
                f'restart_grace = "{math.ceil(seconds) + 10}s", or shorter time-outs of the scripts',
            )
        if self._conf.renamed is not None:
            yield Finding(
                Code.KEEPALIVED_NAME,
                str(self._conf.renamed),
                "processes of keepalived get another name: vip_watchdog looks for those named "
                "keepalived, and may miss that it runs, or that its checker was replaced",
                "leave the names as they are",
            )

    # --- virtual servers --------------------------------------------------------------------

    def _of_server(self, server: Server) -> Iterator[Finding]:
        concerned: dict[str, tuple[Vip, Service]] = {}
        for where in server.where:
            protocol, number = (
                (FWMARK, where.number) if isinstance(where, Mark) else (server.protocol, where.port)
            )
            service = Service(protocol, number)
            homes = self._homes.of(where)
            for vip, prefix in homes:
                self._have[prefix].add(service)
                if vip.name in self._kept:
                    concerned.setdefault(vip.name, (vip, service))
            yield from self._extra(server, where, homes)
        for vip, service in concerned.values():
            yield from self._timing(server, vip, service)
            yield from self._sorry(server, vip, service)
            yield from self._few(server, vip, service)

    def _extra(
        self, server: Server, where: Addresses | Mark, homes: Sequence[tuple[Vip, Prefix]]
    ) -> Iterator[Finding]:
        if isinstance(where, Mark):
            nobody = [] if homes else [f"fwmark/{where.number}"]
            remedy = "name it in the services of a VIP in vip.toml, or remove it from keepalived"
        else:
            nobody = _without_home(where, [prefix for _, prefix in homes])
            remedy = "add it to a VIP in vip.toml, or remove it from keepalived"
        if nobody:
            yield Finding(
                Code.KEEPALIVED_EXTRA,
                str(server.place),
                f"{server.title}: no VIP has {named(nobody, 3)}, so no data centre announces it",
                remedy,
            )

    def _timing(self, server: Server, vip: Vip, service: Service) -> Iterator[Finding]:
        subject = f"{server.place} {vip.name}"
        rise, warm_up = vip.health.of(service).rise, vip.health.checker.warm_up
        key, wait = ("rise", rise) if rise else ("warm_up", warm_up)
        slowest = max((each for each in server.timings if not each.alpha), default=None)
        if slowest is not None and slowest.dead > wait:
            yield Finding(
                Code.KEEPALIVED_TIMING,
                subject,
                f"keepalived may take {slowest.dead:g}s after its start to find a realserver dead "
                f"({slowest.why}), and {key} is {duration_text(wait)}: a VIP that was down may be "
                "announced unchecked",
                f'{key} = "{_enough(slowest)}s" or more, or shorter times in keepalived',
            )
        first = max((each for each in server.timings if each.alpha), default=None, key=_alive)
        if first is not None and first.alive > warm_up:
            yield Finding(
                Code.KEEPALIVED_ALPHA,
                subject,
                f"alpha mode: keepalived may take {first.alive:g}s to its first check ({first.why}), "
                f"and warm_up is {duration_text(warm_up)}: a restart of keepalived withdraws the VIP",
                f'warm_up = "{_enough(first)}s" or more, or shorter times in keepalived',
            )

    def _sorry(self, server: Server, vip: Vip, service: Service) -> Iterator[Finding]:
        own = self._config.settings.health[vip.name]
        if vip.health.of(service).drop_at:
            return  # one that is live is too few
        for sorry in server.sorry:
            if not _ignores(own, sorry.address, sorry.port):
                yield Finding(
                    Code.KEEPALIVED_SORRY,
                    f"{sorry.place} {vip.name}",
                    f"the sorry_server {sorry.address} counts as a live realserver: the VIP stays "
                    "announced when all others are dead",
                    f'ignore_realservers = ["{sorry.address}"]',
                )

    def _few(self, server: Server, vip: Vip, service: Service) -> Iterator[Finding]:
        needed = vip.health.of(service).restore_at
        if self._conf.complete and server.realservers < needed:
            yield Finding(
                Code.KEEPALIVED_FEW,
                f"{server.place} {vip.name}",
                f"{server.title} has {count(server.realservers, 'realserver')}, and {service} is up again at {needed}: never",
                "a lower restore_at or share_up in vip.toml, or more realservers in keepalived",
            )

    def _missing(self) -> Iterator[Finding]:
        for vip, address in self._config.topology:
            if vip.name not in self._kept or self._config.settings.dc.name not in address.prefer:
                continue
            have, required = self._have[address.prefix], vip.health.required.keys()
            lacking = sorted(required - have)
            if lacking or not have:
                yield Finding(
                    Code.KEEPALIVED_MISSING,
                    f"{vip.name} {address.prefix}",
                    f"{self._path} has no {', '.join(map(str, lacking)) or 'virtual_server'} on it",
                    "add it to keepalived, or correct the VIP in vip.toml",
                )


def _alive(timing: Timing) -> float:
    return timing.alive


def _enough(timing: Timing) -> int:
    return math.ceil(max(timing.safe, timing.alive)) + 1


def _ignores(own: HealthSettings, address: object, port: int | None) -> bool:
    return any(each == address and (port is None or to in (None, port)) for each, to in own.ignore)


def _without_home(where: Addresses, prefixes: Iterable[Prefix]) -> list[str]:
    """Return the addresses of a range that are in none of some prefixes."""
    homes = [*prefixes]
    size = int(where.last) - int(where.first) + 1
    if size > _NAMED:
        return [] if homes else [f"{where.first}-{where.last}"]
    return [
        str(address)
        for address in (where.first + n for n in range(size))
        if not any(address in home for home in homes)
    ]
