"""speaker/resolver: DNS."""
