"""Reads keepalived's configuration, and checks vip.toml beside it."""

from __future__ import annotations

from speaker.check.keepalived.findings import check_keepalived

__all__ = ["check_keepalived"]
