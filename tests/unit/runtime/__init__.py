"""speaker/runtime: how a reconciler is run."""
