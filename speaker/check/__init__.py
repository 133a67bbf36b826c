"""What `vip_mgmt check` finds: in vip.toml by itself, beside other sites' files, and in the world."""

from speaker.check.run import check

__all__ = ["check"]
