"""Programs for developers: the bench, and the mutants."""
