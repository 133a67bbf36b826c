"""The part of the status page that has the other machines: who is silent, and each VIP at each machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import timestamp
from policy.site_view import Level
from policy.wording import count
from speaker.telemetry.escaped import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from speaker.control.site_shown import SiteShown
    from speaker.site_values import MachineStatus, SiteStatus

_WORDS = {
    True: ("yes", "✓", "announced"),
    False: ("no", "✗", "not announced"),
    None: ("unknown", "?", "not known"),
}
_LEVELS = {
    Level.WRONG: "not as wanted",
    Level.UNKNOWN: "not known",
    Level.ASIDE: "not announced by some",
}


def site_part(shown: SiteShown) -> str:
    """Return the part, in which nothing from outside acts. Of ten thousand prefixes at twenty machines it takes a second."""
    status = shown.folded()
    names = [each.name for each in status.machines]
    head = "".join(f'<th scope="col" role="columnheader">{escaped(n)}</th>' for n in names)
    return f"""<section id="site" aria-labelledby="site-head"><h2 id="site-head">Site</h2>
<ul>{"".join(f"<li>{each}</li>" for each in _head(status))}</ul>
<table role="table" aria-labelledby="site-head">
<thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">VIP</th>{head}<th scope="col" role="columnheader">Why</th></tr></thead>
<tbody role="rowgroup">{"".join(_rows(status, names))}</tbody>
</table>
</section>
"""


def _head(status: SiteStatus) -> Iterator[str]:
    kind, sign, word = (
        ("yes", "✓", "connected") if status.connected else ("no", "✗", "not connected")
    )
    trouble = f": {escaped(status.trouble)}" if status.trouble else ""
    yield f'<span class="{kind}"><span aria-hidden="true">{sign}</span> etcd {word}</span>{trouble}'
    if status.queued:
        yield f"{count(status.queued, 'order')} queued for others"
    for each in status.machines:
        if notes := "; ".join(_notes(each)):
            yield f'<b>{escaped(each.name)}</b> <span class="unknown">{notes}</span>'


def _notes(machine: MachineStatus) -> Iterator[str]:
    if not machine.live:
        since = machine.silent_since
        yield "silent" + ("" if since is None else f" since {escaped(timestamp(since))}")
    if machine.same_file is False:
        yield "its vip.toml differs from this machine's"
    if machine.is_off:
        yield f"its clock is {machine.clock_off:+.0f} s off from this machine's"
    if machine.differs:
        yield f"{count(machine.differs, 'prefix', 'not as ordered')}: {escaped(machine.why)}"


def _rows(status: SiteStatus, names: Sequence[str]) -> Iterator[str]:
    for each in status.prefixes:
        announced = {state.machine: state.announced for state in each.states}
        name = f"<b>{escaped(each.vip)}</b> <code>{escaped(each.prefix)}</code>"
        yield _row(name, announced, names, escaped(each.why), is_wrong=each.level is Level.WRONG)
    for level, word in _LEVELS.items():
        if left := status.left.get(level, 0):
            yield _row(f"and {count(left, 'more prefix')}, {word}", {}, names, "")
    for vip in status.well:
        at = {each.name: True for each in status.machines if each.dc in vip.dcs}
        name = f"<b>{escaped(vip.vip)}</b> <small>{count(vip.prefixes, 'prefix')}</small>"
        yield _row(name, at, names, "")
    if status.well_left:
        yield _row(f"and {count(status.well_left, 'more VIP')}, all as wanted", {}, names, "")


def _row(
    name: str,
    announced: Mapping[str, bool | None],
    names: Sequence[str],
    why: str,
    *,
    is_wrong: bool = False,
) -> str:
    cells = "".join(
        f'<td role="cell" data-label="{escaped(each)}">{_cell(announced, each)}</td>'
        for each in names
    )
    return (
        f'<tr role="row"{" class=wrong" if is_wrong else ""}><td role="cell" data-label="VIP">{name}</td>{cells}'
        f'<td role="cell" data-label="Why">{why}</td></tr>'
    )


def _cell(announced: Mapping[str, bool | None], name: str) -> str:
    if name not in announced:
        return '<span class="off">-</span>'
    kind, sign, word = _WORDS[announced[name]]
    return (
        f'<span class="{kind}"><span aria-hidden="true">{sign}</span>'
        f'<span class="hidden"> {word}</span></span>'
    )
