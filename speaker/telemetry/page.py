"""The status page as HTML, in parts that are replaced one by one: each has an id, and a VIP is one.

Whatever comes from outside is escaped, by `escaped`: there is no other way into a part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy.intent import timestamp
from speaker.reconcile.dead import dead
from speaker.reconcile.leaving import leaving
from speaker.telemetry.escaped import escaped as _text
from speaker.telemetry.site_part import site_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from speaker.api import PrefixStatus, Sentence
    from speaker.reconcile.notices import Notice
    from speaker.telemetry.look import Look

TROUBLE_SHOWN = 50
"""How many prefixes that are not as wanted are named above all others."""
COLUMNS = ("Prefix", "Announced", "Sent to", "Preference", "Live", "Intent", "Why")
WORDS = {True: ("yes", "announced"), False: ("no", "not announced"), None: ("unknown", "not known")}
SIGNS = {True: "✓", False: "✗", None: "?"}


@dataclass(frozen=True, slots=True)
class Page:
    """The parts of the page by id, in their order: above the table, in it, below it."""

    title: str
    above: Mapping[str, str] = field(default_factory=dict)
    vips: Mapping[str, str] = field(default_factory=dict)
    below: Mapping[str, str] = field(default_factory=dict)
    number: int = 0

    def html(self) -> bytes:
        """Return the whole document."""
        head = "".join(f'<th scope="col" role="columnheader">{name}</th>' for name in COLUMNS)
        vips = "\n".join(self.vips.values())
        return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<noscript><meta http-equiv="refresh" content="15"></noscript>
<title>{self.title}</title>
<link rel="stylesheet" href="page.css">
<script src="page.js" defer></script>
</head>
<body>
<a class="skip" href="#vips">To the VIPs</a>
<p id="live" role="status">Reload this page to see what is so now.</p>
<main id="main" data-number="{self.number}">
{"".join(self.above.values())}
<h2 id="vips">VIPs</h2>
<p class="filter" hidden><label>Show only <input id="filter" type="search" placeholder="name, prefix or word"></label></p>
<table role="table" aria-labelledby="vips">
<thead role="rowgroup"><tr role="row">{head}</tr></thead>
{vips}
</table>
{"".join(self.below.values())}
</main>
</body>
</html>
""".encode()

    def parts(self) -> dict[str, str]:
        """Return all parts by id."""
        return {**self.above, **self.vips, **self.below}

    def since(self, other: Page) -> dict[str, str] | None:
        """Return the parts that differ from another page's; None where it has others, or in another order."""
        own, before = self.parts(), other.parts()
        if [*own] != [*before] or self.title != other.title:
            return None
        return {part: html for part, html in own.items() if html != before[part]}


def page(look: Look, recent: Sequence[Notice], number: int) -> Page:
    """Return the page of a look. It takes some 50 microseconds for each prefix: not on the event loop.

    Args:
        look: what is so.
        recent: what happened last, newest first.
        number: of this page.
    """
    routes = [*look.routes()]
    status = look.snapshot.status(routes, ())
    dc = look.config.settings.dc.name
    by_vip: dict[str, list[PrefixStatus]] = {}
    for route in routes:
        by_vip.setdefault(route.vip, []).append(route)
    preferences, why = look.preferences(), look.sentences(routes)
    return Page(
        title=f"VIPs of {_text(dc)}",
        above={
            "head": _head(look, routes),
            "trouble": _trouble((*status.trouble, *status.sessions, *dead(routes)), routes),
            "peers": _peers(look),
            **({} if look.machines is None else {"site": site_part(look.machines)}),
        },
        vips={
            f"vip-{index}": _vip(f"vip-{index}", name, own, preferences, why, dc)
            for index, (name, own) in enumerate(by_vip.items())
        },
        below={"recent": _recent(recent)},
        number=number,
    )


def _head(look: Look, routes: Sequence[PrefixStatus]) -> str:
    settings = look.config.settings
    daemon = look.daemon.name if look.daemon and look.daemon.name else settings.backend
    announced = sum(1 for route in routes if route.announced)
    drained = sum(1 for route in routes if route.intent == "drained")
    wrong = sum(1 for route in routes if not route.as_wanted)
    leave = "".join(f"<li>{_text(text)}</li>\n" for text in leaving(routes))
    return f"""<header id="head">
<h1>{_text(settings.dc.name)}</h1>
<p>{_text(daemon)} · AS {settings.dc.asn} · vip.toml {_text(look.digest[:8])}, {_text(str(look.file.state))}
· as of {_text(timestamp(look.wall))}</p>
<ul class="sums">
<li class="yes"><b>{announced}</b> announced</li>
<li><b>{len(routes)}</b> prefixes</li>
<li{' class="drained"' if drained else ""}><b>{drained}</b> drained</li>
<li{' class="no"' if wrong else ""}><b>{wrong}</b> not as wanted</li>
</ul>
{f"<ul>{leave}</ul>" if leave else ""}
</header>
"""


