"""Ask the service whether it is alive: exit 0 if so, else 1 and one line that says why.

HTTP: GET $HEALTH_PATH on 127.0.0.1:$PORT, which any 2xx status satisfies.
With HEARTBEAT_FILE set: that file, touched at most $HEARTBEAT_MAX_AGE seconds ago.
With neither: nothing is asked, since Docker itself sees whether it runs.

Standard library alone, so that `python -I -S` runs it in a few milliseconds; a bare
socket, since importing an HTTP client takes longer than the rest together.
"""

import os
import sys

# Below the timeout that Docker is given, so that the reason gets into `docker inspect`.
TIMEOUT_SECONDS = 2.5


def check_http(port: str, path: str) -> str | None:
    """Return what is wrong with the HTTP service at `port`, or None."""
    import socket

    request = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", int(port)), TIMEOUT_SECONDS) as connection:
            connection.sendall(request.encode("ascii"))
            with connection.makefile("rb") as response:
                status_line = response.readline(1024).decode("latin-1").strip()
    except (OSError, ValueError) as error:
        return f"GET {path} on port {port}: {error}"
    protocol, _, status = status_line.partition(" ")
    if not protocol.startswith("HTTP/") or not status.startswith("2"):
        return f"GET {path} on port {port}: {status_line or 'no answer'}"
    return None


def check_heartbeat(file: str, max_age: str) -> str | None:
    """Return what is wrong with the heartbeat `file` of a service without a port, or None."""
    import time
    from pathlib import Path

    try:
        age = time.time() - Path(file).stat().st_mtime
        limit = float(max_age)
    except (OSError, ValueError) as error:
        return f"heartbeat {file}: {error}"
    if age > limit:
        return f"heartbeat {file}: last seen {age:.0f} s ago, at most {limit:.0f} s are allowed"
    return None


def main() -> int:
    """Check what the environment names; return the exit status."""
    environ = os.environ
    if heartbeat := environ.get("HEARTBEAT_FILE"):
        problem = check_heartbeat(heartbeat, environ.get("HEARTBEAT_MAX_AGE", "60"))
    elif port := environ.get("PORT"):
        problem = check_http(port, environ.get("HEALTH_PATH", "/"))
    else:
        problem = None
    if problem:
        print(problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
