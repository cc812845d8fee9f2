"""The FastAPI starter as a process: signals, logs, settings and the API token."""

import time
from pathlib import Path

import pytest
from process import STOP_DURING_IMPORT, TIMEOUT, Process, Service, free_port, wait_until

FRAMEWORK = "fastapi"

TEST_APP = """
import asyncio, atexit, logging, warnings
from hello_service.main import app

@app.get("/slow")
async def slow(seconds: float) -> str:
    logging.info("The slow request began.")
    await asyncio.sleep(seconds)
    return "done"

@app.get("/broken")
async def broken() -> None:
    raise RuntimeError("out of luck")

@app.get("/warns")
async def warns() -> None:
    warnings.warn("beware")

@app.get("/websocket")
async def websocket() -> None:
    # What uvicorn logs with a WebSocket library, which is not among the starter's requirements.
    line = '%s - "WebSocket %s" [accepted]'
    logging.getLogger("uvicorn.error").info(line, "127.0.0.1:1", "/chat?token=in-the-query")

atexit.register(logging.info, "The exit handler ran.")
"""


@pytest.fixture(scope="module", autouse=True)
def test_app(service: Service) -> None:
    (service.folder / "src" / "test_app.py").write_text(TEST_APP)


@pytest.fixture
def serve(start):
    """Return a function that starts a service with the variables that the image sets."""

    def serve(service: Service, *options: str, wait: bool = True, **variables: str) -> Process:
        own = {
            "PORT": str(free_port()),
            "SERVICE_VERSION": "1.2.3",
            "UVICORN_APP": "test_app:app",
            "HOST": "127.0.0.1",
        }
        process = start(service, *options, **service.image | own | variables)
        if wait:
            process.wait_for_log("Uvicorn running on")
        return process

    return serve


def test_sigterm_lets_the_open_request_finish(service: Service, serve) -> None:
    process = serve(service)
    connection = process.request("/slow?seconds=0.5")
    process.wait_for_log("The slow request began.")
    assert process.stop() == 0
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b'"done"')
    process.wait_for_log("The exit handler ran.")


def test_an_answer_does_not_name_the_server(service: Service, serve) -> None:
    assert serve(service).request("/healthz").getresponse().headers["Server"] is None


def test_only_a_trusted_proxy_says_who_the_client_is(service: Service, serve) -> None:
    for trusted, client in (("127.0.0.1", "203.0.113.7:0"), ("192.0.2.1", "127.0.0.1")):
        process = serve(service, FORWARDED_ALLOW_IPS=trusted)
        assert process.get("/", **{"X-Forwarded-For": "203.0.113.7"}) == 200
        assert process.stop() == 0
        [access] = [record for record in process.records if record.get("path") == "/"]
        assert access["client"].startswith(client)


def test_a_request_that_outlasts_the_grace_period_is_cut_off(service: Service, serve) -> None:
    process = serve(service, UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN="1")
    process.request("/slow?seconds=999")
    process.wait_for_log("The slow request began.")
    began = time.monotonic()
    assert process.stop() == 0
    assert 1 <= time.monotonic() - began < TIMEOUT / 2


@pytest.mark.parametrize("module", ["logs", "uvicorn", "test_app", "pydantic"])
def test_sigterm_during_the_imports_ends_with_0(service: Service, serve, module: str) -> None:
    process = serve(service, "-c", STOP_DURING_IMPORT, wait=False, STOP_AT=module)
    assert process.wait() == 0
    assert "Uvicorn running" not in process.all_output
    assert "Traceback" not in process.all_output


def test_sigterm_during_the_imports_ends_with_0_where_an_exception_would_be_caught(edited: Service, serve) -> None:
    main = edited.package / "main.py"
    # pydantic does the same with a SystemExit in one of its callbacks.
    caught = "import os\ntry:\n    os.kill(os.getpid(), 15)\nexcept BaseException:\n    pass\n"
    main.write_text(caught + main.read_text())
    process = serve(edited, wait=False)
    assert process.wait() == 0
    assert process.all_output == ""


def test_two_worker_processes_serve_and_drain(service: Service, serve) -> None:
    process = serve(service, UVICORN_WORKERS="2")
    process.wait_for_log("Application startup complete")
    connection = process.request("/slow?seconds=0.5")
    process.wait_for_log("The slow request began.")
    assert process.stop() == 0
    assert connection.getresponse().status == 200
    assert len({record["message"] for record in process.records if "Started server" in record["message"]}) == 2


def test_it_listens_on_ipv6(service: Service, serve) -> None:
    assert serve(service, HOST="::").get("/", "::1") == 200


