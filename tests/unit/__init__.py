"""One module at a time, without root."""
