"""Data formats, validation, compression and cryptography."""

from pathlib import Path

from packages.helpers import digest, tool, write


def use_argon2_cffi():
    import argon2

    hasher = argon2.PasswordHasher()
    print(
        hasher.verify(hasher.hash("secret"), "secret"),
        argon2.low_level.hash_secret_raw(b"s", b"12345678", 1, 8, 1, 16, argon2.Type.ID),
    )


def use_attrs():
    import attrs

    @attrs.define
    class Point:
        x: int = attrs.field(validator=attrs.validators.instance_of(int))

    print(Point(1), attrs.asdict(Point(2)))
    try:
        Point("a")
    except TypeError as error:
        print(error.args[0])


def use_authlib():
    from authlib.integrations.requests_client import OAuth2Session
    from authlib.jose import JsonWebKey, jwt

    key = JsonWebKey.generate_key("oct", 256, {"kid": "1"}, is_private=True)
    print(jwt.decode(jwt.encode({"alg": "HS256"}, {"sub": "x"}, key), key))
    print(OAuth2Session("id", redirect_uri="https://x").create_authorization_url("https://y", state="s"))


def use_bcrypt():
    import bcrypt

    print(bcrypt.hashpw(b"secret", b"$2b$04$abcdefghijklmnopqrstuu"), bcrypt.kdf(b"p", b"s", 16, 10))


def use_brotli():
    import brotli

    print(brotli.decompress(brotli.compress(b"x" * 99)), brotli.__version__)


def use_cbor2():
    import cbor2

    print(cbor2.dumps({"a": [1, 2.5, None]}), cbor2.loads(cbor2.dumps({"a": 1})), cbor2.dumps.__module__)


def use_cryptography():
    import datetime

    from cryptography import x509
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    )
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = builder.not_valid_before(start).not_valid_after(start.replace(year=2021)).sign(key, hashes.SHA256())
    print(certificate.subject, AESGCM(b"0" * 16).encrypt(b"1" * 12, b"data", None))
    token = Fernet.generate_key()
    print(Fernet(token).decrypt(Fernet(token).encrypt(b"x")), rsa.generate_private_key(65537, 2048).key_size)
    public = ed25519.Ed25519PrivateKey.from_private_bytes(b"2" * 32).public_key()
    print(public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH))


def use_fastavro():
    import io

    import fastavro

    schema = {"type": "record", "name": "r", "fields": [{"name": "a", "type": "int"}]}
    file = io.BytesIO()
    for codec in ("null", "deflate", "bzip2"):
        file = io.BytesIO()
        fastavro.writer(file, schema, [{"a": 1}], codec)
        file.seek(0)
        print(list(fastavro.reader(file)), fastavro.reader.__module__)


def use_itsdangerous():
    import itsdangerous

    signer = itsdangerous.URLSafeSerializer("secret")
    print(signer.dumps([1]), signer.loads(signer.dumps([1])))


def use_jsonschema():
    import jsonschema

    for validator in (jsonschema.Draft202012Validator, jsonschema.Draft7Validator, jsonschema.Draft4Validator):
        validator.check_schema({"type": "object"})
        print(
            [error.message for error in validator({"properties": {"a": {"type": "integer"}}}).iter_errors({"a": "x"})]
        )
    print(jsonschema.FormatChecker().conforms("a@b.c", "email"))
    files = [write("a.json", "1"), write("s.json", '{"type": "string"}')]
    tool("python", "-W", "ignore", "-m", "jsonschema", "-i", *files, status=1)


def use_lz4():
    import lz4.block
    import lz4.frame

    print(lz4.frame.decompress(lz4.frame.compress(b"x" * 99)), lz4.block.compress(b"x" * 99))


def use_marshmallow():
    import marshmallow

    class User(marshmallow.Schema):
        name = marshmallow.fields.Str(required=True)
        mail = marshmallow.fields.Email()

    print(User().load({"name": "x"}), User().validate({"mail": "x"}))


def use_msgpack():
    import msgpack

    print(msgpack.packb({"a": [1, 2.5]}), msgpack.unpackb(msgpack.packb([1])), msgpack.Packer.__module__)


def use_msgspec():
    import msgspec

    class User(msgspec.Struct):
        name: str
        age: int = 0

    print(
        msgspec.json.decode(b'{"name": "x"}', type=User), msgspec.json.schema(User), msgspec.msgpack.encode(User("x"))
    )


def use_orjson():
    import orjson

    print(orjson.dumps({"b": 1, "a": [1.5, None]}, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))


def use_paramiko():
    import socket
    import threading

    import paramiko

    class Server(paramiko.ServerInterface):
        def check_auth_password(self, username, password):
            return paramiko.AUTH_SUCCESSFUL

        def check_channel_request(self, kind, channel):
            return paramiko.OPEN_SUCCEEDED

        def check_channel_exec_request(self, channel, command):
            threading.Thread(target=lambda: (channel.sendall(b"ran " + command), channel.shutdown_write())).start()
            return True

    one, other = socket.socketpair()
    server = paramiko.Transport(one)
    server.add_server_key(paramiko.RSAKey.generate(2048))
    server.start_server(server=Server(), event=threading.Event())
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("x", username="u", password="p", sock=other, allow_agent=False, look_for_keys=False)
    print(client.exec_command("ls")[1].read())
    client.close()
    server.close()


