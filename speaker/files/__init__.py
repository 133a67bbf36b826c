"""Files that others own or may write: what root may trust, and as whom it touches the rest."""
