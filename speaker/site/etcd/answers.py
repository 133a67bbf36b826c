"""What answers of etcd's gateway say: JSON to values, or a named error. Pure.

As etcd 3.4 writes them: keys and values are in base64, numbers of 64 bits are texts, and what is 0, false or empty is left out.
An answer of a stream is a line, with `result` or `error` in it; of others, an object, or an error by its HTTP status.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speaker.printable import printable
from speaker.site.base import Changed, EtcdRefusedError, Put, Stored, Transacted
from speaker.site.etcd.errors import MemberError, refusal, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.site.base import Compare, Delete

Json = dict[str, Any]
_SHOWN = 100
"""How many octets of a foreign answer are shown."""


@dataclass(frozen=True, slots=True)
class RangePage:
    """Part of a range: of which revision and cluster it is, and whether there is more behind it."""

    revision: int
    cluster: str
    items: tuple[Stored, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class TransactionAnswer:
    """What a member says of a transaction: done, or not, and then what its keys have."""

    done: bool
    revision: int
    found: tuple[Stored, ...] = ()


@dataclass(frozen=True, slots=True)
class WatchLine:
    """A line of a watch.

    Attributes:
        revision: of the cluster, as far as the member has it; 0 where it says none.
        cluster: which cluster it is.
        created: whether it is the first line, which says that the watch has begun.
        changes: what happened, in order.
        more: whether the next line goes on with the same.
    """

    revision: int
    cluster: str
    created: bool
    changes: tuple[Changed, ...]
    more: bool


def failure(status: int, body: bytes) -> Exception:
    """Return the error that an answer is whose HTTP status is not 200."""
    try:
        found = _object(body)
        if isinstance(found.get("error"), dict):  # a stream's
            found = _inner(found, "error")
        code, text = found.get("grpc_code", found.get("code")), found.get("message")
    except MemberError:
        code = text = None
    if isinstance(code, int) and isinstance(text, str):
        return refusal(code, text)
    if b"CommonName of client" in body:  # where etcd asks for a certificate and for a user
        return EtcdRefusedError("site.cert has a CommonName; make one whose subject has none")
    return MemberError(f"HTTP {status}: {words(body[:_SHOWN].decode(errors='replace').strip())!r}")


def page(body: bytes) -> RangePage:
    """Return what a range says.

    Raises:
        MemberError: it is of another form.
    """
    found = _object(body)
    head = _head(found)
    items = tuple(_stored(each) for each in _list(found, "kvs"))
    return RangePage(
        _number(head, "revision"), _cluster(head), items, more=_flag(found, "more") and bool(items)
    )


def attempt(body: bytes) -> TransactionAnswer:
    """Return what a transaction says.

    Raises:
        MemberError: it is of another form.
    """
    found = _object(body)
    revision = _number(_head(found), "revision")
    if _flag(found, "succeeded"):
        return TransactionAnswer(done=True, revision=revision)
    ranges = [_inner(each, "response_range") for each in _list(found, "responses")]
    items = [_stored(item) for each in ranges for item in _list(each, "kvs")]
    return TransactionAnswer(done=False, revision=revision, found=tuple(items))


def lease(body: bytes) -> int:
    """Return the number of a lease that was granted.

    Raises:
        MemberError: it is of another form.
    """
    return _number(_object(body), "ID")


def kept(line: bytes) -> float:
    """Return for how many seconds a lease was kept, 0 where it is over.

    Raises:
        MemberError: it is of another form.
        EtcdError: the member refuses.
    """
    return float(_number(_result(line), "TTL"))


def token(body: bytes) -> str:
    """Return the token of a login.

    Raises:
        MemberError: it is of another form.
    """
    found = _object(body).get("token")
    if not isinstance(found, str) or not found.isascii() or not found.isprintable() or not found:
        raise MemberError("a login without a token")
    return found


def heard(line: bytes) -> WatchLine:
    """Return what a line of a watch says.

    Raises:
        MemberError: it is of another form, or the member has ended the watch.
        EtcdError: the member refuses.
    """
    found = _result(line)
    head = _head(found)
    if _flag(found, "canceled"):
        if compacted := _number(found, "compact_revision"):
            raise refusal(11, f"what happened before revision {compacted} is compacted")
        raise _ended(str(found.get("cancel_reason", "")))
    return WatchLine(
        _number(head, "revision"),
        _cluster(head),
        _flag(found, "created"),
        tuple(_changed(each) for each in _list(found, "events")),
        more=_flag(found, "fragment"),
    )


def came_of(
    compares: Sequence[Compare], then: Sequence[Put | Delete], said: TransactionAnswer
) -> Transacted | None:
    """Return what came of a transaction that another member may have done before; None where that can't be told.

    Who is asked second finds then that not all is so any more. It is done, if each key has what it was to have, since one
    revision that is newer than what it was compared with.

    Args:
        compares: what had to be so.
        then: what was to be done.
        said: what the member says that was asked later.
    """
    if said.done:
        return Transacted(done=True, revision=said.revision)
    before = {each.key: each.modified for each in compares}
    found = {each.key: each for each in said.found}
    puts = [each for each in then if isinstance(each, Put)]
    has = [found.pop(each.key, None) for each in puts]
    as_asked = all(
        one is not None
        and (one.value, one.lease) == (put.value, put.lease)
        and one.modified > before.get(put.key, one.modified)
        for one, put in zip(has, puts, strict=True)
    )
    revisions = {one.modified for one in has if one is not None}
    if not puts or not as_asked or found or len(revisions) > 1:
        return None
    return Transacted(done=True, revision=max(revisions))


def _ended(reason: str) -> Exception:
    """Return why a member ended a watch, by its words: `rpc error: code = PermissionDenied desc = …`."""
    codes = {"PermissionDenied": 7, "permission denied": 7, "Unauthenticated": 16, "auth token": 16}
    codes |= {"auth store is old": 3, "user name is empty": 3}
    for begin, code in codes.items():
        if begin in reason:
            return refusal(code, reason.rpartition("desc = ")[2])
    return MemberError(f"it ended the watch: {printable(reason[:200]) or 'no reason given'}")


def _result(line: bytes) -> Json:
    """Return what a line of a stream has, which may be an error in place of a result."""
    found = _object(line)
    if "error" in found:
        error = _inner(found, "error")
        code, text = error.get("grpc_code", error.get("code")), error.get("message")
        if not isinstance(code, int) or not isinstance(text, str):
            raise MemberError("an error of another form than etcd's")
        raise refusal(code, text)
    return _inner(found, "result")


def _object(body: bytes) -> Json:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise MemberError("an answer that is no JSON") from None
    if not isinstance(found, dict):
        raise MemberError("an answer of another form than etcd's")
    return found


def _inner(found: Any, name: str) -> Json:
    inner = found.get(name, {}) if isinstance(found, dict) else None
    if not isinstance(inner, dict):
        raise MemberError(f"an answer whose {name} is of another form than etcd's")
    return inner


def _head(found: Json) -> Json:
    return _inner(found, "header")


def _cluster(head: Json) -> str:
    return f"{_number(head, 'cluster_id'):x}"


def _list(found: Json, name: str) -> list[Any]:
    inner = found.get(name, [])
    if not isinstance(inner, list):
        raise MemberError(f"an answer whose {name} is of another form than etcd's")
    return inner


def _flag(found: Json, name: str) -> bool:
    inner = found.get(name, False)
    if not isinstance(inner, bool):
        raise MemberError(f"an answer whose {name} is of another form than etcd's")
    return inner


def _number(found: Json, name: str) -> int:
    """Return a number of 64 bits, which is a text; 0 where there is none."""
    inner = found.get(name, "0")
    if isinstance(inner, str) and inner.isascii() and inner.isdigit() and len(inner) <= 20:
        return int(inner)
    if isinstance(inner, int) and not isinstance(inner, bool) and 0 <= inner < 1 << 64:
        return inner
    raise MemberError(f"an answer whose {name} is of another form than etcd's")


def _bytes(found: Json, name: str) -> bytes:
    inner = found.get(name, "")
    try:
        return b64decode(inner, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise MemberError(f"an answer whose {name} is of another form than etcd's") from None


def _stored(item: Any) -> Stored:
    if not isinstance(item, dict):
        raise MemberError("an answer with a key of another form than etcd's")
    return Stored(
        _key(item),
        _bytes(item, "value"),
        _number(item, "create_revision"),
        _number(item, "mod_revision"),
        _number(item, "lease"),
    )


def _changed(event: Any) -> Changed:
    item = _inner(event, "kv")
    gone = event.get("type", "PUT") == "DELETE"
    return Changed(
        _key(item), None if gone else _bytes(item, "value"), _number(item, "mod_revision")
    )


def _key(item: Json) -> str:
    """Return a key. One that is no UTF-8 is nobody's of ours, and its octets are kept."""
    return _bytes(item, "key").decode(errors="surrogateescape")
