"""speaker/health/keepalived: whether it runs, and its fifo."""
