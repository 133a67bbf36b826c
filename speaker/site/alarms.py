"""What is said of etcd and of the other machines where something is wrong: in words, and only what lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.site_members import CLOCK_OFF
from policy.wording import count, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy.site_intent import Extent
    from policy.site_members import Member
    from speaker.site.site import WholeSite

SITE, MEMBERS = "site", "members"
"""The subjects of alarms: etcd, and the other machines."""
STAYS = "what is in force stays, and -a and -d work on this machine"
PASSING = 3.0
"""For how long etcd may be away before it is said, in seconds."""
ROLLOUT = 60.0
"""For how long machines may have another vip.toml before it is said, in seconds: they are not reloaded all at once."""
FORGOTTEN = 86400.0
"""For how long a silent machine is an alarm, in seconds."""
_NAMED = 3


class Lasting:
    """What is wrong, once it was for a while."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def of(self, found: dict[str, float], now: float) -> set[str]:
        """Return what has lasted.

        Args:
            found: what is wrong now, and for how many seconds it may be.
            now: seconds on the steady clock.
        """
        self._since = {what: self._since.get(what, now) for what in found}
        return {what for what, within in found.items() if now - self._since[what] >= within}


class SiteAlarms:
    """The alarms of one site."""

    def __init__(self, site: WholeSite) -> None:
        self._site = site
        self._lasting = Lasting()

    def texts(self, now: float, wall: float) -> dict[str, str]:
        """Return what is wrong, by its subject; an empty text where nothing is.

        Args:
            now: seconds on the steady clock.
            wall: seconds since the epoch.
        """
        site = self._site
        away = "away" if site.trouble or not site.connected else ""
        members = dict(members_texts(site.members(), site.here, site.config, wall))
        lasting = self._lasting.of({**({away: PASSING} if away else {}), **members}, now)
        faults = site.faults
        texts = []
        if away in lasting:
            texts.append(f"{site.trouble or 'etcd: not connected yet'}; {STAYS}")
        if faults:
            texts.append(
                f"{count(len(faults), 'key')} of etcd can't be read, and nothing that is asked there is known: {faults[0]}"
            )
        if site.unreadable:
            texts.append(
                f"of what is asked, this machine's copy can't be read: {site.unreadable[0]}"
            )
        if site.is_rivalled:
            texts.append(
                f"another machine is called {site.here}, too; set site.machine of vip.toml on one of them"
            )
        said = [text for text in members if text in lasting]
        return {SITE: "; ".join(texts), MEMBERS: "; ".join(_some(said))}

    def over(self, wall: float) -> str:
        """Return what is said where nothing is an alarm any more: a machine that is not waited for has not recovered.

        Args:
            wall: seconds since the epoch.
        """
        gone = [
            f"{each.dc}/{each.machine}"
            for each in self._site.members()
            if not each.live and not _is_waited_for(each, wall)
        ]
        return (
            f"no alarm any more; silent for a day: {named(gone, _NAMED)}" if gone else "recovered"
        )


def members_texts(
    members: Sequence[Member], here: Extent, config: str, wall: float
) -> Iterator[tuple[str, float]]:
    """Yield what is wrong with the other machines, and for how many seconds it may be so.

    Args:
        members: all.
        here: this machine.
        config: what tells its vip.toml from others'.
        wall: seconds since the epoch.
    """
    for each in members:
        if (each.dc, each.machine) == (here.dc, here.machine):
            continue
        name = f"{each.dc}/{each.machine}"
        if not each.live:
            if _is_waited_for(each, wall):
                yield f"{name} is silent: is it up, does it reach etcd?", 0.0
            continue
        if each.config != config:
            yield f"{name} has another vip.toml; compare them, and reload it", ROLLOUT
        if each.clock_off is not None and abs(each.clock_off) > CLOCK_OFF:
            way = "ahead" if each.clock_off > 0 else "behind"
            yield f"the clock of {name} is {way} by more than {CLOCK_OFF:g} s; see to its time", 0.0


def _is_waited_for(silent: Member, wall: float) -> bool:
    return silent.silent_since is not None and wall - silent.silent_since < FORGOTTEN


def _some(texts: Sequence[str]) -> list[str]:
    more = len(texts) - _NAMED
    return [
        *texts[:_NAMED],
        *([f"and {more} more, see vip_mgmt status --site"] if more > 0 else []),
    ]
