"""Who asks the API without a token: by a certificate, or as a member of a group; and that reading is apart from reporting."""

from __future__ import annotations

import asyncio
import grp
import http.client
import os
import socket
import ssl
import subprocess
import sys
import time
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from speaker import config
from speaker.config.settings_api import ApiSettings, ApiTls, TokenRights
from speaker.control.api_server import SUBJECT, TOKENS, Desk, ListenPlace, serve, serving
from speaker.control.callers import Callers, names_in
from speaker.control.other_end import other_end
from speaker.control.tls import ends
from tests.support.fakes.site import SECOND, running, write_config
from tests.support.lab.eventually import eventually
from tests.unit.control.test_api_server import APP, LOOK, UP, ask, once, served, write_tokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.fakes.site import Site

MINE = grp.getgrgid(os.getgid()).gr_name
OTHER = next(g.gr_name for g in grp.getgrall() if g.gr_gid not in {os.getgid(), *os.getgroups()})
SHOP = '[api.tokens.web]\nreport = ["shop"]\n'
REPORT = ("PUT", "/v1/reports/shop", UP)


class Authority:
    """A CA of this test's own, and certificates of it."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self.certificate, self._key = directory / f"{name}.pem", directory / f"{name}.key"
        self._openssl("req", "-x509", *self._new(self._key), "-out", str(self.certificate))

    def of(self, subject: str, *names: str, days: int = 2) -> ApiTls:
        """Return a certificate, with those alternative names."""
        made = self._directory / f"{subject}.pem", self._directory / f"{subject}.key"
        request, extension = self._directory / "request", self._directory / "extension"
        self._openssl("req", *self._new(made[1], subject), "-out", str(request))
        extension.write_text(f"subjectAltName={','.join(names)}\n" if names else "")
        by = ["-CA", str(self.certificate), "-CAkey", str(self._key), "-CAcreateserial"]
        more = ["-extfile", str(extension), "-days", str(days), "-out", str(made[0])]
        self._openssl("x509", "-req", "-in", str(request), *by, *more)
        return ApiTls(*made)

    def _new(self, key: Path, subject: str = "authority") -> list[str]:
        curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        return [*curve.split(), "-subj", f"/CN={subject}", "-keyout", str(key)]

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True)


def over_tls(port: int, trusts: Path, shown: ApiTls | None, token: str = "") -> tuple[int, Any]:
    """Report over TLS, showing a certificate."""
    context = ssl.create_default_context(cafile=str(trusts))
    if shown is not None:
        context.load_cert_chain(shown.certificate, shown.key)
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context)
    with closing(connection):
        return ask(connection, *REPORT, token=token)[:2]


def test_by_certificate(tmp_path: Path) -> None:
    """A certificate of `client_ca` with the name that a table has counts; no other, none without one, and a bad token is not made good by one."""
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    own = ours.of("server", "IP:127.0.0.1")
    tls = replace(own, client_ca=ours.certificate)
    named = SHOP + 'certificate = "web.example"\n'
    api = (
        f'client_ca = "{ours.certificate}"\ncertificate = "{own.certificate}"\nkey = "{own.key}"\n'
    )
    shown = {
        "web": ours.of("web", "DNS:a.example", "DNS:web.example"),
        "web.example": ours.of("web.example"),
        "other": ours.of("other", "DNS:other.example", "email:web.example"),
    }
    stranger = theirs.of("stranger", "DNS:web.example")

    def play(site: Site, port: int) -> None:
        for name, status in (("web", 200), ("web.example", 200), ("other", 401)):
            assert over_tls(port, ours.certificate, shown[name])[0] == status, name
        assert site.store.intents().reports["shop"].by == "web"
        assert over_tls(port, ours.certificate, None)[0] == 401
        assert over_tls(port, ours.certificate, None, APP)[0] == 200
        assert over_tls(port, ours.certificate, shown["web"], "x" * 32)[0] == 401
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            over_tls(port, ours.certificate, stranger)
        assert site.store.intents().reports["shop"].by == "app"

    served(tmp_path, play, tls, named, api)


def test_names_of_a_certificate() -> None:
    """Its alternative names are its names; the common one counts only where there are none."""
    subject = ((("organizationName", "x"),), (("commonName", "a.example"),))
    assert names_in({"subject": subject}) == {"a.example"}
    assert names_in(
        {"subject": subject, "subjectAltName": (("DNS", "b.example"), ("URI", "spiffe://c/d"))}
    ) == {"b.example", "spiffe://c/d"}
    assert names_in({"subject": subject, "subjectAltName": (("IP Address", "192.0.2.1"),)}) == set()
    assert names_in({}) == set()


def test_a_certificate_that_has_expired() -> None:
    """A connection that outlives the certificate with which it began is nobody's any more."""
    rights = TokenRights("web", certificate="web.example")
    shown = {"notAfter": "Jan  1 00:00:00 2027 GMT", "subjectAltName": (("DNS", "web.example"),)}
    request: Any = SimpleNamespace(
        headers={}, transport=SimpleNamespace(get_extra_info=lambda _: shown)
    )

    async def known(now: float) -> bool:
        clock: Any = SimpleNamespace(wall=lambda: now, steady=lambda: now)
        callers = Callers(lambda: ApiSettings(tokens={"web": rights}), clock, lambda _: None)
        return await callers.of(request) is not None

    ends = 1798761600.0
    assert asyncio.run(known(ends - 1))
    assert not asyncio.run(known(ends))


