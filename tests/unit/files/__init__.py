"""speaker/files: what root may trust, and as whom it touches the rest."""
