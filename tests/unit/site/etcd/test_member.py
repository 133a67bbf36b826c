"""What a member is not asked, for a reason of this machine's own."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

import pytest

from speaker.health.checks.certificates import TlsFileError
from speaker.site.base import EtcdError, EtcdRefusedError
from speaker.site.etcd.errors import NotAskedError
from speaker.site.etcd.member import MemberClient

if TYPE_CHECKING:
    import ssl

    import aiohttp


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (
            BlockingIOError(errno.EAGAIN, "no thread; raise TasksMax"),
            NotAskedError,
            "the files of TLS were not read: no thread; raise TasksMax",
        ),
        (
            TlsFileError("/etc/x.pem: no certificate"),
            EtcdRefusedError,
            "TLS: /etc/x.pem: no certificate; correct the file, or site.ca, site.cert, site.key",
        ),
    ],
    ids=["shortage", "file"],
)
def test_the_files_of_tls(fault: Exception, kind: type[EtcdError], said: str) -> None:
    """Files that can't be read are an error of etcd's client, which is told and tried again: a shortage ends nothing."""

    async def context() -> ssl.SSLContext:
        raise fault

    def session() -> aiohttp.ClientSession:
        raise AssertionError("it is not asked")

    async def main() -> None:
        await MemberClient("https://192.0.2.21:2379", session, context).ask("/v3/kv/range", {})

    with pytest.raises(kind) as error:
        asyncio.run(main())
    assert str(error.value) == said
