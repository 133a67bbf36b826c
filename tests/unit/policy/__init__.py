"""policy, by examples; its rules are in tests/property."""
