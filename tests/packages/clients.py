"""Clients, queues, databases and their object mappers."""

import asyncio
import sqlite3
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from packages.helpers import tool, write


class Hello(BaseHTTPRequestHandler):
    """Answer each request with its path."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *args):
        pass


def url_of_a_server() -> str:
    server = HTTPServer(("127.0.0.1", 0), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


async def use_aiosqlite():
    import aiosqlite

    async with aiosqlite.connect(":memory:") as database, database.execute("select 1 + 1") as cursor:
        print(await cursor.fetchall())


def use_alembic():
    tool("alembic", "init", "migrations")
    for template in ("async", "multidb", "pyproject"):
        tool("alembic", "init", "--template", template, template)
    tool("alembic", "list_templates")
    settings = Path("alembic.ini").read_text(encoding="utf-8")
    write("alembic.ini", settings.replace("driver://user:pass@localhost/dbname", "sqlite:///a.db"))
    tool("alembic", "revision", "--rev-id=1", "--message=first")
    file = next(Path("migrations/versions").glob("*.py"))
    text = file.read_text(encoding="utf-8")
    write(str(file), text.replace("pass", "op.create_table('t', sa.Column('id', sa.Integer))", 1))
    tool("alembic", "upgrade", "head")
    print(sqlite3.connect("a.db").execute("select sql from sqlite_master").fetchall())
    tool("alembic", "downgrade", "base")


def use_apscheduler():
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.triggers.cron import CronTrigger

    done = threading.Event()
    scheduler = BackgroundScheduler()
    scheduler.add_job(done.set, "interval", seconds=0.1)
    scheduler.start()
    print(done.wait(10), CronTrigger.from_crontab("0 5 * * 1"))
    scheduler.shutdown()


def use_asyncpg():
    import asyncpg

    async def main():
        try:
            await asyncpg.connect("postgresql://user@127.0.0.1:1/x", timeout=5)
        except OSError as error:
            print(type(error).__name__)
        print(asyncpg.Range(1, 2), asyncpg.BitString("101"), asyncpg.exceptions.UniqueViolationError.sqlstate)

    asyncio.run(main())


def use_boto3():
    import boto3

    session = boto3.Session("key", "secret", region_name="eu-west-1")
    print(session.get_available_services())
    for service in ("s3", "ec2", "dynamodb", "sqs", "lambda"):
        client = session.client(service)
        print(client.meta.endpoint_url, len(client.meta.service_model.operation_names))
    print(session.resource("s3").Bucket("b"), session.client("ec2").get_paginator("describe_instances"))
    print(session.client("s3").generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"}).split("?")[0])


def use_moto():
    import boto3
    import moto

    with moto.mock_aws():
        client = boto3.client("s3", "us-east-1", aws_access_key_id="k", aws_secret_access_key="s")
        client.create_bucket(Bucket="bucket")
        client.put_object(Bucket="bucket", Key="k", Body=b"content")
        print(
            client.get_object(Bucket="bucket", Key="k")["Body"].read(),
            client.list_objects_v2(Bucket="bucket")["KeyCount"],
        )


def use_celery():
    from celery import Celery

    app = Celery("tasks", broker="memory://", backend="cache+memory://")
    app.conf.update(timezone="Europe/Paris", task_always_eager=True)

    @app.task(name="add")
    def add(a, b):
        return a + b

    print(add.delay(1, 2).get(), app.conf.timezone)
    write("tasks.py", "from celery import Celery\napp = Celery('tasks', broker='memory://')\n")
    tool("celery", "-A", "tasks", "report", errors=False)
    tool("celery", "--help")


def use_dramatiq():
    import dramatiq
    from dramatiq.brokers.stub import StubBroker

    broker = StubBroker()
    dramatiq.set_broker(broker)
    actor = dramatiq.actor(print, actor_name="show")
    actor.send("hello")
    worker = dramatiq.Worker(broker, worker_timeout=100)
    worker.start()
    broker.join("default")
    worker.stop()
    tool("dramatiq", "--help")


def use_huey():
    from huey import MemoryHuey

    huey = MemoryHuey(immediate=True)
    print(huey.task()(lambda a: a + 1)(1).get())


def use_rq():
    import redis
    import rq

    queue = rq.Queue(connection=redis.Redis(port=1))
    print(queue, queue.key)
    tool("rq", "--help")
    tool("rq", "worker", "--url", "redis://127.0.0.1:1", "--burst", errors=False, status=1)


def use_redis():
    import redis

    client = redis.Redis(port=1, retry=None)
    try:
        client.ping()
    except redis.ConnectionError as error:
        print(type(error).__name__)
    print(client.get_encoder().encode(1.5), client.register_script("return 1").sha)


def use_duckdb():
    import duckdb
    import pandas

    frame = pandas.DataFrame({"a": [1, 2, 3]})  # noqa: F841
    print(duckdb.sql("select sum(a) as total, version() from frame").df())
    duckdb.sql("copy frame to 'a.parquet'")
    print(duckdb.sql("select * from 'a.parquet'"))


def use_elasticsearch():
    import elasticsearch

    client = elasticsearch.Elasticsearch(url_of_a_server(), max_retries=0)
    try:
        client.info()
    except elasticsearch.UnsupportedProductError as error:
        print(error)


def use_google_cloud_storage():
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    client = storage.Client(project="p", credentials=AnonymousCredentials())
    print(client.bucket("b").blob("k").public_url)


def use_httpx():
    import httpx

    with httpx.Client(base_url=url_of_a_server()) as client:
        print(client.get("/a", params={"b": "ü"}).text)


def use_requests():
    import certifi
    import requests

    print(requests.get(url_of_a_server() + "/a", params={"b": "ü"}, timeout=20).text)
    print(Path(certifi.where()).stat().st_size)


def use_kafka_python():
    from kafka import KafkaProducer
    from kafka.errors import KafkaError

    try:
        KafkaProducer(bootstrap_servers="127.0.0.1:1", bootstrap_timeout_ms=500)
    except (KafkaError, ValueError, TypeError, AssertionError) as error:
        print(type(error).__name__)


def use_pika():
    import pika

    try:
        pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", 1))
    except pika.exceptions.AMQPConnectionError as error:
        print(type(error).__name__)
    print(pika.spec.Basic.Publish(exchange="x").encode())


def use_peewee():
    import peewee
    from playhouse.migrate import SqliteMigrator, migrate
    from playhouse.shortcuts import model_to_dict

    database = peewee.SqliteDatabase(":memory:")

    class Person(peewee.Model):
        name = peewee.CharField()

        class Meta:
            pass

    Person.bind(database)
    database.create_tables([Person])
    Person.create(name="ann")
    migrate(SqliteMigrator(database).add_index("person", ("name",)))
    print([model_to_dict(person) for person in Person.select().where(Person.name.contains("a"))])


def use_psycopg():
    import psycopg
    from psycopg import sql

    print(psycopg.pq.__impl__, psycopg.pq.version() > 100000)
    print(sql.SQL("select {}").format(sql.Identifier("a b")).as_string(None))
    try:
        psycopg.connect("host=127.0.0.1 port=1 connect_timeout=3")
    except psycopg.OperationalError as error:
        print(error)


def use_pymongo():
    import bson
    import pymongo

    print(bson.decode(bson.encode({"a": [1, "x", None]})), bson.has_c(), pymongo.has_c())
    try:
        pymongo.MongoClient("127.0.0.1", 1, serverSelectionTimeoutMS=200).admin.command("ping")
    except pymongo.errors.ServerSelectionTimeoutError as error:
        print(type(error).__name__)


def use_pymysql():
    import pymysql

    try:
        pymysql.connect(host="127.0.0.1", port=1)
    except pymysql.OperationalError as error:
        print(error)
    print(pymysql.charset.charset_by_name("utf8mb4"))


def use_pyzmq():
    import zmq

    context = zmq.Context()
    one, other = context.socket(zmq.REP), context.socket(zmq.REQ)
    other.connect(f"tcp://127.0.0.1:{one.bind_to_random_port('tcp://127.0.0.1')}")
    other.send_json({"a": 1})
    print(one.recv_json(), zmq.zmq_version(), zmq.has("curve"), len(zmq.curve_keypair()))
    context.destroy()


def use_sqlalchemy():
    import sqlalchemy as sa
    from sqlalchemy import orm

    class Base(orm.DeclarativeBase):
        pass

    class Person(Base):
        __tablename__ = "people"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        name: orm.Mapped[str]

    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add(Person(name="ann"))
        session.commit()
        print(session.scalars(sa.select(Person.name)).all())
    for dialect in ("postgresql", "mysql", "oracle", "mssql", "sqlite"):
        engine = sa.dialects.registry.load(dialect)()
        print(sa.select(Person).limit(3).compile(dialect=engine))
    from sqlalchemy.util import has_compiled_ext

    print(has_compiled_ext())


def use_sqlmodel():
    import sqlmodel

    class Hero(sqlmodel.SQLModel, table=True):
        id: int | None = sqlmodel.Field(default=None, primary_key=True)
        name: str

    engine = sqlmodel.create_engine("sqlite://")
    sqlmodel.SQLModel.metadata.create_all(engine)
    with sqlmodel.Session(engine) as session:
        session.add(Hero(name="ann"))
        session.commit()
        print(session.exec(sqlmodel.select(Hero)).all())


async def use_tortoise_orm():
    from tortoise import Tortoise

    sys.path.insert(0, ".")
    model = "class Person(models.Model):\n    id = fields.IntField(primary_key=True)\n    name = fields.TextField()\n"
    write("people.py", "from tortoise import fields, models\n" + model)
    await Tortoise.init(db_url="sqlite://:memory:", modules={"models": ["people"]})
    await Tortoise.generate_schemas()
    import people

    await people.Person.create(name="ann")
    print(await people.Person.all().values())
    await Tortoise.close_connections()


def use_grpcio():
    import concurrent.futures
    import os

    os.environ["GRPC_VERBOSITY"] = "NONE"
    import grpc

    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: request + b"!")
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("s", {"m": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        print(channel.unary_unary("/s/m")(b"hello", timeout=20))
    server.stop(None)


def use_opentelemetry_sdk():
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    with trace.get_tracer("x").start_as_current_span("work"):
        pass
    print([span.name for span in exporter.get_finished_spans()], sorted(provider.resource.attributes))


def use_prometheus_client():
    import prometheus_client

    registry = prometheus_client.CollectorRegistry()
    prometheus_client.Counter("calls", "Calls", ["path"], registry=registry).labels("/").inc()
    text = prometheus_client.generate_latest(registry).decode()
    print([line for line in text.splitlines() if "created" not in line])


def use_sentry_sdk():
    import sentry_sdk

    events: list[dict[str, object]] = []
    sentry_sdk.init("http://key@127.0.0.1:1/1", before_send=lambda event, hint: events.append(event))
    try:
        raise ValueError("broken")
    except ValueError as error:
        sentry_sdk.capture_exception(error)
    print([event["exception"]["values"][0]["type"] for event in events])
