"""Deliberate faults in policy/, each of which the property tests must catch."""