def use_passlib():
    from passlib.hash import pbkdf2_sha256, sha512_crypt
    from passlib.pwd import genphrase

    print(
        sha512_crypt.using(salt="abc", rounds=5000).hash("secret"), pbkdf2_sha256.verify("x", pbkdf2_sha256.hash("x"))
    )
    print(len(genphrase(length=3, wordset="eff_long").split()))


def use_protobuf():
    from google.protobuf import descriptor_pb2, json_format, struct_pb2, timestamp_pb2
    from google.protobuf.internal import api_implementation

    struct = struct_pb2.Struct()
    struct.update({"a": [1, "x"]})
    print(json_format.MessageToJson(struct), struct.SerializeToString(), api_implementation.Type())
    print(timestamp_pb2.Timestamp(seconds=1).ToJsonString(), descriptor_pb2.DESCRIPTOR.name)


def use_pycryptodome():
    from Crypto.Cipher import AES, PKCS1_OAEP, ChaCha20
    from Crypto.Hash import BLAKE2b, keccak
    from Crypto.PublicKey import ECC, RSA
    from Crypto.Util import number

    print(AES.new(b"0" * 16, AES.MODE_GCM, b"1" * 12).encrypt_and_digest(b"data"), BLAKE2b.new(data=b"x").hexdigest())
    print(ChaCha20.new(key=b"0" * 32, nonce=b"1" * 8).encrypt(b"x"), keccak.new(digest_bits=256, data=b"x").hexdigest())
    key = RSA.generate(2048)
    print(
        PKCS1_OAEP.new(key).decrypt(PKCS1_OAEP.new(key).encrypt(b"x")),
        ECC.generate(curve="P-256").curve,
        number.isPrime(7),
    )


def use_pydantic():
    import pydantic

    class User(pydantic.BaseModel):
        name: str = pydantic.Field(max_length=3)
        site: pydantic.HttpUrl | None = None

    print(User.model_validate({"name": "x", "site": "https://example.com"}), User.model_json_schema())
    try:
        User(name="long", site="x")
    except pydantic.ValidationError as error:
        print(error)


def use_pydantic_settings():
    import os

    import pydantic_settings

    class Settings(pydantic_settings.BaseSettings):
        model_config = pydantic_settings.SettingsConfigDict(env_file=".env")
        port: int = 1
        debug: bool = False

    write(".env", "PORT=7\n")
    os.environ["DEBUG"] = "yes"
    print(Settings())


def use_pyjwt():
    import jwt

    token = jwt.encode({"sub": "x"}, "s" * 32, "HS256")
    print(token, jwt.decode(token, "s" * 32, ["HS256"]))


def use_pynacl():
    import nacl.pwhash
    import nacl.secret
    import nacl.signing

    print(nacl.signing.SigningKey(b"0" * 32).sign(b"x").hex(), nacl.pwhash.verify(nacl.pwhash.str(b"p"), b"p"))
    print(nacl.secret.SecretBox(b"0" * 32).encrypt(b"x", b"1" * 24).hex())


def use_pyopenssl():
    from OpenSSL import SSL, crypto

    key = crypto.PKey()
    key.generate_key(crypto.TYPE_RSA, 2048)
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_privatekey(key)
    context.load_verify_locations(__import__("certifi").where())
    print(key.bits(), SSL.Connection(context).get_cipher_list())


def use_pyyaml():
    import yaml

    print(yaml.safe_load("a: [1, 2020-01-02, x]"), yaml.dump({"b": 1}), yaml.load("a: 1", yaml.CSafeLoader))


def use_ruamel_yaml():
    import sys

    from ruamel.yaml import YAML

    yaml = YAML()
    document = yaml.load("a: 1  # comment\nb: [x, y]\n")
    document["a"] = 2
    yaml.dump(document, sys.stdout)
    print(YAML(typ="safe").load("a: 1"))


def use_tomlkit():
    import tomlkit

    document = tomlkit.parse("a = 1 # comment\n[t]\nb = 2020-01-02\n")
    document["a"] = 2
    print(tomlkit.dumps(document))


def use_ujson():
    import ujson

    print(ujson.dumps({"a": [1, 2.5, None], "b": "ü"}), ujson.loads("[1]"))


def use_zstandard():
    import zstandard

    data = zstandard.ZstdCompressor().compress(b"x" * 99)
    print(digest(data), zstandard.decompress(data), zstandard.backend)


def use_structlog():
    import structlog

    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
    structlog.get_logger().info("hello", a=1)
    structlog.configure(processors=[structlog.dev.ConsoleRenderer(colors=True)])
    structlog.get_logger().info("hello", a=1)


def use_loguru():
    import sys

    from loguru import logger

    logger.remove()
    logger.add(sys.stdout, format="{level} {message} {extra}", backtrace=True, diagnose=True)
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        logger.bind(a=1).exception("broken")


def use_grpcio_tools():
    write(
        "a.proto",
        'syntax = "proto3";\nimport "google/protobuf/any.proto";\nmessage M { google.protobuf.Any a = 1; }\n'
        "service S { rpc R (M) returns (M); }\n",
    )
    arguments = ["-m", "grpc_tools.protoc", "-I.", "--python_out=.", "--grpc_python_out=.", "--pyi_out=.", "a.proto"]
    tool("python", *arguments)
    for file in sorted(Path().glob("a_pb2*")):
        print(file.name, digest(file.read_bytes()))
    tool("python", "-c", "import a_pb2_grpc, a_pb2; print(a_pb2.M(), a_pb2_grpc.SStub)")
