"""What outlives every process: intents, ownership, memory of health and history, in one SQLite file."""