def by_socket(
    directory: Path, play: Callable[[Site, Path], object], more: str, group: str | None = None
) -> None:
    """Run a site whose API is at a unix socket, and ask it from a thread."""
    path = directory / "api.sock"
    text = write_tokens(directory).replace("[api]\n", f'[api]\nlisten = ["{path}"]\n') + more

    async def main() -> None:
        async with AsyncExitStack() as stack:
            site = await stack.enter_async_context(running(directory, more=text))
            await stack.enter_async_context(
                serving(Desk(site.reconciler), ListenPlace(path, group=group))
            )
            await asyncio.to_thread(play, site, path)

    asyncio.run(main())


def is_served(path: Path) -> bool:
    """Tell whether somebody listens: a socket is there a moment before."""
    with socket.socket(socket.AF_UNIX) as tried:
        return tried.connect_ex(str(path)) == 0


def over_socket(
    path: Path, method: str, target: str, body: object = None, token: str = ""
) -> tuple[int, Any]:
    client = http.client.HTTPConnection("localhost", timeout=60)
    client.sock = socket.socket(socket.AF_UNIX)
    client.sock.connect(str(path))
    with closing(client):
        return ask(client, method, target, body, token)[:2]


def test_by_group(tmp_path: Path) -> None:
    """On a unix socket a member of a table's group reports without a token, under its own name; a token is one there, too."""

    def play(site: Site, path: Path) -> None:
        assert over_socket(path, *REPORT)[0] == 200
        by = site.store.intents().reports["shop"].by
        assert by.startswith("web (")
        assert over_socket(path, "GET", "/v1/reports")[0] == 403
        assert over_socket(path, "GET", "/v1/reports", token=LOOK)[0] == 200
        assert over_socket(path, *REPORT, token="x" * 32)[0] == 401

    by_socket(tmp_path, play, f'{SHOP}group = "{MINE}"\n')


def test_no_member(tmp_path: Path) -> None:
    """Who is in no group of a table needs a token; a group that does not exist is an alarm."""

    def play(site: Site, path: Path) -> None:
        assert over_socket(path, *REPORT)[0] == 401
        assert any(
            text.startswith(TOKENS) and "group no-such-group of" in text
            for text in site.reconciler.alarms.texts
        )
        assert over_socket(path, *REPORT, token=APP)[0] == 200

    more = f'{SHOP}group = "{OTHER}"\n[api.tokens.none]\ngroup = "no-such-group"\n'
    by_socket(tmp_path, play, more)


def test_what_was_wrong_is_right_again(tmp_path: Path) -> None:
    """A file of tokens that is back, and a group that is there, end their alarms though nobody asks any more; and silence counts again."""
    path, tokens = tmp_path / "api.sock", tmp_path / "tokens"
    more = write_tokens(tmp_path).replace("[api]\n", f'[api]\nlisten = ["{path}"]\n')
    more += f'{SHOP}group = "no-such-group"\n'
    kept = tokens.read_text()

    def play(site: Site) -> None:
        eventually(lambda: is_served(path), within=10, what="the socket is served")
        tokens.unlink()
        assert over_socket(path, *REPORT, token=APP)[0] == 401
        assert over_socket(path, *REPORT)[0] == 401
        (said,) = [text for text in site.reconciler.alarms.texts if text.startswith(TOKENS)]
        assert "nobody may report" in said
        assert "no-such-group" in said
        assert TOKENS in site.reconciler.durable.intents.hindered
        tokens.write_text(kept)
        tokens.chmod(0o644)
        changed = config.load(write_config(tmp_path, more.replace("no-such-group", MINE)), {})
        site.reconciler.config = changed
        eventually(
            lambda: not any(t.startswith(TOKENS) for t in site.reconciler.alarms.texts),
            within=10,
            what="no alarm",
        )
        assert TOKENS not in site.reconciler.durable.intents.hindered

    while_served(tmp_path, more, play)


