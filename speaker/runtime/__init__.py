"""How a reconciler is run: by ExaBGP, beside bgpd as a daemon or a pass of cron, or as a shadow.

Nothing is imported here: each way loads what it needs, and no more.
"""
