"""speaker/reconcile: one cycle after another."""
