"""speaker/control: the control socket."""
