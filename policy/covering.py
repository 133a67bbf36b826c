"""Which of many prefixes an address lies in: a look-up for each length that occurs among them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policy.route import IpAddress, Prefix


class Covering:
    """Prefixes, by their versions, lengths and first bits."""

    def __init__(self, prefixes: Iterable[Prefix]) -> None:
        by_length: dict[tuple[int, int], dict[int, Prefix]] = defaultdict(dict)
        for prefix in prefixes:
            bits = int(prefix.network_address) >> (prefix.max_prefixlen - prefix.prefixlen)
            by_length[prefix.version, prefix.prefixlen][bits] = prefix
        self._by_length = dict(sorted(by_length.items(), reverse=True))

    def of(self, address: IpAddress) -> Iterator[Prefix]:
        """Yield the prefixes that an address lies in, longest first."""
        number, version, length = int(address), address.version, address.max_prefixlen
        for (family, own), prefixes in self._by_length.items():
            if family == version and (found := prefixes.get(number >> (length - own))) is not None:
                yield found
