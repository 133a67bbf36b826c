"""The control socket: its server in the watchdog, its client, and what is known without a watchdog.

Nothing is imported here: vip_mgmt needs the client, and not the server's HTTP library.
"""
