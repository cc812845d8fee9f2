from pathlib import Path

import pytest

from jobs import main
from jobs.settings import Settings


@pytest.fixture
def heartbeat(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "heartbeat"
    monkeypatch.setenv("HEARTBEAT_FILE", str(path))
    return path


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the jobs that the worker receives; it stops when none is left."""
    jobs: list[str] = []

    def receive() -> str | None:
        if jobs:
            return jobs.pop(0)
        main.stop()
        return None

    monkeypatch.setattr(main, "receive", receive)
    monkeypatch.setattr(main, "stopping", False)
    # Keep pytest's own signal handlers.
    monkeypatch.setattr("signal.signal", lambda *_: None)
    return jobs


def test_jobs_are_handled_in_turn(
    monkeypatch: pytest.MonkeyPatch, jobs: list[str], heartbeat: Path
) -> None:
    handled: list[str] = []
    monkeypatch.setattr(main, "handle", handled.append)
    jobs += ["first", "second"]
    main.main()
    assert handled == ["first", "second"]
    assert heartbeat.exists()


def test_a_failed_job_does_not_stop_the_worker(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    jobs: list[str],
    heartbeat: Path,
) -> None:
    def fail(job: str) -> None:
        raise ValueError(job)

    monkeypatch.setattr(main, "handle", fail)
    jobs += ["first", "second"]
    main.main()
    assert jobs == []
    assert caplog.messages.count("The job failed.") == 2


def test_a_heartbeat_that_cannot_be_written_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTBEAT_FILE", "/missing/heartbeat")
    with pytest.raises(ValueError, match="the folder is missing or not writable"):
        Settings()
