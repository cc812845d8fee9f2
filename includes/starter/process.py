{% include 'includes/starter/start_process.py' %}


class Service:
    def __init__(self, port: int) -> None:
        self.port = port
        self.process = start("-c", WITH_TEST_ROUTES)
        # Ends what would otherwise wait for good, such as for a log line that never comes.
        self.watchdog = threading.Timer(TIMEOUT, self.process.kill)
        self.watchdog.start()
        self.lines: list[str] = []
        self.connections: list[HTTPConnection] = []

    def wait_for_log(self, text: str) -> None:
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return
        pytest.fail(f"ended without logging {text!r}: {self.lines} {self.process.stderr.read()}")

    def request(self, path: str) -> HTTPConnection:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        self.connections.append(connection)
{% if framework == 'fastapi' %}
        connection.request("GET", path)
{% else %}
        # For a next request on the same connection, gunicorn would wait when it is told to stop.
        connection.request("GET", path, headers={"Connection": "close"})
{% endif %}
        return connection

    def get(self, path: str) -> int:
        return self.request(path).getresponse().status

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        rest, errors = self.process.communicate(timeout=TIMEOUT)
        self.lines += rest.splitlines()
        assert errors == ""
        return self.process.returncode


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("PORT", str(port))
    monkeypatch.setenv("HOST", "127.0.0.1")
    monkeypatch.setenv("SHUTDOWN_SECONDS", "2")
    running = Service(port)
    try:
        running.wait_for_log("{{ 'running on' if framework == 'fastapi' else 'Booting worker' }}")
        yield running
    finally:
        running.watchdog.cancel()
        for connection in running.connections:
            connection.close()
        running.process.kill()
        running.process.communicate()
