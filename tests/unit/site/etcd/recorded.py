"""What a member of etcd 3.4.23 answered, as recorded."""

HEAD = '"header":{"cluster_id":"324952591200643719","member_id":"3319814642761637952","revision":"3","raft_term":"2"}'
RANGE = (
    b'{%b,"kvs":[{"key":"L3gvYQ==","create_revision":"2","mod_revision":"3","version":"1","value":"dg=="},'
    b'{"key":"L3gvYg==","create_revision":"3","mod_revision":"3","version":"1","lease":"77"}],"more":true,"count":"3"}'
) % HEAD.encode()
EMPTY = b"{%b}" % HEAD.encode()
DONE = (
    b'{%b,"succeeded":true,"responses":[{"response_put":{"header":{"revision":"3"}}}]}'
    % HEAD.encode()
)
NOT_DONE = (
    b'{%b,"responses":[{"response_range":{"header":{"revision":"3"},"kvs":[{"key":"L3ZpcC1zcGVha2VyL2E=",'
    b'"create_revision":"2","mod_revision":"8","version":"2","value":"MQ=="}],"count":"1"}},'
    b'{"response_range":{"header":{"revision":"3"}}}]}'
) % HEAD.encode()
LEASE = b'{%b,"ID":"2324035648881514763","TTL":"3"}' % HEAD.encode()
KEPT = b'{"result":{%b,"ID":"77","TTL":"2"}}' % HEAD.encode()
LEASE_OVER = b'{"result":{%b,"ID":"78"}}' % HEAD.encode()
TOKEN = b'{%b,"token":"WPIFjgJlbCzkvjFj.16"}' % HEAD.encode()
CREATED = b'{"result":{%b,"created":true}}' % HEAD.encode()
EVENTS = (
    b'{"result":{%b,"events":[{"kv":{"key":"L3gvYQ==","create_revision":"2","mod_revision":"2","version":"1",'
    b'"value":"dg=="}},{"type":"DELETE","kv":{"key":"L3gvYQ==","mod_revision":"3"}}]}}'
) % HEAD.encode()
COMPACTED = b'{"result":{%b,"canceled":true,"compact_revision":"3"}}' % HEAD.encode()
DENIED = (
    b'{"result":{%b,"watch_id":"-1","created":true,"canceled":true,'
    b'"cancel_reason":"rpc error: code = PermissionDenied desc = etcdserver: permission denied"}}'
) % HEAD.encode()
NO_LEADER = b'{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader","http_status":"Service Unavailable"}}'


def refused(code: int, text: str) -> bytes:
    """Return a refusal, as answers other than streams have it."""
    return b'{"error":"%b","message":"%b","code":%d}' % (text.encode(), text.encode(), code)


NO_SPACE = refused(8, "etcdserver: mvcc: database space exceeded")
ALL = (
    RANGE, EMPTY, DONE, NOT_DONE, LEASE, KEPT, LEASE_OVER, TOKEN, CREATED, EVENTS, COMPACTED, DENIED,
    NO_LEADER, NO_SPACE,
)  # fmt: skip
