"""What tests stand on: fakes, a lab of namespaces and daemons, a guest kernel, strategies. No proofs."""
