"""What is wrong with etcd, in words: each cause once, each member once."""

from __future__ import annotations

from speaker.site.base import UnreachableError
from speaker.site.troubles import in_words

MEMBERS = "192.0.2.21:2379", "192.0.2.22:2379", "192.0.2.23:2379"
REMEDY = "see to the members, and the network to them"


def failed(what: str, **causes: list[str]) -> UnreachableError:
    """What befell a question."""
    said = {why.replace("_", " "): members for why, members in causes.items()}
    return UnreachableError(f"etcd: {what}: {said}", {**said, REMEDY: []})


def test_each_once() -> None:
    """However many questions failed, each cause is said once, with its members in order, and what to do once, last."""
    parts = [
        failed(
            f"question {number}", No_route_to_host=[*MEMBERS[number % 3 :], *MEMBERS[: number % 3]]
        )
        for number in range(5)
    ]
    said = in_words(parts)
    assert said == f"etcd: {', '.join(MEMBERS)}: No route to host; {REMEDY}"
    assert len(said) < 200


def test_a_member_once() -> None:
    """What a member is said to have done is one thing, though each question met it otherwise."""
    one, other, third = MEMBERS
    said = in_words(
        [failed("a", no_answer=[one], refused=[other]), failed("b", closed=[third, other, one])]
    )
    assert said == f"etcd: {one}: no answer; {other}: refused; {third}: closed; {REMEDY}"


def test_beside_it() -> None:
    """What is not of members is said as it is, once; nothing where all is well."""
    refused = UnreachableError("etcd: store: x: space exceeded", {"space exceeded": []})
    whole = UnreachableError("etcd: the watch ended")
    assert in_words(["", refused, refused, whole, "copy: full", "copy: full"]) == (
        "etcd: space exceeded; etcd: the watch ended; copy: full"
    )
    assert in_words(["", ""]) == ""
