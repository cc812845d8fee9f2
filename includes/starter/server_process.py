STOPPED_DURING_IMPORTS = """
import os, signal, sys
from {{ package_name }} import __main__

class StopAtGunicorn:
    def find_spec(self, name, *_):
        if name == "gunicorn":
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, StopAtGunicorn())
__main__.main()
"""


{% include 'includes/starter/process.py' %}


def test_a_stop_signal_lets_the_open_request_finish(service: Service) -> None:
    request = service.request("/slow?seconds=0.5")
    service.wait_for_log("slow request began")
    service.process.send_signal(signal.SIGTERM)
    response = request.getresponse()
    assert (response.status, response.read()) == (200, b"done")
    service.wait_for_log("cleaned up")
    assert service.process.wait(timeout=TIMEOUT) == 0


def test_a_stop_signal_lets_the_requests_finish_that_wait_for_a_thread(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("THREADS", "1")
    service = request.getfixturevalue("service")
    waiting = [service.request("/slow?seconds=0.3") for _ in range(3)]
    service.wait_for_log("slow request began")
    time.sleep(0.1)  # the server takes the other connections, too
    service.process.send_signal(signal.SIGTERM)
    assert [connection.getresponse().status for connection in waiting] == [200, 200, 200]
    assert service.stop() == 0


def test_a_request_that_outlasts_the_grace_is_cut_off(service: Service) -> None:
    service.request("/slow?seconds=999")
    service.wait_for_log("slow request began")
    began = time.monotonic()
    assert service.stop() == 0
    assert 2 <= time.monotonic() - began < TIMEOUT


def test_an_interrupt_stops_it_at_once(service: Service) -> None:
    assert service.get("/") == 200
    assert service.stop(signal.SIGINT) == 0


def test_a_stop_signal_during_the_start_is_a_clean_exit_too() -> None:
    process = start("-c", STOPPED_DURING_IMPORTS)
    output = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, *output) == (0, "", "")


def test_a_worker_that_is_killed_is_replaced(service: Service) -> None:
    worker = json.loads(service.lines[-1])["message"].rpartition(" ")[2]
    os.kill(int(worker), signal.SIGKILL)
    service.wait_for_log("Booting worker")
    assert service.get("{{ health_path }}") == 200


def test_every_log_line_is_one_json_object(service: Service) -> None:
    assert service.get("/?token=in-the-query") == 200
    assert service.get("/broken?token=in-the-query") == 500
    assert service.stop() == 0
    records = [json.loads(line) for line in service.lines]
    assert all(record.keys() >= {"timestamp", "level", "logger", "message"} for record in records)
    [access] = [record for record in records if record.get("path") == "/"]
    assert (access["method"], access["status"], access["level"]) == ("GET", 200, "INFO")
    [failure] = [record for record in records if "exception" in record]
    assert failure["level"] == "ERROR"
    assert failure["exception"].startswith("Traceback")
    assert failure["exception"].endswith("RuntimeError: out of luck")
    assert "in-the-query" not in "".join(service.lines)
    assert "u001b" not in "".join(service.lines), "colours are for terminals"


def test_a_failure_after_the_view_is_logged_without_the_query(service: Service) -> None:
    assert service.get("/broken-later?token=in-the-query") == 500
    assert service.stop() == 0
    assert "Error handling request GET /broken-later" in "".join(service.lines)
    assert "in-the-query" not in "".join(service.lines)


def test_probes_that_succeed_are_not_logged(service: Service) -> None:
    assert service.get("{{ health_path }}") == 200
    assert service.get({{ 'environment' if framework == 'django' else 'settings' }}.READY_PATH) == 200
    assert service.get("/nothing-here") == 404
    assert service.stop() == 0
    paths = [record.get("path") for record in map(json.loads, service.lines)]
    assert [path for path in paths if path] == ["/nothing-here"]


def test_a_bad_setting_is_one_line_and_exit_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "80")
    process = start("-m", "{{ package_name }}")
    output = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, *output) == (
        1,
        "",
        "bad settings: PORT: Input should be greater than or equal to 1024\n",
    )
