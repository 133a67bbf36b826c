"""Off ExaBGP's own healthcheck program: what its command lines and files say, and the same in vip.toml. Nothing is run."""
