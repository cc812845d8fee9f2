"""A debugger's client: just enough of the Debug Adapter Protocol to wait for a breakpoint."""

import itertools
import json
import socket
from typing import Any, Self


class Debugger:
    """A connection to debugpy at a port of this machine; a context manager that closes it."""

    def __init__(self, port: int, timeout: float = 60) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.stream = self.socket.makefile("rwb")
        self.numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self.socket.close()

    def send(self, command: str, **arguments: Any) -> None:
        request = {"seq": next(self.numbers), "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(request).encode()
        self.stream.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.stream.flush()

    def wait_for(self, name: str) -> dict[str, Any]:
        """Return the body of the next event or response of this name."""
        while True:
            length = 0
            while (line := self.stream.readline().strip()) or not length:
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
                elif not line and not length:
                    raise ConnectionError("debugpy closed the connection")
            message = json.loads(self.stream.read(length))
            if name in (message.get("event"), message.get("command")):
                assert message.get("success", True), message
                body: dict[str, Any] = message.get("body") or {}
                return body

    def attach(self, path: str, line: int) -> None:
        """Attach to the process and set a breakpoint in a file of the container."""
        self.send("initialize", adapterID="test", pathFormat="path")
        self.wait_for("initialize")
        self.send("attach", justMyCode=False)
        self.wait_for("initialized")
        self.send("setBreakpoints", source={"path": path}, breakpoints=[{"line": line}])
        breakpoints = self.wait_for("setBreakpoints")["breakpoints"]
        assert breakpoints[0]["verified"], breakpoints
        self.send("configurationDone")
        self.wait_for("attach")

    def location(self, thread: int) -> tuple[str, int]:
        """Return the file and the line at which a stopped thread is."""
        self.send("stackTrace", threadId=thread)
        frame = self.wait_for("stackTrace")["stackFrames"][0]
        return frame["source"]["path"], frame["line"]
