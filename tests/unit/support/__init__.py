"""The fakes behave as what was recorded of the real ones."""
