"""The client of etcd: its JSON gateway (`/v3/…`, etcd 3.4 and newer) by HTTP, member after member.

- `requests`, `answers`: what is asked, and what is said, as text: without I/O. `errors`: what a member's refusal means.
- `member`: asks one member. `login`: the password, and the token that is had for it.
- `client`: the cluster; where `speaker.site.base.Etcd` is kept. `watching`: one stream of what changes.

Nothing of it is imported where vip.toml has no `[site]`.
"""
