"""What etcd's gateway answers is parsed into values, or refused with an error of a name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from speaker.errors import SpeakerError
from speaker.site.base import (
    Changed,
    CompactedError,
    Compare,
    Delete,
    EtcdRefusedError,
    LeaseOverError,
    Put,
    Stored,
    Transacted,
)
from speaker.site.etcd import answers, requests
from speaker.site.etcd.errors import MemberError, NoLoginError, TokenError
from tests.tools.fuzz.etcd import READERS
from tests.unit.site.etcd import recorded

if TYPE_CHECKING:
    from collections.abc import Sequence

A, B = "/vip-speaker/a", "/vip-speaker/b"


def test_a_range() -> None:
    """Numbers are texts, values are in base64, and what is missing is 0 or empty."""
    page = answers.page(recorded.RANGE)
    assert page.items == (Stored("/x/a", b"v", 2, 3), Stored("/x/b", b"", 3, 3, 77))
    assert (page.revision, page.more, page.cluster) == (3, True, f"{324952591200643719:x}")
    assert answers.page(recorded.EMPTY).items == ()


def test_a_watch() -> None:
    """The first line says that it has begun; then come changes, in order, and what is gone has no value."""
    assert answers.heard(recorded.CREATED).created
    heard = answers.heard(recorded.EVENTS)
    assert heard.changes == (Changed("/x/a", b"v", 2), Changed("/x/a", None, 3))
    assert not heard.more
    with pytest.raises(CompactedError, match="revision 3 is compacted"):
        answers.heard(recorded.COMPACTED)
    with pytest.raises(EtcdRefusedError, match="permission denied"):
        answers.heard(recorded.DENIED)
    with pytest.raises(MemberError, match="no leader"):
        answers.heard(recorded.NO_LEADER)


def test_leases() -> None:
    """A lease that is over is kept for no time."""
    assert answers.lease(recorded.LEASE) == 2324035648881514763
    assert answers.kept(recorded.KEPT) == 2
    assert answers.kept(recorded.LEASE_OVER) == 0
    assert answers.token(recorded.TOKEN) == "WPIFjgJlbCzkvjFj.16"


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (5, "etcdserver: requested lease not found", LeaseOverError),
        (7, "etcdserver: permission denied", EtcdRefusedError),
        (16, "etcdserver: invalid auth token", TokenError),
        (3, "etcdserver: revision of auth store is old", TokenError),
        (3, "etcdserver: user name is empty", TokenError),
        (3, "etcdserver: authentication failed, invalid user ID or password", EtcdRefusedError),
        (3, "etcdserver: request is too large", EtcdRefusedError),
        (9, "etcdserver: authentication is not enabled", NoLoginError),
        (8, "etcdserver: mvcc: database space exceeded", EtcdRefusedError),
        (8, "etcdserver: too many requests", MemberError),
        (11, "etcdserver: mvcc: required revision has been compacted", CompactedError),
        (14, "etcdserver: request timed out", MemberError),
        (13, "etcdserver: \x1b[31mred", MemberError),
    ],
)
def test_refusals(code: int, text: str, kind: type[SpeakerError]) -> None:
    """A refusal is told by its code and words; what may be done in spite of it is no refusal. Nothing in it acts on a terminal."""
    body = json.dumps({"error": text, "message": text, "code": code}).encode()
    error = answers.failure(400, body)
    assert type(error) is kind
    assert str(error).isprintable()


def test_a_stream_that_does_not_begin() -> None:
    """What refuses a stream before its first line has the form of a line."""
    error = answers.failure(503, recorded.NO_LEADER)
    assert str(error) == "no leader"


def test_others_than_etcd() -> None:
    """An answer of something else is named by its status and first words."""
    error = answers.failure(502, b"<html>\r\n\x1b[2J" + b"x" * 1000)
    assert type(error) is MemberError
    assert str(error).isprintable()
    assert len(str(error)) < 200


def test_a_common_name() -> None:
    """Where etcd refuses a certificate for its CommonName, it is said what to do."""
    said = b"CommonName of client sending a request against gateway will be ignored and not used as expected\n"
    error = answers.failure(400, said)
    assert type(error) is EtcdRefusedError
    assert "site.cert" in str(error)


def came_of(
    compares: Sequence[Compare], then: Sequence[Put | Delete], *found: Stored
) -> Transacted | None:
    said = answers.TransactionAnswer(done=False, revision=20, found=found)
    return answers.came_of(compares, then, said)


def test_it_was_done_by_another() -> None:
    """What all keys have as they were to have it, since one revision that is newer, was done; else it can't be told."""
    compares, then = [Compare(A, 7), Compare(B, 0)], [Put(A, b"1", 5), Put(B, b"2")]
    mine = Stored(A, b"1", 3, 9, 5), Stored(B, b"2", 9, 9)
    assert came_of(compares, then, *mine) == Transacted(done=True, revision=9)
    for other in (
        (mine[0],),  # one is gone since
        (mine[0], Stored(B, b"3", 9, 10)),  # or is another
        (mine[0], Stored(B, b"2", 10, 10)),  # or was stored again
        (Stored(A, b"1", 3, 9), mine[1]),  # or has no lease any more
        (),
    ):
        assert came_of(compares, then, *other) is None
    # It had that before: the transaction may not have been what stored it.
    assert came_of([Compare(A, 9)], [Put(A, b"1", 5)], mine[0]) is None
    assert came_of([Compare(B, 3)], [Put(A, b"1", 5)], mine[0]) is None
    # Others may have removed it.
    assert came_of([Compare(A, 7)], [Delete(A)]) is None
    assert came_of([Compare(A, 7), Compare(B, 7)], [Put(A, b"1", 5), Delete(B)], *mine) is None
    assert came_of([Compare(A, 7), Compare(B, 7)], [Put(A, b"1", 5), Delete(B)], mine[0])


def test_ranges_asked_for() -> None:
    """All keys that begin with a text are before the one that is asked as their end; the next page begins behind the last key."""
    asked = requests.range_under("/x/")
    assert (asked["key"], asked["range_end"]) == ("L3gv", "L3gw")
    assert requests.range_under("/x/", "/x/a", 7)["key"] == "L3gvYQA="
    assert requests.range_under("")["range_end"] == "AA=="


@given(st.binary())
def test_keys_of_any_octets(raw: bytes) -> None:
    """A key of any octets is read, and asked for again as it is."""
    key = raw.decode(errors="surrogateescape")
    asked = requests.transaction([], [Put(key, raw)])["success"][0]["request_put"]
    body = json.dumps({"kvs": [asked]}).encode()
    assert answers.page(body).items == (Stored(key, raw, 0, 0),)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(
        "header kvs key value lease revision mod_revision more result error code grpc_code message events kv type created "
        "canceled cancel_reason compact_revision succeeded responses response_range TTL ID token fragment".split()
    ), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(_JSON)
@example({"result": {"events": [None]}})
@example({"result": {"events": [{"kv": {"key": 7}}]}})
@example({"responses": [None]})
@example({"kvs": [{"key": "é"}]})
@example({"header": {"revision": "٣"}})
@example({"header": {"revision": "9" * 5000}})
@example({"error": None})
@example({"result": {"canceled": True, "cancel_reason": 7}})
@example({"code": True, "message": ""})
def test_any_json(found: object) -> None:
    """Whatever JSON is answered is a value, or an error of a name."""
    body = json.dumps(found).encode()
    for read in READERS:
        try:
            read(body)
        except SpeakerError as error:
            assert str(error).isprintable()  # noqa: PT017 - only if there is one
