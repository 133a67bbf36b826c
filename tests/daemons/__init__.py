"""Pins the behaviour of foreign daemons that the drivers rely on."""
