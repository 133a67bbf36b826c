"""The site: what its machines know of one another by etcd, and what operators ask of several at once.

- `site`: the face: what is known, and orders to several. `orders`: what came of one. `alarms`: what is wrong, in words.
- `link`: the connection: all is read, then watched. `known`, `members`: what etcd has, and what the machines tell.
- `handing_on`: what etcd lacks. `obeying`: what is asked is obeyed here. `presence`: this machine's lease, and what it tells.
- `base`: what is needed of etcd. `keys`, `told`, `heard`: what is stored there, as text and as values.
"""
