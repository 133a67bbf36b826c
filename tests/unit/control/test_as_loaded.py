"""Intents on condition that a vip.toml is loaded: done wholly where it is, and else not at all."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from speaker import config, vip_mgmt
from speaker.cli.arguments import parse
from speaker.cli.early import ask_early
from speaker.cli.node import Node
from speaker.control import client
from speaker.control.client import RefusedError
from speaker.control.server import serving
from speaker.files import vip_toml
from tests.support.fakes.site import SECOND, V4, V6, Site, running, write_config
from tests.unit.control.test_read_socket import READ
from tests.unit.control.test_server import ME, raw, served

if TYPE_CHECKING:
    from pathlib import Path

THREE = set(map(str, (V4, V6, SECOND)))


def asked(site: Site, **other: object) -> dict[str, object]:
    """Return a drain of all, as vip_mgmt asks for it."""
    content = (site.directory / "vip.toml").read_bytes()
    return {
        "digest": vip_toml.digest(content),
        "dc": "par1",
        "backend": "exabgp",
        "mode": "drained",
        "prefixes": [],
        "everything": True,
        "reason": "",
        "seconds": None,
        "dry_run": False,
        **other,
    }


def ask(site: Site, **other: object) -> Any:
    return client.ask(site.control, "POST", "/intents/as-loaded", asked(site, **other))


def test_all(tmp_path: Path) -> None:
    """All prefixes of the configuration are drained, by whom the kernel tells, and restored."""

    def check(site: Site) -> None:
        outcomes = ask(site, reason="disk full")
        assert [each["prefix"] for each in outcomes] == [*map(str, site.reconciler.assignments)]
        assert all(each["as_wanted"] and each["before"] for each in outcomes)
        assert not site.table() & THREE
        (told,) = {each["reason"] for each in outcomes}
        assert told.startswith(f"drained by {ME} at ")
        assert told.endswith(": disk full")
        assert all(each["announced"] for each in ask(site, mode="auto"))
        assert site.table() >= THREE

    served(tmp_path, check)


def test_some(tmp_path: Path) -> None:
    """Prefixes that are named are meant, and no other; a dry run changes nothing."""

    def check(site: Site) -> None:
        some = {"everything": False, "prefixes": [str(SECOND)]}
        (outcome,) = ask(site, dry_run=True, **some)
        assert outcome["prefix"] == str(SECOND)
        assert site.table() >= THREE
        ask(site, **some)
        assert site.table() & THREE == THREE - {str(SECOND)}

    served(tmp_path, check)


def test_names(tmp_path: Path) -> None:
    """All prefixes of the VIPs that are named are meant; where one is no VIP, nothing is done."""

    def check(site: Site) -> None:
        with pytest.raises(RefusedError) as caught:
            ask(site, everything=False, names=["vip-1.tld", "vip-9.tld"])
        assert caught.value.status == 409
        assert site.table() >= THREE
        assert not site.store.intents().of
        outcomes = ask(site, everything=False, names=["vip-1.tld"], prefixes=[str(V4)])
        assert [each["prefix"] for each in outcomes] == [str(V4), str(V6)]
        assert site.table() & THREE == {str(SECOND)}

    served(tmp_path, check)


@pytest.mark.parametrize("other", [{"digest": "0" * 64}, {"dc": "lyo1"}, {"backend": "quagga"}])
def test_another_configuration(tmp_path: Path, other: dict[str, object]) -> None:
    """Where another file, or for another data centre or backend, is loaded, nothing is done."""

    def check(site: Site) -> None:
        with pytest.raises(RefusedError) as caught:
            ask(site, **other)
        assert caught.value.status == 409
        assert site.table() >= THREE
        assert not site.store.intents().of

    served(tmp_path, check)


@pytest.mark.parametrize(
    "other",
    [
        {"prefixes": ["192.0.2.9/32"]},
        {"prefixes": [], "everything": False},
        {"names": [], "everything": False},
        {"names": "vip-1.tld"},
        {"names": [3]},
        {"mode": "drain"},
        {"reason": "a\nb"},
        {"seconds": 0},
        {"digest": None},
        {"more": 1},
    ],
    ids=str,
)
def test_what_makes_no_sense(tmp_path: Path, other: dict[str, object]) -> None:
    """A prefix that is not known, or no prefix, or another form: refused as a whole."""

    def check(site: Site) -> None:
        with pytest.raises(RefusedError) as caught:
            ask(site, **other)
        assert caught.value.status == 400
        assert not site.store.intents().of

    served(tmp_path, check)


def test_a_reload_between(tmp_path: Path) -> None:
    """What was asked of a file that was loaded until then is not done, and neither of one not loaded yet."""

    async def main() -> None:
        async with running(tmp_path) as site, serving(site.control, site.reconciler):
            old = asked(site)
            path = write_config(tmp_path, '[vip."vip-3.tld"]\naddresses = ["192.0.2.3"]\n')
            new = asked(site)

            async def status_of(body: dict[str, object]) -> int | None:
                try:
                    await asyncio.to_thread(
                        client.ask, site.control, "POST", "/intents/as-loaded", body
                    )
                except RefusedError as error:
                    return error.status
                return 200

            assert await status_of(new) == 409
            loaded = config.load(path, {})
            site.source.live.update(dict.fromkeys(loaded.topology.prefixes, 2))
            await site.reconciler.configure(loaded, site.source, site.life.configure)
            assert await status_of(old) == 409
            assert not site.store.intents().of
            assert await status_of(new) == 200
            assert len(site.store.intents().of) == 4

    asyncio.run(main())


def test_by_vip_mgmt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """vip_mgmt's own request is taken by a watchdog that loaded the same file, and its answer is said."""
    monkeypatch.setenv("VIP_CONFIG", str(tmp_path / "vip.toml"))

    def check(site: Site) -> None:
        call = parse(["-d", str(V4)])
        node = Node.of(call.path, os.environ)
        assert node is not None
        early = ask_early(call, node)
        assert early is not None
        outcomes = early.answer(60)
        assert outcomes is not None
        assert [each["prefix"] for each in outcomes] == [str(V4)]
        assert not {str(V4)} & site.table()
        assert vip_mgmt.main(["-d", "all"]) == 0
        assert capsys.readouterr().err.splitlines() == [
            f"bgp_mgt: {V4}: replaced: {outcomes[0]['reason']}",
            f"Route {V4} already removed",
            f"bgp_mgt: Deleting route to {V6}",
            f"bgp_mgt: Deleting route to {SECOND}",
        ]
        assert not site.table() & THREE

    served(tmp_path, check)


def test_not_of_those_who_may_only_ask(tmp_path: Path) -> None:
    """The socket for questions takes none of it."""

    def check(site: Site) -> None:
        status, _ = raw(site, "POST", "/intents/as-loaded", b"{}")
        assert status == 403
        assert not site.store.intents().of

    served(tmp_path, check, access=READ)