def while_served(directory: Path, more: str, play: Callable[[Site], object]) -> None:
    """Run a site whose API is wherever vip.toml says, and play in a thread."""

    async def main() -> None:
        async with running(directory, more=more) as site:
            task = asyncio.create_task(serve(site.reconciler))
            try:
                await asyncio.to_thread(play, site)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_the_socket_has_its_group(tmp_path: Path) -> None:
    """`[api] group` is that of the socket; by another place than a unix socket nobody is a member of a group."""

    def play(_: Site, path: Path) -> None:
        found = path.stat()
        assert (found.st_gid, found.st_mode & 0o777) == (grp.getgrnam(group).gr_gid, 0o660)

    group = OTHER if os.geteuid() == 0 else MINE
    by_socket(tmp_path, play, "", group)
    path = tmp_path / "x.sock"
    more, listen = f'{SHOP}group = "{MINE}"\n', f'listen = ["{path}"]\n'
    served(
        tmp_path, lambda _, port: _is(once(port, *REPORT, token="")[0], 401), None, more, api=listen
    )


def _is(found: int, wanted: int) -> None:
    assert found == wanted


CONNECT = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.recv(1)"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_groups_of_who_connected(tmp_path: Path) -> None:
    """All groups of a process count, whoever it is, as the kernel had them when it connected."""

    async def main() -> None:
        found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def connected(_: object, writer: asyncio.StreamWriter) -> None:
            found.set_result(other_end(writer.transport))
            writer.close()

        path = tmp_path / "s"
        async with await asyncio.start_unix_server(connected, path):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", CONNECT, str(path), group=4001, extra_groups=[4002, 4003]
            )
            assert (await found).groups == {4001, 4002, 4003}
            await process.wait()

    asyncio.run(main())


def test_who_reads(tmp_path: Path) -> None:
    """Who may read sees what is announced, and can change nothing; who may report sees nothing."""

    def play(site: Site, port: int) -> None:
        status, told, _ = once(port, "GET", "/v1/status", token=LOOK)
        assert status == 200
        assert str(SECOND) in {each["prefix"] for each in told["routes"]}
        assert once(port, "GET", "/v1/status", token=APP)[0] == 403
        assert once(port, "GET", "/v1/status", token="")[0] == 401
        assert once(port, *REPORT, token=LOOK)[0] == 403
        assert site.store.intents().reports == {}

    served(tmp_path, play)


def test_the_servers_certificate_has_expired(tmp_path: Path) -> None:
    """A certificate of the API that has expired is an alarm, and callers who can't report are not taken for silent; renewed, all is well."""
    authority = Authority(tmp_path, "ca")
    good, old = authority.of("good", "IP:127.0.0.1"), authority.of("old", days=-1)
    assert time.time() < ends(good) < time.time() + 3 * 86400
    assert ends(old) == 0
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    more = write_tokens(tmp_path).replace(
        "[api]\n",
        f'[api]\nlisten = ["127.0.0.1:{port}"]\ncertificate = "{old.certificate}"\nkey = "{old.key}"\n',
    )

    def play(site: Site) -> None:
        def wrong() -> list[str]:
            return [text for text in site.reconciler.alarms.texts if text.startswith(SUBJECT)]

        hindered = site.reconciler.durable.intents.hindered
        eventually(lambda: any("has expired" in t for t in wrong()), within=10, what="an alarm")
        assert SUBJECT in hindered
        renewed = more.replace("old.pem", "good.pem").replace("old.key", "good.key")
        site.reconciler.config = config.load(write_config(tmp_path, renewed), {})
        eventually(lambda: not wrong() and not hindered, within=10, what="no alarm")

    while_served(tmp_path, more, play)
