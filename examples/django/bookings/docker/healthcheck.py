"""Check that the service is alive: exit with status 0, or print the reason and exit with status 1.

With HEARTBEAT_FILE set, the file must be at most HEARTBEAT_MAX_AGE seconds old (60 by default).
Otherwise, with PORT set, GET HEALTH_PATH must be answered with a 2xx status. The request goes to
HOST where that is an IP address, else to 127.0.0.1, and names HEALTH_HOST in its Host header. With
HEALTH_HTTPS=true it says that a proxy received it through HTTPS.
With neither set, nothing is checked: Docker itself sees whether the process runs.

The script needs the standard library alone, so `python -I -S` runs it in a few milliseconds.
It uses a plain socket because importing an HTTP client takes longer than the whole probe.
"""

import os
import sys
import time

# For the whole probe. Docker's own timeout is 3 s, so the reason still reaches `docker inspect`.
TIMEOUT_SECONDS = 2.5
# Clocks differ between machines that share a volume: how far in the future a heartbeat may be.
CLOCK_TOLERANCE_SECONDS = 5


def probe_address(host: str) -> str:
    """Return the address at which a service that listens on `host` can be reached."""
    host = host.strip("[]")
    # A name may be the public one, which can lead to another machine.
    is_address = ":" in host or host.replace(".", "").isdigit()
    if not is_address or host.strip("0.") == "":
        return "127.0.0.1"
    return "::1" if host == "::" else host


def read_status_line(address: tuple[str, int], request: bytes) -> str:
    """Send `request` and return the first line of the answer; raise OSError on failure."""
    import socket

    deadline = time.monotonic() + TIMEOUT_SECONDS
    answer = b""
    with socket.create_connection(address, TIMEOUT_SECONDS) as connection:
        connection.sendall(request)
        while b"\n" not in answer and len(answer) < 1024:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError("timed out")
            connection.settimeout(remaining)
            received = connection.recv(1024)
            if not received:
                break
            answer += received
    return answer.partition(b"\n")[0].decode("latin-1").strip()


def check_http(port: str, path: str, host: str, headers: str) -> str | None:
    """Return what is wrong with the HTTP service at `port`, or None.

    Each line of `headers` ends with a line break.
    """
    if not (port.isdecimal() and 0 < int(port) < 65536):
        return f"PORT is {port!r}: set it to a whole number from 1 to 65535"
    request = f"GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n"
    try:
        address = (probe_address(host), int(port))
        status_line = read_status_line(address, request.encode("ascii"))
    except (OSError, ValueError) as error:
        return f"GET {path} on port {port}: {error}"
    protocol, _, status = status_line.partition(" ")
    if not protocol.startswith("HTTP/") or not status.startswith("2"):
        return f"GET {path} on port {port}: {status_line or 'no answer'}"
    return None


def check_heartbeat(file: str, max_age: str) -> str | None:
    """Return what is wrong with the heartbeat `file` of a service without a port, or None."""
    from pathlib import Path

    try:
        limit = float(max_age)
    except ValueError:
        limit = 0
    # This comparison is false for nan as well.
    if not 0 < limit < float("inf"):
        return f"HEARTBEAT_MAX_AGE is {max_age!r}: set it to a number above 0"
    try:
        age = time.time() - Path(file).stat().st_mtime
    except (OSError, ValueError) as error:
        return f"heartbeat {file}: {error}"
    if age > limit:
        return f"heartbeat {file}: last seen {age:.0f} s ago, at most {limit:g} s are allowed"
    if age < -CLOCK_TOLERANCE_SECONDS:
        return f"heartbeat {file}: {-age:.0f} s in the future: check the clocks, then touch it"
    return None


def main() -> int:
    """Check what the environment names; return the exit status."""
    environ = os.environ
    if heartbeat := environ.get("HEARTBEAT_FILE"):
        problem = check_heartbeat(heartbeat, environ.get("HEARTBEAT_MAX_AGE") or "60")
    elif port := environ.get("PORT"):
        path = environ.get("HEALTH_PATH") or "/"
        headers = f"Host: {environ.get('HEALTH_HOST') or f'localhost:{port}'}\r\n"
        if environ.get("HEALTH_HTTPS") == "true":
            headers += "X-Forwarded-Proto: https\r\n"
        problem = check_http(port, path, environ.get("HOST", ""), headers)
    else:
        problem = None
    if problem:
        print(problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
