"""One member of an etcd in memory as its JSON gateway, over HTTP on loopback, with faults that a real one can't be made to have."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from aiohttp import web

from speaker.site.base import CompactedError, Compare, Delete, EtcdRefusedError, Put

if TYPE_CHECKING:
    from speaker.site.base import Stored
    from tests.support.fakes.etcd import Cluster

PASSWORD = "correct horse"


class Gateway:
    """A member. It knows reading, transactions, watching what was before, and logins.

    Attributes:
        asked: the paths of what it was asked, in order.
        lost: of so many transactions to come the answer is lost: the connection is closed when it is done.
        hangs: whether it says nothing.
        cut: whether each answer ends, with its connection, before it is whole.
        slow: seconds until it answers; it does what it is asked at once.
        says: what it answers to all, in place of what is asked: a status, a text.
        password: that of its users; none: it has no users.
        tokens: those that are good.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.asked: list[str] = []
        self.was_asked = asyncio.Event()
        self.lost = 0
        self.hangs = self.cut = False
        self.slow = 0.0
        self.says: tuple[int, bytes] | None = None
        self.headers: dict[str, str] = {}
        self.password = ""
        self.tokens: set[str] = set()
        self.lines: list[bytes] = []
        """What a watch says, part by part, in place of what happened."""

    async def start(self) -> str:
        """Serve on loopback; return the URL."""
        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        return f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        """Serve no more: connections are refused."""
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/v3/")
        self.asked.append(path)
        self.was_asked.set()
        asked = json.loads(await request.read())
        if self.hangs:
            await asyncio.sleep(3600)
        if self.cut:
            return await self._begin_alone(request)
        if self.says:
            status, body = self.says
            return web.Response(status=status, body=body, headers=self.headers)
        if path == "auth/authenticate":
            return self._log_in(asked)
        if self.password and request.headers.get("Authorization") not in self.tokens:
            return _refused(16, "etcdserver: invalid auth token")
        if path == "watch":
            return await self._watch(request)
        try:
            found = self._do(path, asked)
        except CompactedError:
            return _refused(11, "etcdserver: mvcc: required revision has been compacted")
        except EtcdRefusedError as error:
            return _refused(3, str(error))
        await asyncio.sleep(self.slow)
        if self.lost and path == "kv/txn":
            self.lost -= 1
            assert request.transport
            request.transport.abort()
        return web.json_response(found)

    async def _begin_alone(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 100
        await response.prepare(request)
        await response.write(b"{")
        assert request.transport
        request.transport.close()
        return response

    def _log_in(self, asked: Any) -> web.Response:
        if not self.password:
            return _refused(9, "etcdserver: authentication is not enabled")
        if asked["password"] != self.password:
            return _refused(3, "etcdserver: authentication failed, invalid user ID or password")
        self.tokens.add(token := f"token.{len(self.tokens)}")
        return web.json_response({"token": token})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        created = {"result": {**self._head(), "created": True}}
        await response.write(json.dumps(created).encode() + b"\n")
        for part in self.lines:
            await response.write(part)
            await asyncio.sleep(0)
        await asyncio.sleep(3600)
        return response

    def _head(self) -> dict[str, Any]:
        return {"header": {"revision": str(self.cluster.revision), "cluster_id": "7"}}

    def _do(self, path: str, asked: Any) -> dict[str, Any]:
        match path:
            case "kv/range":
                return {**self._head(), **self._page(asked)}
            case "kv/txn":
                compares = [
                    Compare(_text(each["key"]), int(each["mod_revision"]))
                    for each in asked["compare"]
                ]
                said = self.cluster.transact(compares, [*map(_change, asked["success"])])
                keys = [_text(each["request_range"]["key"]) for each in asked["failure"]]
                ranges = [{"response_range": {"kvs": self._kvs(key, one=True)}} for key in keys]
                return {
                    **self._head(),
                    "succeeded": said.done,
                    "responses": [] if said.done else ranges,
                }
        raise AssertionError(path)

    def _page(self, asked: Any) -> dict[str, Any]:
        begin, end = _text(asked["key"]), _text(asked.get("range_end", ""))
        found = [each for each in self.cluster.stored() if begin <= each.key < end]
        limit = asked.get("limit") or len(found)
        return {"kvs": [*map(_kv, found[:limit])], "more": len(found) > limit}

    def _kvs(self, under: str, *, one: bool = False) -> list[dict[str, str]]:
        return [_kv(each) for each in self.cluster.stored(under) if not one or each.key == under]


def _kv(each: Stored) -> dict[str, str]:
    return {
        "key": _b64(each.key.encode()),
        "value": _b64(each.value),
        "create_revision": str(each.created),
        "mod_revision": str(each.modified),
        "lease": str(each.lease),
    }


def _refused(code: int, text: str) -> web.Response:
    return web.json_response({"error": text, "message": text, "code": code}, status=400)


def _change(each: Any) -> Put | Delete:
    if found := each.get("request_put"):
        return Put(_text(found["key"]), b64decode(found["value"]), int(found.get("lease", 0)))
    return Delete(_text(each["request_delete_range"]["key"]))


def _text(key: str) -> str:
    return b64decode(key).decode()


def _b64(raw: bytes) -> str:
    return b64encode(raw).decode()
