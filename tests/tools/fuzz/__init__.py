"""Inputs that nobody meant, for every parser of outside text: each becomes a value, or a typed error."""
