"""Everything that touches the world: daemons, IPVS, DNS, files, sockets.

Which package owns what, from the doors down. Each imports only what stands below it:

- `vip_mgmt`, `vip_watchdog`: the two commands: arguments in, an exit status out.
- `cli`: what vip_mgmt does: what NAME means, what is asked of whom, what is printed.
- `check`: what `vip_mgmt check` finds. `runtime`: the ways in which a reconciler is run: by ExaBGP,
  beside bgpd as a daemon or a pass of cron, as a shadow. `migration`: import and compare.
- `telemetry`: what others may see: metrics, the status page, each event as it happens.
- `control`: the control socket: its server and its client; and what is known where none answers.
- `site`: what the machines of a site know of one another by etcd, and what is asked of several at once.
- `reconcile`: one cycle: observe, decide, plan, apply, read back, record; and an operator's intents.
- `backends`: the routing daemons, ExaBGP and bgpd. `health`: IPVS, TCP, addresses, keepalived.
- `config`: vip.toml. `state`: what outlives every process. `resolver`: DNS. `terminal`: what is
  printed. `supervision`: what keeps a long-lived process alive, and ends it in time.
- `api`, `drain_status`, `seen_status`, `planned`, `reported`: what a watchdog is asked and answers, as values with their JSON, and `Operations`.
- `clock`, `log`, `units`, `files`, `json_value`, `pattern`, `printable`, `version`, `interpreter`, `errors`, `exit_status`: what all use.

What to announce is decided in the package `policy`, which touches nothing. See docs/architecture.md.
"""
