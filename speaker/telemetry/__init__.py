"""What others may see of a watchdog: metrics, the status page, and each event as it happens.

All of it is made of a `Look`, which nothing changes any more, in a thread or a task of its own: a cycle waits
for none of it. `server` is the listener, `textfile` the file for node_exporter, `hooks` sends events.
"""
