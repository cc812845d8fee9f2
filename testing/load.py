"""Send requests to a service while something happens to it, and count those that fail."""

import contextlib
import http.client
import itertools
import ssl
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from testing.waiting import wait_until


class Request(NamedTuple):
    """A request, and the status of its answer."""

    method: str = "GET"
    path: str = "/"
    body: bytes | None = None
    status: int = 200


class Load(contextlib.AbstractContextManager["Load"]):
    """Clients that send requests from entering the context until leaving it.

    Each request opens a connection, so that a load balancer chooses a server for each one. No request
    is repeated. A refused or broken connection, a late or short answer and any other status are failures.
    """

    def __init__(
        self,
        url: str,
        requests: Sequence[Request] = (Request(),),
        *,
        clients: int = 4,
        timeout: float = 10,
        pause: float = 0.005,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Send `requests` in turn to `url`, whose path is ignored.

        Each client waits `pause` seconds after an answer; `context` is for an `https` URL.
        """
        self.address = urlsplit(url)
        self.requests = requests
        self.timeout = timeout
        self.pause = pause
        self.context = context
        self.answered: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        # When the load began, when each request succeeded, and when the load ended.
        self.moments: list[float] = []
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self.send, args=(number,)) for number in range(clients)]

    def __enter__(self) -> Self:
        self.moments.append(time.monotonic())
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()
        self.moments.append(time.monotonic())

    def __str__(self) -> str:
        reasons = "".join(f"\n{count} times {reason}" for reason, count in self.failures.most_common())
        answered = ", ".join(f"{count} {method}" for method, count in sorted(self.answered.items()))
        gap = f"the longest gap was {self.longest_gap:.2f} s"
        return f"{self.failed} of {self.total} requests failed ({answered or 'none'} answered); {gap}{reasons}"

    @property
    def failed(self) -> int:
        return self.failures.total()

    @property
    def total(self) -> int:
        return self.failed + self.answered.total()

    @property
    def longest_gap(self) -> float:
        """The longest time, in seconds, in which no request succeeded."""
        moments = sorted(self.moments)
        return max((later - earlier for earlier, later in itertools.pairwise(moments)), default=0.0)

    def wait_for(self, count: int, seconds: float = 120) -> None:
        """Return when `count` more requests are answered or have failed."""
        target = self.total + count
        wait_until(f"{count} more requests are sent", lambda: self.total >= target, lambda: self, seconds)

    def send(self, number: int) -> None:
        while not self.ended.is_set():
            request = self.requests[number % len(self.requests)]
            number += 1
            try:
                problem = self.ask(request)
            except (OSError, http.client.HTTPException) as error:
                problem = f"{type(error).__name__}: {error}"
            with self.lock:
                if problem:
                    self.failures[f"{request.method} {request.path}: {problem}"] += 1
                else:
                    self.answered[request.method] += 1
                    self.moments.append(time.monotonic())
            self.ended.wait(self.pause)

    def ask(self, request: Request) -> str:
        """Send one request; return what is wrong with its answer, or nothing."""
        connection = self.connection()
        try:
            connection.request(request.method, request.path, request.body, {"Connection": "close"})
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        return "" if answer.status == request.status else f"status {answer.status}"

    def connection(self) -> http.client.HTTPConnection:
        host, port = self.address.hostname or "", self.address.port
        if self.address.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=self.timeout, context=self.context)
        return http.client.HTTPConnection(host, port, timeout=self.timeout)