def test_every_log_line_is_a_json_object(service: Service, serve) -> None:
    process = serve(service)
    assert process.get("/?token=in-the-query") == 200
    assert process.get("/broken?token=in-the-query") == 500
    assert process.get("/warns") == 200
    assert process.get("/websocket") == 200
    assert process.stop() == 0
    assert process.errors_file.read_text() == ""
    assert all(record.keys() >= {"timestamp", "level", "logger", "message"} for record in process.records)
    [access] = [record for record in process.records if record.get("path") == "/"]
    assert (access["message"], access["level"], access["method"], access["status"]) == ("GET / 200", "INFO", "GET", 200)
    assert access["client"].startswith("127.0.0.1:")
    [failure] = [record for record in process.records if "exception" in record]
    assert (failure["level"], failure["logger"]) == ("ERROR", "uvicorn.error")
    assert failure["exception"].startswith("Traceback")
    assert failure["exception"].endswith("RuntimeError: out of luck")
    assert any("beware" in record["message"] and record["level"] == "WARNING" for record in process.records)
    assert any("WebSocket /chat" in record["message"] for record in process.records)
    assert "in-the-query" not in process.all_output
    assert "u001b" not in process.all_output, "colours are for terminals"


def test_successful_probes_are_not_logged(service: Service, serve) -> None:
    process = serve(service)
    assert process.check_health() == 0
    assert process.get("/readyz") == 200
    assert process.get("/missing") == 404
    assert process.stop() == 0
    assert [record["path"] for record in process.records if "path" in record] == ["/missing"]


def test_a_dependency_that_is_down_or_hangs_is_logged(edited: Service, serve) -> None:
    main = edited.package / "main.py"
    hang = "await database.ping()." + '"""\n    await asyncio.sleep(999)\n'
    main.write_text(main.read_text().replace('await database.ping()."""\n', hang))
    process = serve(edited)
    assert process.get("/readyz") == 503
    assert process.check_health() == 0, "it is alive"
    assert process.stop() == 0
    assert "/readyz" in [record.get("path") for record in process.records]
    [failure] = [record for record in process.records if "exception" in record]
    assert failure["message"] == "A dependency is down."


def test_the_log_level_is_a_setting(service: Service, serve) -> None:
    process = serve(service, wait=False, LOG_LEVEL="warning")
    process.wait_for_log("No API token is configured")
    wait_until("it answers", lambda: process.check_health() == 0)
    assert process.get("/") == 200
    assert process.stop() == 0
    assert {record["level"] for record in process.records} == {"WARNING"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "http"),
        ("PORT", ""),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("LOG_LEVEL", "lots"),
        ("UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN", "soon"),
    ],
)
def test_an_invalid_variable_is_named_in_the_last_line(service: Service, serve, variable: str, value: str) -> None:
    process = serve(service, wait=False, **{variable: value})
    assert process.wait() == 1
    [line] = process.errors_file.read_text().splitlines()
    assert variable in line


def test_an_invalid_setting_of_the_user_is_named_without_its_value(edited: Service, serve) -> None:
    with (edited.package / "settings.py").open("a") as settings:
        settings.write("    max_items: int = 3\n    page_size: int = 3\n")
    process = serve(edited, wait=False, MAX_ITEMS="open-sesame", PAGE_SIZE="2.5")
    assert process.wait() == 1
    [record] = process.records
    assert record["level"] == "CRITICAL"
    assert record["message"].startswith("Invalid settings: MAX_ITEMS: Input should be a valid integer")
    assert "; PAGE_SIZE: Input should be" in record["message"]
    assert "open-sesame" not in process.all_output


def test_an_app_that_cannot_be_imported_is_logged_and_ends_the_start(edited: Service, serve) -> None:
    (edited.package / "main.py").write_text("import missing_module\n")
    process = serve(edited, wait=False)
    assert process.wait() == 1
    record = process.records[-1]
    assert record["message"] == "Uncaught exception: No module named 'missing_module'"
    assert record["exception"].startswith("Traceback")
    assert process.errors_file.read_text() == ""


@pytest.mark.parametrize("token", ["open-sesame", "b3Blbi1zZXNhbWU=", "öffne-dich"])
def test_the_token_is_compared_byte_by_byte(service: Service, serve, token: str) -> None:
    process = serve(service, API_TOKEN=token)
    sent = token.encode().decode("latin-1")
    assert process.get("/private", Authorization=f"Bearer {sent}") == 200
    for wrong in ("wrong", "\xff", sent + "=", ""):
        assert process.get("/private", Authorization=f"Bearer {wrong}") == 401
    assert process.get("/private") == 401
    assert process.stop() == 0
    assert token not in process.all_output


def test_without_a_token_every_request_is_rejected(service: Service, serve) -> None:
    process = serve(service)
    assert process.get("/private", Authorization="Bearer ") == 401
    assert process.get("/private") == 401
    assert "No API token is configured" in process.all_output


def test_the_token_comes_from_the_secret_file(edited: Service, serve, tmp_path: Path) -> None:
    settings = edited.package / "settings.py"
    settings.write_text(settings.read_text().replace("/run/secrets", str(tmp_path)))
    (tmp_path / "api_token").write_text("open-sesame\n")
    process = serve(edited)
    assert process.get("/private", Authorization="Bearer open-sesame") == 200
    assert "No API token is configured" not in process.all_output
