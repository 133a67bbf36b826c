"""Two data centres and a router on this machine: the product at work, without root."""
