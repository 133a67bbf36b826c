"""For whom -a and -d are: this machine, a data centre, or the whole site; and whether --at is a time, by vip.toml."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from policy.wording import named
from speaker.cli.at_option import check_time, is_time
from speaker.cli.commands import ADD, DELETE, UsageError
from speaker.site_words import DC, HERE, MAX_WITHIN, SITE

if TYPE_CHECKING:
    from collections.abc import Collection

    from speaker.cli.arguments import Call

_NO_TIMEOUT = "--timeout is only valid with --until-gone or --until-seen"
_NAMED = 10
"""How many data centres are named."""


def for_whom(call: Call, here: str, dcs: Collection[str], *, has_site: bool) -> Call:
    """Return a call of which it is known for whom it is, and whether it is planned.

    Args:
        call: as it was typed. A value of --at is a data centre's name where there is such a data centre, else a time.
        here: this data centre.
        dcs: the names of all.
        has_site: whether the machines of the site know of one another: `[site]` in vip.toml.

    Raises:
        UsageError: it can't be asked so.
    """
    if call.command not in (ADD, DELETE):
        return call
    dc = call.at if call.at in dcs else ""
    if dc:
        _check_dc(call)
    elif call.at:
        _check_planned(call, dcs, has_site=has_site)
        return call
    if not has_site:
        return _without_site(call, dc)
    if call.here:
        return _at_here(call)
    if call.until and (call.everywhere or dc not in ("", here)):
        raise UsageError(
            "--until-… waits for paths of this data centre alone; leave it out: each machine confirms by what it read back"
        )
    return replace(call, extent=SITE if call.everywhere else f"{DC}{dc or here}", at="")


def _check_dc(call: Call) -> None:
    if call.late is not None:
        raise UsageError(f"--late is only valid with a time; --at {call.at} is a data centre")
    if call.here:
        raise UsageError(f"--here and --at {call.at} exclude each other: that is a data centre")


def _check_planned(call: Call, dcs: Collection[str], *, has_site: bool) -> None:
    """Refuse what can't be planned. What is no time is said where it is read."""
    if has_site and not is_time(call.at):
        raise UsageError(
            f"--at: {call.at[:80]!r}: neither a data centre of vip.toml ({named(dcs, _NAMED)}) nor a time; write one of these, "
            "or such as 2026-12-01T02:00, or +30m"
        )
    given = {"until_gone": call.until, "last": call.last, "force": call.force}
    check_time(call.command, [name for name, is_given in given.items() if is_given])
    if call.timeout is not None:
        raise UsageError(_NO_TIMEOUT)


def _without_site(call: Call, dc: str) -> Call:
    asked = f"--at {dc}" if dc else "--everywhere" if call.everywhere else ""
    if asked:
        raise UsageError(
            f"{asked}: other machines can be asked only with [site] in vip.toml; without it, run vip_mgmt "
            f"{call.command} on each of them"
        )
    if call.timeout is not None and not call.until:
        raise UsageError(_NO_TIMEOUT)
    return call


def _at_here(call: Call) -> Call:
    if call.timeout is not None and not call.until:
        raise UsageError(_NO_TIMEOUT)
    return replace(call, extent=HERE)


def wait_for_others(call: Call, usual: float) -> float | None:
    """Return for how long the other machines are waited for, in seconds; None where it is for none.

    Args:
        call: may say that.
        usual: what vip.toml says.
    """
    if call.extent in ("", HERE):
        return None
    return min(usual if call.timeout is None else call.timeout, MAX_WITHIN)
