"""The ExaBGP driver: its API over the pipes of the process that it spawned. `driver` is the door."""
