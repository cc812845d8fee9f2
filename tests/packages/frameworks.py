"""Frameworks and servers for the web."""

import asyncio
import json
import sys
from pathlib import Path

from packages.helpers import digest, fetch, free_port, serve, tool, write

WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello from WSGI"]
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"hello from ASGI"})
"""


async def use_aiohttp():
    from aiohttp import ClientSession, web

    async def hello(request):
        return web.json_response({"path": request.path, "query": dict(request.query)})

    app = web.Application()
    app.router.add_get("/{name}", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/x?a=1") as response:
        print(response.status, await response.json())
    await runner.cleanup()


def use_bottle():
    import io

    import bottle

    app = bottle.Bottle()
    app.route("/<name>")(lambda name: bottle.template("Hello {{name}}", name=name))
    environ = {"PATH_INFO": "/you", "REQUEST_METHOD": "GET", "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stdout}
    print(b"".join(app(environ, lambda *answer: print(answer))))
    print(app({**environ, "PATH_INFO": "/a/b"}, lambda *answer: print(answer)))


def use_dash():
    import dash
    import flask

    app = dash.Dash(server=flask.Flask("page"))
    app.layout = dash.html.Div([dash.html.H1("Title"), dash.dcc.Graph(id="g"), dash.dash_table.DataTable(id="t")])
    client = app.server.test_client()
    index = client.get("/").text
    print([line for line in index.splitlines() if "_dash-config" not in line])
    for script in [part.split('"')[0] for part in index.split('<script src="')[1:]]:
        print(script.partition("?")[0], digest(client.get(script).data))
    print(digest(client.get("/_dash-layout").data))


def django_project(apps: list[str], **settings: object) -> None:
    """Configure Django with the admin, a database in memory and more apps."""
    import django
    from django.conf import settings as configured

    names = ["admin", "auth", "contenttypes", "sessions", "messages", "staticfiles"]
    middleware = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
    processors = [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]
    template = {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": processors},
    }
    configured.configure(
        **{
            "SECRET_KEY": "x" * 50,
            "DEBUG": False,
            "ALLOWED_HOSTS": ["*"],
            "ROOT_URLCONF": "urls",
            "STATIC_URL": "/static/",
            "STATIC_ROOT": "static",
            "MIDDLEWARE": middleware,
            "TEMPLATES": [template],
            "DEFAULT_AUTO_FIELD": "django.db.models.AutoField",
            "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            "INSTALLED_APPS": [f"django.contrib.{name}" for name in names] + apps,
            **settings,
        }
    )
    sys.path.insert(0, ".")
    django.setup()


URLS = "from django.contrib import admin\nfrom django.urls import include, path\n"


def use_django():
    from django.core.management import call_command

    write("urls.py", URLS + "urlpatterns = [path('admin/', admin.site.urls)]\n")
    django_project([], LANGUAGE_CODE="fr")
    call_command("migrate", verbosity=1)
    call_command("collectstatic", interactive=False, verbosity=0)
    print(sorted(path.as_posix() for path in Path("static").rglob("*.*")))
    from django.contrib.auth.models import User
    from django.test import Client

    user = User.objects.create_superuser("root", password="secret")
    client = Client()
    print(client.get("/admin/login/").content.decode().partition("csrfmiddlewaretoken")[0])
    client.force_login(user)
    print(client.get("/admin/").content.decode(), client.get("/admin/auth/user/").content.decode())
    call_command("startproject", "shop")
    call_command("startapp", "orders")
    print(sorted(path.as_posix() for path in Path().rglob("*.py")))
    tool("django-admin", "startproject", "other")
    tool("python", "other/manage.py", "test")


def use_django_debug_toolbar():
    write(
        "urls.py",
        "from debug_toolbar.toolbar import debug_toolbar_urls\nfrom django.http import HttpResponse\n"
        "from django.urls import path\n"
        "urlpatterns = [path('', lambda request: HttpResponse('<body>page</body>')), *debug_toolbar_urls()]\n",
    )
    django_project(
        ["debug_toolbar"],
        DEBUG=True,
        INTERNAL_IPS=["127.0.0.1"],
        MIDDLEWARE=["debug_toolbar.middleware.DebugToolbarMiddleware"],
        DEBUG_TOOLBAR_CONFIG={"SHOW_TOOLBAR_CALLBACK": lambda request: True, "IS_RUNNING_TESTS": False},
    )
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    page = Client().get("/").content.decode()
    print(page.count("djdt"), "djDebugToolbar" in page)


def use_django_filter():
    write("urls.py", "urlpatterns = []\n")
    django_project(["django_filters"])
    import django_filters
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.template.loader import render_to_string

    call_command("migrate", verbosity=0)
    User.objects.create(username="ann")

    class Filter(django_filters.FilterSet):
        class Meta:
            model = User
            fields: tuple[str, ...] = ("username", "date_joined")

    found = Filter({"username": "ann"}, queryset=User.objects.all())
    print(found.qs, found.form.as_p())
    print(render_to_string("django_filters/rest_framework/form.html", {"filter": found}))


def use_djangorestframework():
    write(
        "urls.py",
        URLS
        + "from django.contrib.auth.models import User\nfrom rest_framework import routers, serializers, viewsets\n"
        "class UserSerializer(serializers.ModelSerializer):\n    class Meta:\n        model = User\n"
        "        fields = ['id', 'username']\n"
        "class Users(viewsets.ModelViewSet):\n    queryset = User.objects.all()\n"
        "    serializer_class = UserSerializer\n"
        "router = routers.DefaultRouter()\nrouter.register('users', Users)\n"
        "urlpatterns = [path('', include(router.urls))]\n",
    )
    django_project(["rest_framework"])
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    print(Client().post("/users/", {"username": "ann"}, content_type="application/json").content)
    print(Client().get("/users/", HTTP_ACCEPT="text/html").content.decode())


def use_drf_spectacular():
    use = "from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView\n"
    write(
        "urls.py",
        URLS + use + "urlpatterns = [path('schema', SpectacularAPIView.as_view(), name='schema'),"
        " path('ui', SpectacularSwaggerView.as_view()), path('redoc', SpectacularRedocView.as_view())]\n",
    )
    django_project(
        ["rest_framework", "drf_spectacular"],
        REST_FRAMEWORK={"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"},
    )
    from django.test import Client

    for path in ("/schema", "/ui", "/redoc"):
        print(Client().get(path).content.decode())


def use_wagtail():
    parts = ["", ".admin", ".documents", ".images", ".users", ".snippets", ".search", ".sites", ".embeds", ".forms"]
    apps = [f"wagtail{part}" if part != ".forms" else "wagtail.contrib.forms" for part in parts if part]
    write(
        "urls.py",
        "from django.urls import include, path\nfrom wagtail import urls\nfrom wagtail.admin import urls as admin\n"
        "urlpatterns = [path('admin/', include(admin)), path('', include(urls))]\n",
    )
    django_project([*apps, "wagtail", "modelcluster", "taggit"], WAGTAIL_SITE_NAME="site")
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    print(Client().get("/").content.decode())
    print(Client().get("/admin/login/").content.decode().partition("csrfmiddlewaretoken")[0])
    call_command("collectstatic", interactive=False, verbosity=0)
    print(sorted(path.as_posix() for path in Path("static").rglob("*.*")))
    tool("wagtail", "start", "blog")
    print(sorted(path.as_posix() for path in Path("blog").rglob("*.*")))


async def use_channels():
    write("urls.py", "urlpatterns = []\n")
    django_project(["channels"], CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}})
    from asgiref.testing import ApplicationCommunicator
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.layers import get_channel_layer

    class Echo(AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None):
            await self.send(text_data=text_data)

    communicator = ApplicationCommunicator(Echo.as_asgi(), {"type": "websocket", "path": "/"})
    await communicator.send_input({"type": "websocket.connect"})
    print(await communicator.receive_output())
    await communicator.send_input({"type": "websocket.receive", "text": "hello"})
    print(await communicator.receive_output())
    await get_channel_layer().send("c", {"type": "x"})
    print(await get_channel_layer().receive("c"))


def use_whitenoise():
    from whitenoise import WhiteNoise

    write("static/a.js", "var a;\n")
    tool("python", "-m", "whitenoise.compress", "static")
    app = WhiteNoise(None, root="static")
    body = app({"PATH_INFO": "/a.js", "REQUEST_METHOD": "GET"}, lambda status, headers: print(status))
    print(b"".join(body))


def use_falcon():
    import falcon
    import falcon.testing

    class Thing:
        def on_get(self, request, response, number):
            response.media = {"number": number}

    app = falcon.App()
    app.add_route("/{number:int}", Thing())
    client = falcon.testing.TestClient(app)
    print(client.simulate_get("/7").json, client.simulate_get("/x").status)


def use_fastapi():
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from pydantic import BaseModel

    class Item(BaseModel):
        name: str
        price: float = 1

    app = FastAPI()

    @app.post("/items")
    def create(item: Item) -> Item:
        return item

    client = TestClient(app)
    print(json.dumps(app.openapi()))
    print(client.post("/items", json={"name": "x"}).json(), client.post("/items", json={}).json())
    print(client.get("/docs").text)


def use_flask():
    import flask

    write("templates/page.html", "<b>{{ name }}</b>")
    app = flask.Flask("page", root_path=".")
    app.route("/<name>")(lambda name: flask.render_template("page.html", name=name))
    print(app.test_client().get("/<you>").text)
    tool("flask", "--app", write("hello.py", "import flask\napp = flask.Flask('hello')\n"), "routes")


def use_flask_admin():
    import flask
    from flask_admin import Admin

    app = flask.Flask("page")
    app.secret_key = "x"
    Admin(app, name="shop")
    client = app.test_client()
    print(client.get("/admin/").text)
    for name in ("bootstrap/bootstrap4/css/bootstrap.min.css", "admin/js/form.js", "vendor/jquery.min.js"):
        print(name, digest(client.get(f"/admin/static/{name}").data))


def use_graphene():
    import graphene

    class Query(graphene.ObjectType):
        hello = graphene.String(name=graphene.String(default_value="you"))

        def resolve_hello(self, info, name):
            return f"Hello {name}"

    schema = graphene.Schema(query=Query)
    print(schema, schema.execute('{ hello(name: "x") }').data)


def use_strawberry_graphql():
    import strawberry
    from strawberry.asgi import GraphQL

    @strawberry.type
    class Query:
        @strawberry.field
        def hello(self, name: str = "you") -> str:
            return f"Hello {name}"

    schema = strawberry.Schema(query=Query)
    print(schema.as_str(), schema.execute_sync("{ hello }").data)
    from starlette.testclient import TestClient

    print(TestClient(GraphQL(schema)).get("/", headers={"accept": "text/html"}).text)


def use_gunicorn():
    write("wsgi.py", WSGI)
    serve("gunicorn", "--bind=127.0.0.1:PORT", "--workers=1", "wsgi:app")


def use_hypercorn():
    write("asgi.py", ASGI)
    serve("hypercorn", "--bind=127.0.0.1:PORT", "asgi:app")


def use_uvicorn():
    write("asgi.py", ASGI)
    serve("uvicorn", "--port=PORT", "asgi:app")


def use_waitress():
    write("wsgi.py", WSGI)
    serve("waitress-serve", "--listen=127.0.0.1:PORT", "wsgi:app")


def use_werkzeug():
    from werkzeug.debug import DebuggedApplication
    from werkzeug.test import Client

    def broken(environ, start_response):
        raise ValueError("broken")

    client = Client(DebuggedApplication(broken, pin_security=False))
    print(client.get("/").text.count("ValueError"))
    print(digest(client.get("/?__debugger__=yes&cmd=resource&f=debugger.js").data))


def use_litestar():
    from litestar import Litestar, get
    from litestar.testing import TestClient

    @get("/{number:int}")
    async def thing(number: int) -> dict[str, int]:
        return {"number": number}

    with TestClient(Litestar([thing])) as client:
        print(client.get("/7").json(), client.get("/x").status_code)
        print(client.get("/schema/openapi.json").json())
        print(digest(client.get("/schema").text))


async def use_quart():
    import quart

    app = quart.Quart("page")

    @app.route("/<name>")
    async def hello(name):
        return await quart.render_template_string("Hello {{ name }}", name=name)

    print(await (await app.test_client().get("/you")).get_data())


def use_pyramid():
    from pyramid.config import Configurator
    from pyramid.request import Request
    from pyramid.response import Response

    with Configurator() as config:
        config.add_route("hello", "/{name}")
        config.add_view(lambda request: Response("Hello " + request.matchdict["name"]), route_name="hello")
        config.add_static_view("scripts", "pyramid:scripts")
        app = config.make_wsgi_app()
    print(Request.blank("/you").get_response(app).text, Request.blank("/a/b").get_response(app).text)


def use_sanic():
    write(
        "hello.py",
        "from sanic import Sanic, response\napp = Sanic('hello')\n"
        "@app.get('/<number:int>')\nasync def hello(request, number):\n    return response.json({'number': number})\n",
    )
    serve("sanic", "hello:app", "--port=PORT", "--single-process", path="/7")


def use_starlette():
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    async def broken(request):
        raise ValueError("broken")

    app = Starlette(debug=True, routes=[Route("/", lambda r: PlainTextResponse("hello")), Route("/broken", broken)])
    client = TestClient(app, raise_server_exceptions=False)
    print(client.get("/").text, client.get("/broken", headers={"accept": "text/html"}).text.count("ValueError"))


async def use_tornado():
    import tornado.httpclient
    import tornado.web

    class Hello(tornado.web.RequestHandler):
        def get(self):
            self.finish(tornado.template.Template("Hello {{ name }}").generate(name="<you>"))

    port = free_port()
    server = tornado.web.Application([("/", Hello)]).listen(port, "127.0.0.1")
    print((await tornado.httpclient.AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/")).body)
    print(
        tornado.locale.get_supported_locales(),
        tornado.locale.get("es_ES").format_day(__import__("datetime").date(2020, 1, 2)),
    )
    server.stop()


def use_twisted():
    from twisted.internet import endpoints, reactor, threads
    from twisted.web import resource, server

    class Hello(resource.Resource):
        isLeaf = True

        def render_GET(self, request):
            return b"Hello " + request.path

    port = free_port()
    endpoints.TCP4ServerEndpoint(reactor, port, interface="127.0.0.1").listen(server.Site(Hello()))
    call = threads.deferToThread(fetch, f"http://127.0.0.1:{port}/you")
    call.addErrback(print)
    call.addBoth(lambda _: reactor.stop())
    reactor.run()
    tool("twist", "--help")
    test = "from twisted.trial.unittest import TestCase\nclass T(TestCase):\n    def test_a(self):\n        pass\n"
    write("test_a.py", test)
    tool("python", "-m", "twisted.trial", "test_a", errors=False)


async def use_websockets():
    import websockets

    async def echo(socket):
        async for message in socket:
            await socket.send(message + "!")

    async with websockets.serve(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with websockets.connect(f"ws://127.0.0.1:{port}") as client:
            await client.send("hello")
            print(await client.recv())


def use_scrapy():
    tool("scrapy", "startproject", "shop", errors=False)
    tool("scrapy", "genspider", "--dump=basic", "x", "example.com", errors=False)
    print(sorted(path.as_posix() for path in Path("shop").rglob("*.*")))
    write("www/index.html", "<title>A page</title>")
    spider = (
        "import pathlib, scrapy\nclass Spider(scrapy.Spider):\n    name = 'x'\n"
        "    start_urls = [pathlib.Path('www/index.html').absolute().as_uri()]\n"
        "    def parse(self, response):\n        yield {'title': response.css('title::text').get()}\n"
    )
    tool("scrapy", "runspider", write("spider.py", spider), "-o", "items.json", "-L", "ERROR")
    print(Path("items.json").read_text(encoding="utf-8"))


async def use_anyio():
    import anyio

    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 0)
        print(await anyio.to_thread.run_sync(lambda: 7))
    print(await anyio.Path().is_dir())


def use_uvloop():
    import uvloop

    async def main():
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        print(type(asyncio.get_running_loop()), bool(server.sockets))
        server.close()
        process = await asyncio.create_subprocess_exec("echo", "hello", stdout=-1)
        print(await process.communicate())

    uvloop.run(main())


def use_gevent():
    from gevent import monkey

    monkey.patch_all()
    import gevent
    from gevent.pywsgi import WSGIServer

    server = WSGIServer(("127.0.0.1", 0), lambda environ, start: [start("200 OK", []) and b"", b"hello"], log=None)
    server.start()
    gevent.joinall([gevent.spawn(fetch, f"http://127.0.0.1:{server.server_port}/")])
    print(gevent.config.loop)


def use_greenlet():
    from greenlet import greenlet

    other = greenlet(lambda value: main.switch(value + 1))
    main = greenlet.getcurrent()
    print(other.switch(1))


def use_python_multipart():
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    async def upload(request):
        form = await request.form()
        return JSONResponse({"size": form["file"].size, "name": form["name"]})

    client = TestClient(Starlette(routes=[Route("/", upload, methods=["POST"])]))
    print(client.post("/", files={"file": b"content"}, data={"name": "x"}).json())
