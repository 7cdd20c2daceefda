"""Is a port free to listen on? Asked before anything is started."""

import errno
import socket

import click


def listening_port(host: str, port: int) -> int:
    """`port`, or a free one for 0; a usage error when `host` and `port` cannot be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            free: int = probe.getsockname()[1]
    except socket.gaierror:
        raise click.UsageError("HOST is no address of this machine") from None
    except OSError as err:
        if err.errno != errno.EADDRINUSE:
            raise click.UsageError(f"PORT {port} cannot be listened on: {err.strerror}") from None
        raise click.UsageError(
            f"PORT {port} is in use by another program; stop that or choose another PORT"
        ) from None
    return free
