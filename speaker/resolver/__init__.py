"""DNS names -> addresses, with what DNS did not say kept apart from what it denied.

Nothing is imported here: dnspython is slow to import, and only loaded where a name is asked.
"""
