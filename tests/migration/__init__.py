"""Tests of the way from Quagga or FRR to ExaBGP."""
