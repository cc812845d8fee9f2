"""Servers of a private network: a package index, a mirror of Debian and a forward proxy, each with a password."""

import base64
import contextlib
import http.server
import re
import select
import socket
import ssl
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

import trustme


class Handler(http.server.BaseHTTPRequestHandler):
    """Answer requests that have the password, and record each of them."""

    protocol_version = "HTTP/1.1"
    header = "Authorization"
    refusal = 401
    # The realm that the refusal names.
    realm = "WWW-Authenticate"
    server: "Server"

    def do_GET(self) -> None:
        allowed = self.headers[self.header] == self.server.credentials
        self.server.requests.append((allowed, self.path))
        if allowed:
            self.answer()
        else:
            self.send(self.refusal, b"", **{self.realm: 'Basic realm="private"'})

    do_HEAD = do_GET

    def answer(self) -> None:
        raise NotImplementedError

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer, contextlib.AbstractContextManager["Server"]):
    """A server at an address of this machine. `requests` has whether each was allowed, and its path."""

    daemon_threads = True

    def __init__(
        self,
        handler: type[Handler],
        address: str,
        name: str,
        user: str,
        password: str,
        authority: trustme.CA | None = None,
    ) -> None:
        """Serve HTTPS with a certificate of `authority` for `name`, or HTTP without one.

        Without a password, everyone may use the server.
        """
        super().__init__((address, 0), handler)
        self.name = name
        self.credentials = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if password else None
        self.requests: list[tuple[bool, str]] = []
        self.context = None
        if authority:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(name).configure_cert(self.context)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def get_request(self) -> tuple[socket.socket, object]:
        request, client = super().get_request()
        if self.context:
            # The handshake is in the thread of the request, so that no client delays the others.
            request = self.context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        return request, client

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that refuse the certificate, or leave early, are expected."""

    @property
    def url(self) -> str:
        return f"{'https' if self.context else 'http'}://{self.name}:{self.server_port}"


def index(folder: Path) -> type[Handler]:
    """Return a handler that serves the wheels of a folder as PEP 503 says, below /simple/."""

    class Index(Handler):
        def answer(self) -> None:
            parts = self.path.strip("/").split("/")
            if parts[0] == "simple" and len(parts) == 2:
                names = [
                    file.name
                    for file in folder.glob("*.whl")
                    if re.sub(r"[-_.]+", "-", file.name.split("-")[0]).lower() == parts[1]
                ]
                body = "".join(f'<a href="/files/{name}">{name}</a>\n' for name in names).encode()
                self.send(200 if names else 404, body, Content_Type="text/html")
            elif parts[0] == "files" and (folder / parts[-1]).is_file():
                self.send(200, (folder / parts[-1]).read_bytes(), Content_Type="application/octet-stream")
            else:
                self.send(404, b"")

    return Index


class DebianMirror(Handler):
    """Pass requests on to Debian."""

    def answer(self) -> None:
        try:
            with urllib.request.urlopen(f"http://deb.debian.org{self.path}", timeout=60) as found:
                self.send(200, found.read())
        except urllib.error.HTTPError as error:
            with error:
                self.send(error.code, b"")


class ForwardProxy(Handler):
    """Connect clients with HTTPS servers."""

    header = "Proxy-Authorization"
    refusal = 407
    realm = "Proxy-Authenticate"

    def do_CONNECT(self) -> None:
        self.do_GET()

    def answer(self) -> None:
        # All servers of the network have the address of this one.
        host, port = str(self.server.server_address[0]), self.path.rpartition(":")[2]
        self.close_connection = True
        with socket.create_connection((host, int(port)), timeout=60) as other:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: other, other: self.connection}
            while ready := select.select(list(ends), [], [], 60)[0]:
                for end in ready:
                    if not (data := end.recv(65536)):
                        return
                    ends[end].sendall(data)
