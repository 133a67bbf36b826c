"""Owns what daemons really said, recorded, and the tests that read it."""
