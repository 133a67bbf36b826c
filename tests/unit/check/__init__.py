"""speaker/check: what `vip_mgmt check` finds."""
