"""What the functions in this folder share. They run in the environment that is checked, in an empty folder."""

import hashlib
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path


def tool(name: str, *arguments: str, text: str = "", errors: bool = True, status: int = 0) -> None:
    """Run a command of this environment, print its output, and exit if it has another exit status."""
    command = [str(Path(sys.executable).with_name(name)), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    print(done.stdout)
    print(done.stderr if errors or done.returncode != status else "")
    if done.returncode != status:
        sys.exit(f"{name} has the exit status {done.returncode}")


def write(name: str, text: str) -> str:
    """Write a file in the current folder, and return its name."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return name


def digest(content: bytes | str) -> str:
    """Return the length of a long output and its hash."""
    data = content.encode() if isinstance(content, str) else content
    return f"{len(data)} bytes {hashlib.sha256(data).hexdigest()[:16]}"


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def fetch(url: str) -> None:
    """Print the status and the body of a response."""
    with urllib.request.urlopen(url, timeout=20) as response:
        print(response.status, response.headers.get_content_type(), response.read().decode())


def serve(name: str, *arguments: str, path: str = "/") -> None:
    """Start a server, with its port for PORT in the arguments, and print its response and exit status."""
    port = free_port()
    command = [str(Path(sys.executable).with_name(name)), *(word.replace("PORT", str(port)) for word in arguments)]
    with Path("server.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        for _ in range(300):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0 or server.poll() is not None:
                    break
            time.sleep(0.1)
        try:
            fetch(f"http://127.0.0.1:{port}{path}")
        except OSError:
            print(Path("server.log").read_text(encoding="utf-8"))
            raise
        finally:
            server.terminate()
            try:
                print("exit status", server.wait(timeout=20))
            except subprocess.TimeoutExpired:
                server.kill()
                print("killed")
