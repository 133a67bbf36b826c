"""For whom -a and -d are: which options go together, with [site] and without, and what each comes to."""

from __future__ import annotations

import pytest

from speaker.cli.arguments import parse
from speaker.cli.commands import UsageError
from speaker.cli.extents import for_whom, wait_for_others
from speaker.site_words import MAX_WITHIN

DCS = ("par1", "lyo1")


def whom(words: str, *, has_site: bool = True) -> tuple[str, str]:
    call = for_whom(parse(words.split()), "par1", DCS, has_site=has_site)
    return call.extent, call.at


@pytest.mark.parametrize(
    ("words", "extent", "at"),
    [
        ("-d vip-1.tld", "dc:par1", ""),
        ("-a vip-1.tld", "dc:par1", ""),
        ("-d vip-1.tld --here", "here", ""),
        ("-d all --at lyo1", "dc:lyo1", ""),
        ("-a all --at lyo1", "dc:lyo1", ""),
        ("-d vip-1.tld --everywhere --last", "site", ""),
        ("-d vip-1.tld --at lyo1 --soft --force", "dc:lyo1", ""),
        ("-d vip-1.tld --timeout 9s", "dc:par1", ""),
        ("-d vip-1.tld --until-gone", "dc:par1", ""),
        ("-d vip-1.tld --here --until-gone --timeout 9s", "here", ""),
        ("-d vip-1.tld --at +30m", "", "+30m"),
        ("-d vip-1.tld --at 2126-12-01T02:00", "", "2126-12-01T02:00"),
        ("-d vip-1.tld --at +30m --here", "", "+30m"),
        ("status", "", ""),
    ],
)
def test_with_a_site(words: str, extent: str, at: str) -> None:
    """Without an option it is for this data centre; what is planned is for this machine."""
    assert whom(words) == (extent, at)


@pytest.mark.parametrize("words", ["-d vip-1.tld", "-d vip-1.tld --here", "-a all --here"])
def test_without_a_site(words: str) -> None:
    """There is this machine alone."""
    assert whom(words, has_site=False) == ("", "")


def test_a_time_without_a_site() -> None:
    """What is no data centre's name is left to who reads times, as ever."""
    assert whom("-d vip-1.tld --at soon", has_site=False) == ("", "soon")


@pytest.mark.parametrize(
    ("words", "has_site", "said"),
    [
        ("-d x --here --everywhere", True, "--here and --everywhere exclude each other"),
        (
            "-d x --everywhere --soft",
            True,
            "--everywhere and --soft: no data centre is left to take over",
        ),
        ("-d x --everywhere --at lyo1", True, "--everywhere and --at exclude each other"),
        ("-d x --here --at lyo1", True, "--here and --at lyo1 exclude each other"),
        ("-a x --here --at lyo1", True, "--here and --at exclude each other"),
        ("-d x --at lyo1 --late 5m", True, "--late is only valid with a time"),
        ("-d x --at lyo1 --at +30m", True, "--at: may be given once: what is planned is for this"),
        (
            "-d x --at lyo2",
            True,
            "--at: 'lyo2': neither a data centre of vip.toml (par1, lyo1) nor",
        ),
        ("-a x --at +30m", True, "--at is only valid with -d"),
        ("-a x --at lyo2", False, "--at is only valid with -d"),
        ("-d x --at +30m --timeout 5s", True, "--timeout is only valid with --until"),
        ("-d x --at soon --last", False, "--last and --at exclude each other"),
        ("-d x --at soon --until-gone", False, "--until-… can't be combined with --at"),
        ("-d x --at soon --soft --force", False, "--force and --at exclude each other"),
        ("-d x --here --timeout 5s", True, "--timeout is only valid with --until"),
        ("-d x --timeout 5s", False, "--timeout is only valid with --until"),
        ("-d x --everywhere --until-gone", True, "--until-… waits for paths of this data centre"),
        ("-a x --at lyo1 --until-seen", True, "--until-… waits for paths of this data centre"),
        ("-d x --at lyo1", False, "--at lyo1: other machines can be asked only with [site] in"),
        ("-a x --everywhere", False, "--everywhere: other machines can be asked only with [site]"),
        ("status --site --watch", True, "--site and --watch exclude each other"),
        ("status --everywhere", True, "--everywhere is only valid with"),
    ],
)
def test_usage(words: str, has_site: bool, said: str) -> None:  # noqa: FBT001 - a column of the table
    """What can't be asked so is refused, and says what to write."""
    with pytest.raises(UsageError) as error:
        whom(words, has_site=has_site)
    assert said in str(error.value)


def test_how_long_others_are_waited_for() -> None:
    """As vip.toml says, or the command; for ever is not possible."""
    for words, within in (([], 7.0), (["--timeout", "1s"], 1.0), (["--timeout", "9h"], MAX_WITHIN)):
        call = for_whom(parse(["-d", "x", *words]), "par1", DCS, has_site=True)
        assert wait_for_others(call, 7.0) == within
    here = for_whom(parse(["-d", "x", "--here"]), "par1", DCS, has_site=True)
    assert wait_for_others(here, 7.0) is None
