"""bgpd's tables of routes as each version writes them: heads, status codes, wrapped lines, ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from policy.route import Prefix


@dataclass(frozen=True, slots=True)
class Form:
    """How a version of bgpd writes a table.

    Attributes:
        blanks: in front of `Network` in the head, and of each prefix.
        rpki: where the state of RPKI stands: nowhere, in front of the codes where there is one
            (which moves the rest of the line), or in a column of its own.
        prefixes: whether the length of a classful one is left out.
        wrapped: blanks in front of the numbers where the next hop has a line of its own.
        end: the last line, with a place for the number of routes.
        empty: what is said in place of an empty table.
    """

    blanks: int
    rpki: Literal["", "in front", "column"]
    prefixes: Literal["classful", "whole"]
    end: str
    wrapped: int = 36
    empty: str = "No BGP prefixes displayed, 0 exist"


FORMS = {
    "quagga-0.99.22.4": Form(
        3, "", "classful", "Total number of prefixes {}", empty="No BGP network exists"
    ),
    "quagga-1.2.4": Form(3, "", "classful", "Displayed  {0} out of {0} total prefixes"),
    "frr-8.4.4": Form(3, "in front", "whole", "Displayed  {0} routes and {0} total paths"),
    "frr-8.5": Form(4, "column", "whole", "Displayed  {0} routes and {0} total paths"),
    "frr-10.3": Form(5, "column", "whole", "Displayed {0} routes and {0} total paths"),
    "frr-10.7.1": Form(5, "column", "whole", "Displayed {0} routes and {0} total paths", 38),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A path. `codes` are its three status codes, `rpki` is V, I, N or nothing."""

    prefix: Prefix
    codes: str
    hop: str
    med: int | None
    preference: int | None
    weight: int
    path: Sequence[int]
    origin: str = "i"
    rpki: str = ""


def table(form: Form, rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a table; the second path of a prefix does not name it again."""
    before: Prefix | None = None
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - counted
        if before is None:
            yield "BGP table version is 0, local router ID is 203.0.113.2"
            yield "Status codes:  s suppressed, d damped, h history, * valid, > best, = multipath,"
            yield "               i internal, r RIB-failure, S Stale, R Removed"
            yield "Origin codes:  i - IGP, e - EGP, ? - incomplete"
            yield ""
            head = "Network          Next Hop            Metric LocPrf Weight Path"
            yield " " * form.blanks + head
        yield from _row(form, row, named=row.prefix != before)
        before = row.prefix
    if before is None:
        yield form.empty
    else:
        yield ""
        yield form.end.format(count)


def _row(form: Form, row: Row, *, named: bool) -> Iterator[str]:
    rpki = {"": "", "in front": row.rpki, "column": row.rpki or " "}[form.rpki]
    behind = " " * (form.blanks - 3 - (form.rpki == "column"))
    line = f"{rpki}{row.codes}{behind}"
    name = _name(form, row.prefix) if named else ""
    line += name
    if len(name) > 16:
        yield line
        line = " " * 20
    else:
        line += " " * (17 - len(name))
    line += row.hop
    if len(row.hop) > 15:
        yield line
        line = " " * form.wrapped
    else:
        line += " " * (16 - len(row.hop))
    med, preference = ("" if n is None else n for n in (row.med, row.preference))
    path = "".join(f"{asn} " for asn in row.path)
    yield f"{line}{med:>10}{preference:>7}{row.weight:>7} {path}{row.origin}"


def _name(form: Form, prefix: Prefix) -> str:
    """Return a prefix as a table has it."""
    text = str(prefix)
    if form.prefixes == "classful" and prefix.version == 4:
        first = int(text.split(".", maxsplit=1)[0])
        if prefix.prefixlen == (8 if first < 128 else 16 if first < 192 else 24):
            return str(prefix.network_address)
    return text
