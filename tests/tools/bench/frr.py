"""The budgets beside FRR: many changes, a pass where nothing changes, one drain and fifty."""

import asyncio
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from functools import partial
from operator import eq

from policy.plan import Announce, Change, Withdraw
from policy.route import Asn, Prefix, Route, parse_prefix
from policy.topology import Profile
from speaker.backends.quagga.driver import QuaggaBackend
from speaker.backends.quagga.vtysh import Shell
from speaker.config.settings import QuaggaSettings
from tests.support.lab.eventually import eventually
from tests.support.lab.frr import VTYSH
from tests.support.lab.frr_site import Bench
from tests.support.lab.netns import Network
from tests.support.lab.requirements import require
from tests.support.lab.site import vip
from tests.tools.bench.row import Row

CHANGES = VIPS = 1_000
FIFTY = 50
LIVE = 8081
PROFILE = Profile("prepend-1", 1)


def prefixes(count: int) -> list[Prefix]:
    """Return prefixes, half of each family."""
    half = count // 2
    v4 = [parse_prefix(f"198.51.{n // 256}.{n % 256}") for n in range(half)]
    return [*v4, *(parse_prefix(f"2001:db8::{n + 1:x}") for n in range(half))]


def bench(rounds: int) -> Iterator[Row]:
    """Measure all."""
    require("bird", "vtysh")
    yield from changes(rounds)
    yield from commands(rounds)


def until(dc: Bench, count: int) -> None:
    """Wait until the far peer has so many prefixes."""
    eventually(dc.bird.count, until=partial(eq, count), within=60, what=f"{count} prefixes")


def changes(rounds: int) -> Iterator[Row]:
    """1,000 changes by the driver, against one bare vtysh with the same commands, turn by turn."""
    with Network() as network, asyncio.Runner() as runner:
        dc = Bench(network, {"vip": {"vip-1.tld": vip("192.0.2.1", ports=[LIVE])}})
        dc.bird.wait_for_sessions()
        many = prefixes(CHANGES)
        attributes = PROFILE.attributes(Asn(64699))
        kinds: dict[str, list[Change]] = {
            "announced": [Announce(Route(prefix, attributes)) for prefix in many],
            "withdrawn": [Withdraw(prefix) for prefix in many],
        }
        ours = _Driver(dc, runner)
        times: dict[tuple[str, str], list[float]] = {}
        for _ in range(rounds):
            for who in ("ours", "bare"):
                for kind, wanted in kinds.items():
                    ours.read(many)
                    run = partial(ours.apply, wanted)
                    if who == "bare":
                        run = partial(_bare, dc, ours.commands(wanted))
                    started = time.monotonic()
                    run()
                    times.setdefault((who, kind), []).append(time.monotonic() - started)
                    until(dc, CHANGES if kind == "announced" else 0)
        for kind in kinds:
            pairs = zip(times["ours", kind], times["bare", kind], strict=True)
            note = ", ".join(
                f"{who} {1000 * statistics.median(times[who, kind]):.0f} ms"
                for who in ("ours", "bare")
            )
            what = f"frr: {CHANGES} changes, {kind}, against one bare vtysh"
            yield Row(what, tuple(a / b for a, b in pairs), 1.25, "x", note)


class _Driver:
    """The driver, in this process, with a loop that runs already."""

    def __init__(self, dc: Bench, runner: asyncio.Runner) -> None:
        self._run = runner.run
        self._backend = QuaggaBackend(Shell(dc.frr.vtysh))
        self._backend.configure(
            Asn(64699), QuaggaSettings(dc.frr.vtysh, "VIP-{profile}"), [PROFILE]
        )

    def read(self, many: Sequence[Prefix]) -> None:
        self._run(self._backend.read(many))

    def apply(self, wanted: Sequence[Change]) -> None:
        failures = self._run(self._backend.apply(wanted))
        if failures:
            raise RuntimeError(failures)

    def commands(self, wanted: Sequence[Change]) -> list[str]:
        """Return what the driver would have vtysh run."""
        seen = self._backend._fresh
        assert seen is not None
        return self._backend._writer.commands(wanted, seen.running)


def _bare(dc: Bench, lines: Sequence[str]) -> None:
    words = [word for line in lines for word in ("-c", line)]
    argv = [VTYSH, "--vty_socket", str(dc.frr.folder), "-d", "bgpd", *words]
    subprocess.run(argv, check=True, capture_output=True)


def commands(rounds: int) -> Iterator[Row]:
    """The two commands among 1,000 VIPs, Python's start included."""
    with Network() as network:
        many = [str(prefix.network_address) for prefix in prefixes(VIPS)]
        vips = {f"vip-{n}.tld": vip(address, ports=[LIVE]) for n, address in enumerate(many)}
        dc = Bench(network, {"vip": vips}, up=[LIVE])
        dc.bird.wait_for_sessions()
        dc.site.cron()
        until(dc, VIPS)
        idle, one, fifty = [], [], []
        for _ in range(rounds):
            idle.append(_timed(dc))
            one.append(_timed(dc, "-d", many[0], gone=1))
            dc.site.mgmt("-a", many[0])
            until(dc, VIPS)
            fifty.append(_timed(dc, "-d", *many[:FIFTY], gone=FIFTY))
            dc.site.mgmt("-a", *many[:FIFTY])
            until(dc, VIPS)
        yield Row(f"frr: a cron pass over {VIPS} VIPs, nothing changes", tuple(idle), 0.3, "s")
        yield Row("frr: vip_mgmt -d until the peer lost it", tuple(one), 0.3, "s")
        yield Row(
            f"frr: {FIFTY} VIPs by one vip_mgmt -d until the peer lost them", tuple(fifty), 1, "s"
        )


def _timed(dc: Bench, *arguments: str, gone: int = 0) -> float:
    """Start vip_mgmt, or a pass; return the seconds until the peer has lost so many, or it is over."""
    started = time.monotonic()
    process = dc.site.begin(*arguments) if arguments else dc.site.begin_cron()
    if gone:
        until(dc, VIPS - gone)
    else:
        process.wait(20)
    taken = time.monotonic() - started
    if process.wait(20) != 0:
        raise RuntimeError(process.log())
    return taken
