"""The source `ipvs`: realservers that IPVS balances to in this kernel. `source` is the door."""
