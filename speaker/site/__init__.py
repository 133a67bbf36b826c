"""The site: what its machines know of one another by etcd, and what operators ask of several at once.

- `base`: what is needed of etcd. `keys`: under which names something is stored there. `told`: what machines store of themselves.
- `values`: what the machines tell. `site`: the face: what is known, and orders to several.
"""
