"""What `vip_mgmt check` finds: in vip.toml by itself, beside other sites' files, and in the world."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from policy.lint import lint
from policy.lint.notes import notes
from policy.lint.upstreams import unknowable
from speaker import config as configuration
from speaker.check import checks, sites, world
from speaker.check.bgpd import bgpd_neighbors, bgpd_version
from speaker.check.files import files
from speaker.check.keepalived import check_keepalived
from speaker.check.machines import machines
from speaker.check.report import Report
from speaker.check.rights import ipvs_rights
from speaker.check.start_files import start_files
from speaker.resolver.resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from speaker.config.settings import Config


def check(
    path: Path, environ: Mapping[str, str], config: Config, others: Sequence[Path], *, offline: bool
) -> Report:
    """Check all that can be checked from here.

    Args:
        path: the file that `config` was read from.
        environ: the environment that it was read in.
        config: what is checked. Its ranks may tie.
        others: the files of other sites.
        offline: whether to leave out DNS, IPVS and the peers.

    Raises:
        ConfigError: one of the other files can't be read.
    """
    settings, refused = config.settings, [*_refused(path, environ)]
    report = Report(
        lint(
            config.topology,
            max_path=settings.lint.max_path,
            load_tolerance=settings.lint.load_tolerance,
        ),
        (*refused, *notes(config.topology), *unknowable(config.topology)),
        is_refused=bool(refused),
    )
    report += checks.unused(config)
    report += files(config)
    if others:
        own = configuration.read(path)
        report = sum((sites.compare(own, configuration.read(other)) for other in others), report)
    if settings.backend == "quagga":
        report += start_files(config)
    if not offline:
        report += world.dns(config, Resolver(settings.resolver, world.DNS_TIMEOUT))
        report += world.ipvs(config)
        report += ipvs_rights(config, partial(world.status, config))
        report += check_keepalived(config)
        report += bgpd_version(config)
        report += bgpd_neighbors(config)
        report += world.peers(config)
        report += world.daemon(config)
        report += checks.through_vip(config)
        report += checks.certificates(partial(world.status, config))
        report += machines(config, partial(world.of_site, config))
    return report


def _refused(path: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield why all but `check` refuse the file, each with the key that is to be changed."""
    try:
        configuration.load(path, environ)
    except configuration.ConfigError as error:
        for fault in error.faults:
            yield f"vip_watchdog and the other commands refuse the file: {fault}"
