"""vip.toml for all data centres, as text, each part with the file and line that it comes from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from policy.route import Origin
from speaker.config_form import toml_path
from speaker.migration.fit import is_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from policy.topology import Profile
    from speaker.migration.fit import Layout, Placed
    from speaker.migration.site import Site


def render(sites: Sequence[Site], layout: Layout) -> str:
    """Return the text of vip.toml."""
    return "\n".join([*_head(sites), *_dcs(sites), *_policy(layout), *_vips(layout), ""])


def text(value: str) -> str:
    """Return a TOML string."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def comment(value: str) -> str:
    """Return a text that may stand in a comment."""
    return "".join(c if c.isprintable() else "?" for c in value)


def _list(values: Iterable[object]) -> str:
    return f"[{', '.join(text(str(value)) for value in values)}]"


def _head(sites: Sequence[Site]) -> Iterator[str]:
    first, *others = sites
    yield "# What these had bgpd announce, by `vip_mgmt import`:"
    for site in sites:
        yield comment(
            f"#   {site.name}: {site.configuration.file}, as {site.configuration.dialect}'s"
        )
    yield "# The same file in every data centre but for [node]. docs/configuration.md has every key."
    yield ""
    yield "[node]"
    there = f"    # {first.name}'s; on other machines: {', '.join(s.name for s in others)}"
    yield f"dc = {text(first.name)}{there if others else ''}"
    yield ""


def _dcs(sites: Sequence[Site]) -> Iterator[str]:
    for site in sites:
        yield f"[{toml_path(('dc', site.name))}]"
        statement = site.configuration.statement
        yield comment(f"asn = {site.configuration.asn}    # {statement.where}")
        hops = {"ipv4": site.hops.ipv4, "ipv6": site.hops.ipv6}
        given = ", ".join(f"{family} = {text(str(hop))}" for family, hop in hops.items() if hop)
        if given:
            yield f"next_hop = {{ {given} }}"
        yield ""


def _policy(layout: Layout) -> Iterator[str]:
    yield "[policy]"
    if all(map(is_plain, layout.ranks)):
        yield f"prepends = [{', '.join(str(profile.prepends) for profile in layout.ranks)}]"
        unnamed = set(layout.ranks)
    else:
        yield f"ranks = {_list(profile.name for profile in layout.ranks)}"
        unnamed = set()
    for profile in layout.ranks:
        for where in layout.profiles[profile]:
            yield comment(f"# {profile.name}: {where}")
    yield ""
    named = {
        profile
        for addresses in layout.vips.values()
        for placed in addresses
        if placed.ranks != layout.ranks
        for profile in placed.ranks
    }
    for profile, origins in layout.profiles.items():
        if profile in named or profile not in unnamed:
            yield from _profile(profile, origins)
    yield "[health]"
    yield 'source = "ipvs"    # bgpd checked nothing; a VIP is now withdrawn where no realserver lives'
    yield ""


def _profile(profile: Profile, origins: Iterable[str]) -> Iterator[str]:
    yield from (comment(f"# {where}") for where in origins)
    yield f"[{toml_path(('profile', profile.name))}]"
    yield f"prepends = {profile.prepends}"
    if profile.med:
        yield f"med = {profile.med}"
    if profile.origin is not Origin.IGP:
        yield f"origin = {text(profile.origin)}"
    if profile.communities:
        yield f"communities = {_list(profile.communities)}"
    if profile.large_communities:
        yield f"large_communities = {_list(profile.large_communities)}"
    yield ""


def _vips(layout: Layout) -> Iterator[str]:
    for name, addresses in layout.vips.items():
        yield f"[{toml_path(('vip', name))}]"
        prefer = addresses[0].prefer
        same = all(placed.prefer == prefer for placed in addresses)
        ranks = addresses[0].ranks
        alike = all(placed.ranks == ranks for placed in addresses)
        yield "addresses = ["
        for placed in addresses:
            value = _address(
                placed, None if same else placed.prefer, None if alike else placed.ranks
            )
            yield comment(f"    {value},    # {', '.join(placed.origins)}")
        yield "]"
        if same:
            yield f"prefer = {_list(prefer)}"
        if alike and ranks != layout.ranks:
            yield f"ranks = {_list(profile.name for profile in ranks)}"
        if any(_is_wide(placed) for placed in addresses):
            yield 'health = { source = "none" }    # a whole prefix: only the operator decides'
        yield ""


def _is_wide(placed: Placed) -> bool:
    return placed.prefix.prefixlen < placed.prefix.max_prefixlen


def _address(placed: Placed, prefer: Iterable[str] | None, ranks: Iterable[Profile] | None) -> str:
    address = text(str(placed.prefix.network_address))
    keys = [f"ip = {address}"]
    if _is_wide(placed):
        keys.append(f"prefix_length = {placed.prefix.prefixlen}")
    if prefer is not None:
        keys.append(f"prefer = {_list(prefer)}")
    if ranks is not None:
        keys.append(f"ranks = {_list(profile.name for profile in ranks)}")
    return address if len(keys) == 1 else f"{{ {', '.join(keys)} }}"
