"""Hypothesis strategies: topologies, observations, bgpd's configurations."""
