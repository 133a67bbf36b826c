"""Observe, decide, plan, apply, read back, record: one cycle after another. `reconciler` is the heart."""
