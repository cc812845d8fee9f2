"""The worker as a process: signals, the heartbeat, logs and settings."""

import time
from pathlib import Path

import pytest
from process import STOP_DURING_IMPORT, Process, Service, wait_until

FRAMEWORK = "worker"

# A broker for the tests: each file in JOBS is a job, which takes as many seconds as the file says.
BROKER = """

import atexit, os, pathlib, warnings

JOBS = pathlib.Path(os.environ["JOBS"])

def receive() -> str | None:
    for path in sorted(JOBS.iterdir()):
        path.unlink()
        return path.name
    time.sleep(0.05)
    return None

def handle(job: str) -> None:
    logger.info("The job %s began.", job)
    if job == "broken":
        raise RuntimeError("out of luck")
    warnings.warn("beware")
    time.sleep(float(job))
    logger.info("The job %s ended.", job)

atexit.register(logger.info, "The exit handler ran.")
"""


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    return tmp_path / "jobs"


@pytest.fixture
def heartbeat(tmp_path: Path) -> Path:
    return tmp_path / "heartbeat"


@pytest.fixture
def work(start, heartbeat: Path, jobs: Path):
    """Return a function that starts a worker with the variables that the image sets."""

    def work(service: Service, *options: str, **variables: str) -> Process:
        image = {
            "SERVICE_VERSION": "1.2.3",
            "HEARTBEAT_FILE": str(heartbeat),
            "JOBS": str(jobs),
        }
        return start(service, *options, **service.image | image | variables)

    return work


@pytest.fixture
def with_broker(edited: Service) -> Service:
    with (edited.package / "main.py").open("a") as main:
        main.write(BROKER)
    return edited


def test_the_generated_worker_becomes_healthy_and_stops(service: Service, work) -> None:
    process = work(service)
    wait_until("it is healthy", lambda: process.check_health() == 0)
    assert process.stop() == 0
    assert [record["message"] for record in process.records] == [
        "Version 1.2.3 is waiting for jobs.",
        "The worker has stopped.",
    ]


@pytest.mark.parametrize("number", [15, 2])
def test_a_stop_signal_lets_the_job_in_hand_finish_and_no_other_begin(
    with_broker: Service, work, jobs: Path, number: int
) -> None:
    (jobs / "0.5").touch()
    (jobs / "1").touch()
    process = work(with_broker)
    process.wait_for_log("The job 0.5 began.")
    process.popen.send_signal(number)
    time.sleep(0.1)
    process.popen.send_signal(number)
    assert process.wait() == 0
    messages = [record["message"] for record in process.records]
    assert "The job 0.5 ended." in messages
    assert "The exit handler ran." in messages
    assert [path.name for path in jobs.iterdir()] == ["1"]


@pytest.mark.parametrize("module", ["logs", "hello_service", "pydantic"])
def test_sigterm_during_the_imports_ends_with_0(service: Service, work, module: str) -> None:
    process = work(service, "-c", STOP_DURING_IMPORT, STOP_AT=module)
    assert process.wait() == 0
    assert process.all_output == ""


def test_a_worker_whose_broker_does_not_answer_is_never_healthy(edited: Service, work, heartbeat: Path) -> None:
    with (edited.package / "main.py").open("a") as main:
        main.write("\n\ndef receive() -> str | None:\n    time.sleep(999)\n")
    heartbeat.touch()  # of an earlier run
    process = work(edited)
    process.wait_for_log("is waiting for jobs")
    time.sleep(0.5)
    assert not heartbeat.exists()
    assert process.check_health() == 1


def test_a_worker_whose_broker_fails_ends_with_an_error(edited: Service, work, heartbeat: Path) -> None:
    with (edited.package / "main.py").open("a") as main:
        main.write("\n\ndef receive() -> str | None:\n    raise ConnectionError('no broker')\n")
    process = work(edited)
    assert process.wait() == 1
    record = process.records[-1]
    assert (record["level"], record["message"]) == ("CRITICAL", "Uncaught exception: no broker")
    assert record["exception"].endswith("ConnectionError: no broker")
    assert not heartbeat.exists()


def test_a_job_that_hangs_stops_the_heartbeat(with_broker: Service, work, jobs: Path, heartbeat: Path) -> None:
    process = work(with_broker)
    wait_until("it is healthy", heartbeat.exists)
    (jobs / "999").touch()
    process.wait_for_log("The job 999 began.")
    last = heartbeat.stat().st_mtime_ns
    time.sleep(0.5)
    assert heartbeat.stat().st_mtime_ns == last


def test_every_log_line_is_a_json_object(with_broker: Service, work, jobs: Path) -> None:
    (jobs / "broken").touch()
    process = work(with_broker)
    process.wait_for_log("The job failed.")
    (jobs / "0").touch()
    process.wait_for_log("The job 0 ended.")
    assert process.stop() == 0
    assert process.errors_file.read_text() == ""
    assert all(record.keys() >= {"timestamp", "level", "logger", "message"} for record in process.records)
    [failure] = [record for record in process.records if "exception" in record]
    assert (failure["level"], failure["message"]) == ("ERROR", "The job failed.")
    assert failure["exception"].endswith("RuntimeError: out of luck")
    assert any("beware" in record["message"] and record["level"] == "WARNING" for record in process.records)


def test_an_exception_in_a_thread_is_one_log_line(edited: Service, work) -> None:
    with (edited.package / "main.py").open("a") as main:
        main.write("\n\nimport threading\nthreading.Thread(target=lambda: 1 / 0).start()\n")
    process = work(edited)
    process.wait_for_log("Uncaught exception: division by zero")
    assert process.stop() == 0
    assert process.errors_file.read_text() == ""


def test_an_invalid_log_level_is_named_in_the_last_line(service: Service, work) -> None:
    process = work(service, LOG_LEVEL="lots")
    assert process.wait() == 1
    assert process.all_output == "LOG_LEVEL is 'LOTS': set it to debug, info, warning or error.\n"


def test_a_heartbeat_that_cannot_be_written_is_named_in_the_last_line(service: Service, work) -> None:
    process = work(service, HEARTBEAT_FILE="/missing/heartbeat")
    assert process.wait() == 1
    [record] = process.records
    assert record["message"] == "Invalid settings: HEARTBEAT_FILE: the folder is missing or not writable"
