"""Each alert is quiet while all is well, and fires for its reason, in a real Prometheus that scrapes a watchdog."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import urllib.request
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from policy.intent import Intent, Mode
from speaker.clock import SystemClock
from speaker.reconcile.loaded_file import look_at_file
from speaker.telemetry.server import serving
from tests.support.fakes.site import PEER, SECOND, V4, V6, Site, running
from tests.support.lab.eventually import eventually
from tests.unit.telemetry.test_server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
RULES = (ROOT / "packaging/prometheus/vip-speaker.rules.yml").read_text()
ALERTS = {*re.findall(r"- alert: (\w+)", RULES)}


def needs(*programs: str) -> None:
    """Skip where a program lacks; with CI=true, fail."""
    if missing := [name for name in programs if not Path("/usr/bin", name).exists()]:
        if os.environ.get("CI") == "true":
            pytest.fail(f"needs {', '.join(missing)}", pytrace=False)
        pytest.skip(f"needs {', '.join(missing)}")


def test_promtool_accepts_them() -> None:
    """The rules as they are packaged are what Prometheus's own checker accepts."""
    needs("promtool")
    path = ROOT / "packaging/prometheus/vip-speaker.rules.yml"
    subprocess.run(["promtool", "check", "rules", path], check=True, capture_output=True)


class Clock(SystemClock):
    """The machine's clocks, which a test may set."""

    ahead = 0.0
    """Seconds."""

    def wall(self) -> float:
        return super().wall() + self.ahead

    def steady(self) -> float:
        return super().steady() + self.ahead


@contextmanager
def prometheus(directory: Path, target: int) -> Iterator[str]:
    """Run one that scrapes often, waits for nothing, and return where it is asked."""
    port = free_port()
    directory.joinpath("rules.yml").write_text(re.sub(r"for: \w+", "for: 0s", RULES))
    directory.joinpath("prometheus.yml").write_text(
        "global: { scrape_interval: 200ms, evaluation_interval: 200ms }\n"
        "rule_files: [rules.yml]\n"
        "scrape_configs:\n"
        f'  - {{ job_name: vip-speaker, static_configs: [{{ targets: ["127.0.0.1:{target}"] }}] }}\n'
    )
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={directory}/prometheus.yml",
            f"--storage.tsdb.path={directory}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}/api/v1"
    finally:
        process.terminate()
        process.wait()


def ask(url: str) -> Any:
    """Return what Prometheus answers; not yet is an AssertionError."""
    try:
        with urllib.request.urlopen(url) as answer:
            return json.load(answer)["data"]
    except OSError as error:
        raise AssertionError(str(error)) from error


def firing(api: str) -> set[str]:
    return {each["labels"]["alertname"] for each in ask(f"{api}/alerts")["alerts"]}


def rules(api: str) -> list[Any]:
    """Return the rules, each of which was evaluated."""
    found = [rule for group in ask(f"{api}/rules")["groups"] for rule in group["rules"]]
    assert found
    assert all(rule["health"] == "ok" for rule in found), found
    return found


async def trouble(site: Site, clock: Clock) -> None:
    """Have everything go wrong at once."""
    reconciler = site.reconciler
    await reconciler.operator.apply({SECOND: Intent(Mode.DRAINED, "alice", clock.wall())})
    site.exabgp.daemon.sessions[PEER].withdraw(V6)  # behind our back
    reconciler.wake_and_read()
    reconciler.meter.began()
    await reconciler.cycle()
    site.source.live[V6] = 0
    reconciler.wake()
    clock.ahead += 5  # the cycle comes late
    reconciler.meter.began()
    await reconciler.cycle()
    clock.ahead -= 1000
    reconciler.meter.completed(clock.steady())  # the last for a long time
    (site.directory / "vip.toml").write_text("no longer so")
    await look_at_file(reconciler.file, reconciler.alarms)
    reconciler.meter.sent["exec"].lost += 1
    site.exabgp.daemon.drop(PEER)
    reconciler.wake_and_read()
    await reconciler.cycle()


async def unknown(site: Site) -> None:
    site.source.live[V4] = None
    await site.reconciler.cycle()
    site.reconciler.view.unreadable()


def test_each_fires(tmp_path: Path) -> None:
    """Nothing fires while all is well; each alert fires when its reason is there."""
    needs("prometheus")

    async def main(api: str, port: int) -> set[str]:
        clock = Clock()
        seen: set[str] = set()

        async def until(wanted: set[str]) -> None:
            def all_seen() -> set[str]:
                seen.update(firing(api))
                return wanted - seen

            await asyncio.to_thread(
                eventually,
                all_seen,
                within=30,
                what="alerts",
                until=lambda lack: not lack,
                every=0.1,
            )

        async with running(tmp_path, clock=clock, cycles=False) as site:
            async with serving(site.reconciler, (IPv4Address("127.0.0.1"), port)):
                site.reconciler.meter.completed(clock.steady())
                await asyncio.to_thread(eventually, lambda: rules(api), within=30, what="rules")

                def scraped() -> bool:
                    return bool(ask(f"{api}/query?query=vip_build_info")["result"])

                await asyncio.to_thread(eventually, scraped, within=30, what="a scrape")
                for rule in await asyncio.to_thread(rules, api):
                    assert rule["state"] == "inactive" or rule["name"] == "VipSpeakerAbsent"
                await trouble(site, clock)
                await until(
                    {
                        "VipSpeakerDrainForgotten",
                        "VipSpeakerReadBackMismatch",
                        "VipSpeakerSlowReaction",
                        "VipSpeakerCyclesStopped",
                        "VipSpeakerFileNotLoaded",
                        "VipSpeakerSessionDown",
                        "VipSpeakerTrouble",
                        "VipSpeakerEventsLost",
                    }
                )
                await unknown(site)
                await until(
                    {
                        "VipSpeakerNotAsWanted",
                        "VipSpeakerAnnouncementUnknown",
                        "VipSpeakerNothingAnnounced",
                        "VipSpeakerHealthUnknown",
                    }
                )
                await site.reconciler.operator.apply({SECOND: Intent(Mode.AUTO, "alice", 0.0)})
                site.source.live = dict.fromkeys(site.source.live, 0)
                await site.reconciler.cycle()
                await until({"VipSpeakerWithdrawalsHeld", "VipSpeakerDead"})
            await until({"VipSpeakerAbsent"})
        return seen

    port = free_port()
    with prometheus(tmp_path, port) as api:
        assert asyncio.run(main(api, port)) == ALERTS
