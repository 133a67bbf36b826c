"""Sources of health."""
