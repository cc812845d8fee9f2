"""The Django starter as a process: signals, logs, settings, health, static files, commands."""

import re
import socket
import sqlite3
import time
from pathlib import Path

import pytest

from testing.waiting import wait_until

pytest.register_assert_rewrite("wsgi")

from wsgi import ServerTests, Service  # noqa: E402 - after the line above, so that asserts explain themselves

TEST_APP = """
import atexit, logging, os, time, warnings
from PACKAGE.wsgi import application as app
from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from PACKAGE import urls

def slow(request):
    logging.info("slow request began")
    time.sleep(float(request.GET["seconds"]))
    return HttpResponse("done")

def broken(request):
    raise RuntimeError("out of luck")

def broken_later(request):
    def body():
        raise RuntimeError("out of luck")
        yield
    return StreamingHttpResponse(body())

def warns(request):
    warnings.warn("beware")
    return HttpResponse("done")

def key(request):
    return HttpResponse(f"{os.getpid()} {settings.SECRET_KEY}")

def bare(environ, start_response):
    raise RuntimeError("out of luck")
    yield

views = (slow, broken, broken_later, warns, key)
urls.urlpatterns += [path(view.__name__.replace("_", "-"), view) for view in views]
atexit.register(logging.info, "cleaned up")
"""


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    service = Service(tmp_path_factory.mktemp("django"), "django", "wsgi", TEST_APP)
    # As the image is built: no database, no secret.
    result = service.manage("collectstatic", "--noinput")
    assert result.returncode == 0, result.stderr
    return service