def _trouble(texts: Iterable[str], routes: Iterable[PrefixStatus]) -> str:
    wrong = [route for route in routes if not route.as_wanted]
    lines = [f"<li>{_text(text)}</li>" for text in texts]
    lines += [
        f"<li><b>{_text(route.vip)}</b> {_text(route.prefix)}: {_text(_why(route))}</li>"
        for route in wrong[:TROUBLE_SHOWN]
    ]
    if more := len(wrong) - TROUBLE_SHOWN:
        lines += [f"<li>and {more} more</li>"] if more > 0 else []
    if not lines:
        return '<section id="trouble" class="calm"><p>No trouble.</p></section>\n'
    return (
        '<section id="trouble" aria-labelledby="trouble-head"><h2 id="trouble-head">Trouble</h2>\n'
        f"<ul>{''.join(lines)}</ul></section>\n"
    )


def _peers(look: Look) -> str:
    lines = "".join(
        f'<li class="{WORDS[peer.up][0]}"><span aria-hidden="true">{SIGNS[peer.up]}</span> '
        f"{_text(peer.name)} <small>AS {peer.asn} "
        f"{ {True: 'up', False: 'down', None: 'not known'}[peer.up] }</small></li>"
        for peer in look.peers
    )
    lines += "".join(
        f'<li class="{WORDS[each.is_whole or None][0]}"><span aria-hidden="true">'
        f"{SIGNS[each.is_whole or None]}</span> {_text(each.name)} <small>witness: "
        f"{_text(each.reason or 'tells what it has')}</small></li>"
        for each in look.witnesses
    )
    return (
        '<section id="peers" aria-labelledby="peers-head"><h2 id="peers-head">Sessions</h2>\n'
        f"<ul>{lines or '<li>none is known</li>'}</ul></section>\n"
    )


def _vip(
    part: str,
    name: str,
    routes: Iterable[PrefixStatus],
    preferences: Mapping[str, tuple[Sequence[str], bool]],
    why: Mapping[str, Sequence[Sentence]],
    dc: str,
) -> str:
    rows = "".join(
        _row(
            route,
            *preferences.get(route.prefix, ((), False)),
            dc,
            _explained(f"why-{part}-{number}", _why(route), why.get(route.prefix, ())),
        )
        for number, route in enumerate(routes)
    )
    return (
        f'<tbody id="{part}" role="rowgroup"><tr role="row" class="vip">'
        f'<th role="rowheader" scope="rowgroup" colspan="{len(COLUMNS)}">{_text(name)}</th></tr>{rows}</tbody>'
    )


def _row(route: PrefixStatus, order: Sequence[str], equal: bool, dc: str, why: str) -> str:  # noqa: FBT001 - a part of its preference
    kind, word = _kind(route, route.announced), WORDS[route.announced][1]
    live = "?" if route.realservers is None else str(route.realservers)
    cells = (
        f"<code>{_text(route.prefix)}</code>",
        f'<span class="{kind}"><span aria-hidden="true">{SIGNS[route.announced]}</span> {word}</span>',
        _sent(route),
        _preference(order, dc, equal=equal),
        f"{live} <small>{_text(route.health)}</small>",
        f'<span class="{_text(route.intent)}">{_text(route.intent)}</span>',
        why,
    )
    told = "".join(
        f'<td role="cell" data-label="{name}"><div>{cell}</div></td>'
        for name, cell in zip(COLUMNS, cells, strict=True)
    )
    return f'<tr role="row"{"" if route.as_wanted else " class=wrong"}>{told}</tr>'


def _kind(route: PrefixStatus, told: bool | None) -> str:  # noqa: FBT001 - an answer, not a switch
    """Return the class of an answer: that something is absent is a fault only where it is wanted."""
    return "off" if told is False and not route.wanted else WORDS[told][0]


def _sent(route: PrefixStatus) -> str:
    if not route.peers:
        who = "no session has its family" if route.announced is False else "not known"
        return f"<small>{who}</small>"
    names = "".join(
        f'<li class="{_kind(route, sent)}"><span aria-hidden="true">{SIGNS[sent]}</span> {_text(name)}'
        f'<span class="hidden"> { {True: "was sent it", False: "was not sent it", None: "is not known"}[sent] }</span></li>'
        for name, sent in route.peers.items()
    )
    return f"<ul>{names}</ul>"


def _preference(order: Sequence[str], dc: str, *, equal: bool) -> str:
    names = [f"<b>{_text(name)}</b>" if name == dc else _text(name) for name in order]
    return (" = " if equal else " → ").join(names)


def _why(route: PrefixStatus) -> str:
    return route.full_reason


def _explained(part: str, reason: str, sentences: Sequence[Sentence]) -> str:
    """Return the reason, which opens to the sentences that `vip_mgmt explain` has, with no script either."""
    if not sentences:
        return _text(reason)
    told, about = "", ""
    for sentence in sentences:
        name = "" if sentence.about == about else f"<dt>{_text(sentence.about)}</dt>"
        told, about = f"{told}{name}<dd>{_text(sentence.text)}</dd>", sentence.about
    return f'<details id="{part}"><summary>{_text(reason)}</summary><dl>{told}</dl></details>'


def _recent(recent: Sequence[Notice]) -> str:
    lines = "".join(_line(notice) for notice in recent)
    return (
        '<section id="recent" aria-labelledby="recent-head"><h2 id="recent-head">Last decisions</h2>\n'
        f"<ol>{lines or '<li>none since the start</li>'}</ol></section>\n"
    )


def _line(notice: Notice) -> str:
    when = _text(timestamp(notice.time))
    about = _text(notice.prefix or notice.subject)
    return (
        f'<li><time datetime="{when}">{when}</time> <b>{_text(notice.event)}</b> {about}: '
        f"{_text(notice.reason)}</li>"
    )
