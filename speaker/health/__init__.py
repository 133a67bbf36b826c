"""Where the health of VIPs is seen: IPVS, or TCP connections to the realservers."""