class TestDjango(ServerTests):
    BAD_SETTINGS = (
        *ServerTests.BAD_SETTINGS,
        ("DEBUG", "perhaps"),
        ("HTTPS_ONLY", "perhaps"),
        ("DATABASE_URL", "nowhere"),
        ("DATABASE_URL", "postgresql://user:open-sesame@host:port/name"),
        ("DATABASE_URL", "redshift://user:open-sesame@host/name"),
        ("DATABASE_URL", "mysql://user:open-sesame@host/name"),
        ("DATABASE_URL", "oracle://user:open-sesame@host/name"),
        ("DATABASE_PASSWORD_FILE", "/"),
        ("SECRET_KEY_FILE", "/"),
    )

    def break_import(self, service: Service) -> None:
        path = service.source / service.package / "views.py"
        path.write_text("import not_there\n" + path.read_text())

    def test_static_files_have_hashed_names_and_may_be_kept_forever(self, service: Service) -> None:
        with service.running(app=service.app) as process:
            page = process.response("/").read().decode()
            [link] = re.findall(r'href="(/static/.+?\.css)"', page)
            assert re.search(r"\.[0-9a-f]{12}\.css$", link)
            response = process.response(link)
            assert response.status == 200
            assert "immutable" in response.headers["Cache-Control"]

    def test_without_a_secret_key_all_workers_share_one(self, service: Service) -> None:
        with service.running(WEB_CONCURRENCY="2") as process:
            [warning] = [record for record in process.records if record["level"] == "WARNING"]
            assert "No secret key" in warning["message"]
            keys: dict[bytes, bytes] = {}

            def both_answered() -> bool:
                worker, _, key = process.response("/key").read().partition(b" ")
                keys[worker] = key
                return len(keys) == 2

            wait_until("both workers have answered", both_answered)
            assert len(set(keys.values())) == 1
            assert all(len(key) >= 50 for key in keys.values())

    def test_the_secret_key_comes_from_its_file(self, service: Service, tmp_path: Path) -> None:
        secret = tmp_path / "secret_key"
        secret.write_text("open-sesame\n")
        with service.running(SECRET_KEY_FILE=str(secret)) as process:
            assert process.response("/key").read().endswith(b" open-sesame")
            assert "No secret key" not in process.all_output

    def test_it_is_alive_but_not_ready_without_its_database(self, service: Service) -> None:
        with service.running(DATABASE_URL="sqlite:////no/such/folder/db.sqlite3") as process:
            assert process.get("/healthz") == 200
            assert process.get("/readyz") == 503
            assert "unable to open database file" in process.all_output

    def test_it_is_not_ready_when_the_database_hangs(self, service: Service) -> None:
        with socket.create_server(("127.0.0.1", 0)) as hanging:
            url = f"postgresql://user:open-sesame@127.0.0.1:{hanging.getsockname()[1]}/name"
            with service.running(DATABASE_URL=url) as process:
                began = time.monotonic()
                response = process.response("/readyz")
                assert (response.status, response.read()) == (503, b'{"status": "unavailable"}')
                assert time.monotonic() - began < 10
                assert "open-sesame" not in process.all_output

    def test_health_checks_answer_any_host_without_https(self, service: Service) -> None:
        with service.running(HTTPS_ONLY="true", ALLOWED_HOSTS="www.example.com") as process:
            assert process.get("/healthz", Host="10.1.2.3") == 200
            assert process.get("/readyz", Host="10.1.2.3") == 200
            assert process.get("/", Host="10.1.2.3") == 400
            assert process.response("/", Host="www.example.com").headers["Location"] == "https://www.example.com/"
            # The tests run on this machine, and gunicorn trusts its loopback address.
            forwarded = {"Host": "www.example.com", "X-Forwarded-Proto": "https"}
            assert process.get("/", **forwarded) == 200

    def test_only_a_trusted_proxy_says_that_a_request_came_through_https(self, service: Service) -> None:
        for trusted, status in (("127.0.0.1", 200), ("192.0.2.1", 301)):
            variables = {"HTTPS_ONLY": "true", "ALLOWED_HOSTS": "www.example.com", "FORWARDED_ALLOW_IPS": trusted}
            with service.running(**variables) as process:
                assert process.get("/", **{"Host": "www.example.com", "X-Forwarded-Proto": "https"}) == status

    def test_with_debug_no_line_is_plain_text_or_logged_twice(self, service: Service) -> None:
        with service.running(DEBUG="true") as process:
            assert process.get("/nothing-here?token=open-sesame") == 404
            assert process.stop() == 0
        assert process.errors.read_text() == ""
        assert len([record for record in process.records if record["message"].startswith("Not Found")]) == 1
        assert "open-sesame" not in process.output.read_text()

    def test_migrate_creates_the_tables(self, service: Service, tmp_path: Path) -> None:
        result = service.manage("migrate", DATABASE_URL=f"sqlite:///{tmp_path}/migrated.sqlite3")
        assert result.returncode == 0, result.stderr
        with sqlite3.connect(tmp_path / "migrated.sqlite3") as database:
            assert ("django_session",) in database.execute("SELECT name FROM sqlite_master").fetchall()

    def test_makemigrations_writes_into_the_source(self, service: Service, tmp_path: Path) -> None:
        edited = service.copy(tmp_path / "edited")
        model = "from django.db import models\nclass Note(models.Model):\n    text = models.TextField()\n"
        (edited.source / edited.package / "models.py").write_text(model)
        result = edited.manage("makemigrations")
        assert result.returncode == 0, result.stderr
        assert (edited.source / edited.package / "migrations" / "0001_initial.py").exists()

    def test_the_deployment_check_is_clean(self, service: Service) -> None:
        result = service.manage("check", "--deploy", "--fail-level", "INFO", HTTPS_ONLY="true")
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith("System check identified no issues")

    @pytest.mark.parametrize(("variable", "value"), [("DATABASE_URL", "nowhere"), ("SECRET_KEY_FILE", "/")])
    def test_a_bad_setting_ends_a_command_too(self, service: Service, variable: str, value: str) -> None:
        result = service.manage("migrate", **{variable: value})
        assert result.returncode != 0
        assert variable in result.stderr.splitlines()[-1]
