"""Rules that hold for whatever Hypothesis makes up."""
