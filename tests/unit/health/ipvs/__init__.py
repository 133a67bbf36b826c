"""speaker/health/ipvs: what IPVS balances."""
