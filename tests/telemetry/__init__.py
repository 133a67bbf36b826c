"""What is seen of a watchdog, by real programs: Prometheus and a browser."""
