"""For whom an order of a site is, and for how long the others are waited for: what vip.toml and the command line need of it."""

HERE, SITE, DC, MACHINE = "here", "site", "dc:", "machine:"
"""For whom an order is: this machine, all, a data centre, whose name follows, or a machine, such as `par1/lb1`."""
TIMEOUT = 5.0
"""For how long the others are waited for where nothing says so, in seconds."""
MAX_WITHIN = 3600.0
"""For how long the others are waited for at most, in seconds."""
