"""vip_mgmt status --site: asks the watchdog that runs what it knows of the other machines, and shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.route import parse_prefix
from policy.site_view import Level
from speaker.cli.arguments import ALL
from speaker.cli.served import too_old
from speaker.cli.site_table import site_json, site_text
from speaker.control.client import RefusedError
from speaker.control.running import RunningWatchdog
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from speaker.terminal import show, tell, waiting, width

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policy.route import Prefix
    from speaker.cli.arguments import Call
    from speaker.config.settings import Config
    from speaker.site_values import SiteStatus

NO_SITE = "status --site: vip.toml has no [site], so this machine knows of no other; without it, run vip_mgmt status on each"
_WRONG = (Level.WRONG, Level.UNKNOWN)


def show_site(call: Call, config: Config, prefixes: Sequence[Prefix]) -> ExitStatus:
    """Show what each machine of the site announces.

    Raises:
        SpeakerError: no watchdog answers, or it knows of no other machines.
    """
    if config.settings.site is None:
        raise SpeakerError(NO_SITE)
    named = () if not call.words or ALL in call.words else prefixes
    with waiting("waiting for an answer"):
        status = asked(RunningWatchdog.of(config), named, whole=call.unfold or call.as_json)
    if call.as_json:
        tell(site_json(status))
    elif (columns := width()) is None:
        tell(site_text(status))
    else:
        show(site_text(status, columns))
    return ExitStatus.DONE if is_well(status) else ExitStatus.NOT_AS_WANTED


def asker(config: Config) -> Callable[[Sequence[str]], SiteStatus]:
    """Return what asks the watchdog that runs for some prefixes at all machines of the site. See `asked`."""
    running = RunningWatchdog.of(config)

    def ask(prefixes: Sequence[str]) -> SiteStatus:
        return asked(running, [*map(parse_prefix, prefixes)], whole=True)

    return ask


def asked(running: RunningWatchdog, prefixes: Sequence[Prefix], *, whole: bool) -> SiteStatus:
    """Return what a watchdog knows of the site.

    Raises:
        SpeakerError: it does not answer, or knows of no other machines.
    """
    try:
        return running.site(prefixes, whole=whole)
    except RefusedError as error:
        if not error.is_not_known:
            raise
        raise SpeakerError(too_old("knows of no other machines")) from error


def is_well(status: SiteStatus) -> bool:
    """Tell whether all that is to be announced is, as far as operators and health have it, and all machines are heard."""
    return (
        status.connected
        and all(machine.live and not machine.differs for machine in status.machines)
        and not any(each.level in _WRONG for each in status.prefixes)
        and not any(status.left.get(level) for level in _WRONG)
    )
