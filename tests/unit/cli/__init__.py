"""speaker/cli: what vip_mgmt does."""
