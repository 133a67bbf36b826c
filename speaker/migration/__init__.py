"""Off Quagga, FRR and ExaBGP's own healthcheck: what they announce by their configurations, and the same in vip.toml."""
