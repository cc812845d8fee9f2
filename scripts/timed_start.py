"""Start a compose file, and say how long its service took: `timed_start.py COMPOSE_FILE URL`.

Two times from `docker compose up`: until URL first answers 200, and until Docker itself
calls the container healthy. Exit status 1 where that does not happen.
"""

import subprocess
import sys
import time
import urllib.request

LIMIT_SECONDS = 90


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True).stdout.strip()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return response.status == 200
    except OSError:
        return False


def main(file: str, url: str) -> int:
    started = time.monotonic()
    up = subprocess.Popen(["docker", "compose", "--progress", "quiet", "--file", file, "up", "--detach"])
    answered = status = None
    while (seconds := time.monotonic() - started) < LIMIT_SECONDS and not up.poll():
        if answered is None and answers(url):
            answered = time.monotonic() - started
        container = docker("compose", "--file", file, "ps", "--all", "--quiet") if up.poll() == 0 else ""
        if container:
            status = docker("inspect", "--format", "{{.State.Health.Status}}", container)
            if status == "healthy" and answered is not None:
                print(f"healthy after {seconds:.1f} s; the first answer came after {answered:.1f} s")
                return 0
            if status == "unhealthy":
                break
        time.sleep(0.02)
    print(f"not healthy after {seconds:.0f} s: {status or 'no container'}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
