"""Checks: applications are asked how they are. The door is `source.py`."""
