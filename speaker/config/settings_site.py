"""How the machines of a site know of one another: `[site]` as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from speaker.site_words import TIMEOUT

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_PREFIX = "/vip-speaker/"
PATIENCE, TTL, START_WAIT = 0.5, 10.0, 30.0


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """Where etcd is, and how this machine is known there. Times in seconds.

    `endpoints` are URLs whose hosts are addresses. `prefix` begins each key, and ends in a slash. `cert` and `key` are what is shown
    to etcd, `ca` says whose certificate of etcd counts. `machine` is this one's name in its data centre. `patience` is how long a
    withdrawal for health waits for etcd, `ttl` how long a machine that is silent counts as live, whole seconds, `timeout` how long
    `vip_mgmt` waits for the others, `start_wait` how long what is not announced yet waits until etcd was read for the first time.
    """

    endpoints: tuple[str, ...]
    machine: str
    prefix: str = DEFAULT_PREFIX
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    patience: float = PATIENCE
    ttl: float = TTL
    timeout: float = TIMEOUT
    start_wait: float = START_WAIT
