"""A gRPC server, grpcio's own, with its service of health: prints its port, and takes what it is to say from stdin.

A line is a service (`-`: the server as a whole) and its status. Arguments: where it listens, and the files of its certificate and
key, where it speaks TLS.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc


def main() -> None:
    servicer = health.HealthServicer()
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    listen, *files = sys.argv[1:]
    if files:
        certificate, key = (Path(each).read_bytes() for each in files)
        port = server.add_secure_port(listen, grpc.ssl_server_credentials([(key, certificate)]))
    else:
        port = server.add_insecure_port(listen)
    server.start()
    print(port, flush=True)  # noqa: T201 - it is read by whoever started this
    for line in sys.stdin:
        service, status = line.split()
        code = health_pb2.HealthCheckResponse.ServingStatus.Value(status)
        servicer.set("" if service == "-" else service, code)
        print("done", flush=True)  # noqa: T201 - likewise
    server.stop(None)


if __name__ == "__main__":
    main()
