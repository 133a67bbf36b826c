"""Stand-ins for the world: an ExaBGP, a clock, sources of health. None of them patches anything."""
