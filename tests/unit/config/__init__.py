"""speaker/config: vip.toml."""
