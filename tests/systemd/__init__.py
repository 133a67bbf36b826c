"""The units under a real systemd, on the releases of Debian that are supported."""
