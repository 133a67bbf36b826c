"""What a rule may name, by which names, and how much of it."""

SERVICES = ("ipvs", "tcp")
"""What a VIP's own services say: by the one of these that is its source."""
CHECK, REPORT, VIP = "check/", "report/", "vip/"
"""How the names of the other sources begin."""
MAX_TERMS = 200
"""How many sources a rule may name, each as often as it does, in the rules that it is made of too."""
MAX_DEPTH = 20
LONGEST = 86400.0
"""For how long a report may hold at most, in seconds."""
