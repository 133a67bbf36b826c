"""Tests of what becomes of ExaBGP's own healthcheck program."""
