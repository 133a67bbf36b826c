"""--at: a data centre where vip.toml has one of that name, else a time, and never both or something else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from speaker.cli.arguments import parse
from speaker.cli.commands import UsageError
from speaker.cli.extents import for_whom

WORDS = st.one_of(
    st.sampled_from(
        ["par1", "lyo1", "+30m", "2126-12-01T02:00", "2126-12-01T02:00Z", "all", "soon"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
).filter(lambda text: not text.startswith("-"))
NAMES = st.lists(WORDS, unique=True, max_size=4)


@given(WORDS, NAMES, st.booleans(), st.sampled_from(["-d", "-a"]))
def test_a_name_or_a_time(at: str, dcs: list[str], has_site: bool, command: str) -> None:  # noqa: FBT001 - drawn
    """With [site], a data centre's name is that data centre, and nothing is planned; without, no other machine is ever meant."""
    try:
        call = parse([command, "x", "--at", at])
        call = for_whom(call, "par1", dcs, has_site=has_site)
    except UsageError:
        assert command == "-a" or not has_site or at not in dcs
        return
    if at in dcs:
        assert has_site
        assert (call.extent, call.at) == (f"dc:{at}", "")
    else:
        assert command == "-d"
        assert (call.extent, call.at) == ("", at)
