"""The Flask starter as a process: signals, logs, settings, health."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite("wsgi")

from wsgi import ServerTests, Service  # noqa: E402 - after the line above, so that asserts explain themselves

TEST_APP = """
import atexit, logging, time, warnings
from flask import request
from PACKAGE.app import app

@app.get("/slow")
def slow():
    logging.info("slow request began")
    time.sleep(float(request.args["seconds"]))
    return "done"

@app.get("/broken")
def broken():
    raise RuntimeError("out of luck")

@app.get("/broken-later")
def broken_later():
    def body():
        raise RuntimeError("out of luck")
        yield
    return body()

@app.get("/warns")
def warns():
    warnings.warn("beware")
    return "done"

def bare(environ, start_response):
    raise RuntimeError("out of luck")
    yield

atexit.register(logging.info, "cleaned up")
"""


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return Service(tmp_path_factory.mktemp("flask"), "flask", "app:app", TEST_APP)


class TestFlask(ServerTests):
    def break_import(self, service: Service) -> None:
        path = service.source / service.package / "app.py"
        path.write_text("import not_there\n" + path.read_text())

    def test_a_bad_setting_of_the_user_is_named_without_its_value(self, service: Service, tmp_path: Path) -> None:
        edited = service.copy(tmp_path / "edited")
        with (edited.source / service.package / "settings.py").open("a") as settings:
            settings.write("    max_items: int = 3\n    page_size: int = 3\n")
        process = edited.start(MAX_ITEMS="open-sesame", PAGE_SIZE="2.5")
        assert process.popen.wait(60) not in (0, None)
        message = process.records[-1]["message"]
        assert message.startswith("MAX_ITEMS: Input should be a valid integer")
        assert "; PAGE_SIZE: Input should be a valid integer" in message
        assert "open-sesame" not in process.all_output

    @pytest.mark.parametrize("token", ["plain", "padded==", "a=b=c", "é€😀"])
    def test_the_token_may_hold_any_character(self, service: Service, token: str) -> None:
        with service.running(API_TOKEN=token) as process:
            assert process.get("/private", Authorization=f"Bearer {token}".encode()) == 200
            assert process.get("/private", Authorization=f"bearer {token}".encode()) == 200
            assert process.get("/private", Authorization=f"Bearer {token}é".encode()) == 401
            assert process.get("/private", Authorization=f"Basic {token}".encode()) == 401
            assert process.get("/private") == 401

    def test_without_a_token_it_warns_and_rejects_every_token(self, service: Service) -> None:
        with service.running() as process:
            for value in ("Bearer ", "Bearer x"):
                assert process.get("/private", Authorization=value) == 401
            [warning] = [record for record in process.records if record["level"] == "WARNING"]
            assert "No API token" in warning["message"]

    def test_a_dependency_that_hangs_makes_it_not_ready(self, service: Service, tmp_path: Path) -> None:
        edited = service.copy(tmp_path / "edited")
        with (edited.source / "test_app.py").open("a") as app:
            app.write("from PACKAGE.app import dependencies\n".replace("PACKAGE", service.package))
            app.write("dependencies.update(cache=lambda: None, queue=lambda: time.sleep(5))\n")
        with edited.running() as process:
            assert [process.get("/readyz") for _ in range(3)] == [503, 503, 503]
            assert process.get("/healthz") == 200
            assert "Not ready: queue does not answer." in process.all_output
