"""speaker/migration/target: what import writes."""
