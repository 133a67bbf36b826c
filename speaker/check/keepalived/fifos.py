"""Whether what keepalived writes of realservers comes to vip_watchdog, and to it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.lint.finding import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from speaker.check.keepalived.servers import Conf
    from speaker.config.settings import Settings


def fifo_findings(settings: Settings, conf: Conf, path: Path) -> Iterator[Finding]:
    """Yield what is wrong with keepalived's fifos.

    Args:
        settings: vip.toml's.
        conf: what keepalived is configured to do.
        path: keepalived's file.
    """
    ours, named = str(settings.keepalived_fifo), settings.keepalived_fifo_named
    own = {name: place for name, (place, to) in conf.fifos.items() if to == ours}
    if own:
        for name in own.keys() & conf.fifo_scripts:
            yield Finding(
                Code.KEEPALIVED_FIFO,
                str(own[name]),
                f"keepalived's {name}_script reads {ours} beside vip_watchdog: each event comes to one of them alone",
                "give vip_watchdog a fifo of its own: lvs_notify_fifo without a script",
            )
    elif conf.fifos and (named or not conf.fifo_scripts):
        place, to = [*conf.fifos.values()][-1]
        yield Finding(
            Code.KEEPALIVED_FIFO,
            str(place),
            f"keepalived writes to {to}, and vip_watchdog reads {ours}: its events are not read",
            "make lvs_notify_fifo and [health] keepalived_fifo the same",
        )
    elif not conf.fifos and named and conf.complete:
        yield Finding(
            Code.KEEPALIVED_FIFO,
            str(path),
            f"no lvs_notify_fifo, and vip_watchdog reads {ours}: its events are not read",
            f"add lvs_notify_fifo {ours} to global_defs",
        )
