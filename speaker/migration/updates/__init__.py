"""EVALUATE: Configuration -> the UPDATEs that a bgpd sends, or why there is none. Pure."""
