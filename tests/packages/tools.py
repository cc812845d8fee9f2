"""Compilers, parsers, and the tools of developers that some services run."""

import json
import subprocess
import sys
from pathlib import Path

from packages.helpers import digest, tool, write

CODE = "import os, json\ndef f(x:int)->str:\n  return json.dumps(x)\nclass A:\n    def m(self): return f(1)\n"


def use_antlr4_python3_runtime():
    import antlr4
    from antlr4.error.ErrorListener import ConsoleErrorListener

    stream = antlr4.InputStream("hello")
    print(stream.LA(1), stream.size, antlr4.CommonTokenStream, ConsoleErrorListener.INSTANCE is not None)


def use_black():
    tool("black", write("a.py", CODE))
    print(Path("a.py").read_text(encoding="utf-8"))
    import blib2to3.pygram

    print(len(vars(blib2to3.pygram)))


def use_cffi():
    import cffi

    ffi = cffi.FFI()
    ffi.cdef("int add(int a, int b); double sqrt(double);")
    ffi.set_source("_add", "#include <math.h>\nstatic int add(int a, int b) { return a + b; }\n", libraries=["m"])
    ffi.compile()
    tool("python", "-c", "import _add; print(_add.lib.add(1, 2), _add.lib.sqrt(4))")
    embedded = cffi.FFI()
    embedded.embedding_api("int one(void);")
    embedded.set_source("_one", "")
    embedded.embedding_init_code("from _one import ffi\n@ffi.def_extern()\ndef one():\n    return 1\n")
    embedded.emit_c_code("one.c")
    print(digest(Path("one.c").read_text(encoding="utf-8")))
    dynamic = cffi.FFI()
    dynamic.cdef("double cos(double);")
    print(dynamic.dlopen("libm.so.6").cos(0))
    print(dynamic.verify("#include <math.h>", libraries=["m"]).cos(0.0))


def use_click():
    import click
    from click.testing import CliRunner

    @click.command()
    @click.option("--name", type=click.Choice(["a", "b"]), help="A name.")
    def hello(name):
        click.secho(f"hello {name}", fg="green")

    for arguments in (["--help"], ["--name=a"], ["--name=c"]):
        print(CliRunner().invoke(hello, arguments, color=True).output)


def use_cookiecutter():
    write("t/cookiecutter.json", '{"name": "x"}')
    write("t/{{cookiecutter.name}}/a.txt", "{{ cookiecutter.name|upper }}")
    tool("cookiecutter", "--no-input", "t", "name=shop")
    print(Path("shop/a.txt").read_text(encoding="utf-8"))


def use_coverage():
    tool("coverage", "run", "--branch", write("a.py", CODE + "print(A().m())\n"))
    tool("coverage", "report", "-m")
    tool("coverage", "html", "-q")
    print(sorted(path.suffix for path in Path("htmlcov").rglob("*.*")))
    tool("coverage", "xml", "-q")


def use_cython():
    import numpy

    write("fast.pyx", "from libc.math cimport sqrt\ncimport numpy\nimport numpy\nnumpy.import_array()\n"
          "cdef class A:\n    cdef public double x\n    def __init__(self, x): self.x = sqrt(x)\n"
          "def total(double[:] values):\n    cdef double s = 0\n    for v in values: s += v\n    return s\n"
          "def first(numpy.ndarray[double] values): return values[0]\nasync def g(): yield 1\n")  # fmt: skip
    write("plus.pyx", "# distutils: language = c++\nfrom libcpp.vector cimport vector\n"
          "from libcpp.string cimport string\n"
          "from libcpp.map cimport map\ncimport cython\nctypedef fused number:\n    int\n    double\n"
          "def double_all(vector[int] values, map[string, int] m):\n    return [v * 2 for v in values], m\n"
          "def twice(number x): return x * 2\n@cython.cdivision(True)\n"
          "def power(int a, int b): return a ** b\n")  # fmt: skip
    write(
        "plain.py",
        "import cython\ndef f(x: cython.int) -> cython.int:\n    with cython.nogil:\n        x += 1\n    return x\n",
    )
    write("setup.py", "import numpy\nfrom setuptools import setup\nfrom Cython.Build import cythonize\n"
          "extensions = cythonize(['fast.pyx', 'plus.pyx', 'plain.py'], language_level=3, annotate=True)\n"
          "for extension in extensions: extension.include_dirs = [numpy.get_include()]\n"
          "setup(ext_modules=extensions, script_args=['-q', 'build_ext', '--inplace'])\n")  # fmt: skip
    tool("python", "setup.py", errors=False)
    print([digest(Path(name).read_text(encoding="utf-8")) for name in ("fast.c", "plus.cpp", "plain.c")])
    sys.path.insert(0, ".")
    import fast
    import plain
    import plus

    print(
        fast.A(4).x,
        fast.total(numpy.arange(3.0)),
        fast.first(numpy.ones(2)),
        plain.__file__.endswith(".so"),
        plain.f(1),
    )
    print(plus.double_all([1, 2], {b"a": 1}), plus.twice(1.5), plus.power(2, 3))
    import pyximport

    pyximport.install(build_dir="pyx")
    write("late.pyx", "def hello(): return 'late'\n")
    import late

    print(late.hello(), Path("fast.html").exists())
    tool("cythonize", "--help")


def use_debugpy():
    tool(
        "python",
        "-Xfrozen_modules=off",
        "-m",
        "debugpy",
        "--listen",
        "127.0.0.1:0",
        write("a.py", CODE + "print(A().m())\n"),
    )


def use_flake8():
    tool("flake8", write("a.py", CODE), status=1)


def use_hypothesis():
    import hypothesis
    from hypothesis import strategies as st

    @hypothesis.settings(derandomize=True, database=None)
    @hypothesis.given(st.emails(), st.text(), st.timezones())
    def check(mail, text, zone):
        assert "@" in mail

    check()
    tool("hypothesis", "write", "json.dumps", errors=False)


def use_ipykernel():
    from jupyter_client.manager import start_new_kernel

    tool("python", "-m", "ipykernel", "install", "--prefix=.", errors=False)
    manager, client = start_new_kernel(kernel_name="python3")
    client.execute_interactive("print(1 + 1)", timeout=60)
    print(client.complete("impo", reply=True, timeout=60)["content"]["matches"])
    client.stop_channels()
    manager.shutdown_kernel()


def use_ipython():
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance(colors="nocolor")
    shell.run_cell("x = 'abc'\nx.upper()")
    print(shell.complete("x.up"), shell.complete("import js"))
    shell.run_line_magic("pinfo", "len")
    tool("ipython", "--quick", "--no-banner", "-c", "%timeit?", errors=False)


def use_isort():
    print(__import__("isort").code(CODE))
    tool("isort", "--profile=black", write("a.py", CODE))


def use_jedi():
    import jedi

    for code in (
        "import json\njson.lo",
        "'x'.spl",
        "import os\nos.path.jo",
        "import asyncio\nasyncio.Lo",
        "{}.ke",
        "open('x').rea",
    ):
        print([completion.description for completion in jedi.Script(code).complete()])
    print([name.full_name for name in jedi.Script("[1].append").infer()], jedi.Script("str.join(").get_signatures())
    for code in (
        "import requests\nrequests.ge",
        "import attr\nattr.fi",
        "import numpy\nnumpy.linsp",
        "import pandas\npandas.DataF",
    ):
        print([completion.name for completion in jedi.Script(code).complete()][:9])
    print([completion.name for completion in jedi.Script("import json\njson.loads('1').").complete()])
    print(jedi.Script("from django.db import models\nmodels.CharField().nu").complete())


def use_lark():
    import lark

    grammar = 'start: WORD "," number\n%import common.WORD\nnumber: /[0-9]+/\n%ignore " "\n'
    print(lark.Lark(grammar, parser="lalr").parse("a, 1").pretty(), lark.Lark(grammar).parse("b, 2"))
    print(
        digest(str(lark.Lark.open_from_package("lark", "lark.lark", ["grammars"], parser="lalr").grammar is not None))
    )
    tool("python", "-m", "lark.tools.standalone", write("a.lark", grammar), "-o", "parser.py")
    print(len(Path("parser.py").read_text(encoding="utf-8")))
    print(
        lark.Lark.open_from_package("lark", "python.lark", ["grammars"], parser="lalr", start="file_input") is not None
    )


def use_libcst():
    import libcst

    class Rename(libcst.CSTTransformer):
        def leave_Name(self, original_node, updated_node):
            return updated_node.with_changes(value=updated_node.value + "_")

    print(libcst.parse_module(CODE).visit(Rename()).code)


def use_mypy():
    write(
        "a.py",
        "import json, re, collections.abc\nx: int = json.dumps(1)\n"
        "reveal_type(re.compile('x'))\nreveal_type(open('x'))\n",
    )
    tool("mypy", "--strict", "a.py", status=1)
    write("b.py", "import attr, skimage\nreveal_type(attr.asdict)\nreveal_type(skimage.filters.sobel)\n")
    tool("mypy", "b.py")
    write(
        "c.py",
        "import numpy, orjson, yaml\nreveal_type(numpy.zeros(1))\nreveal_type(orjson.dumps)\n",
    )
    tool("mypy", "c.py", status=1)
    tool("stubgen", "-q", "-o", "out", "a.py")
    print(Path("out/a.pyi").read_text(encoding="utf-8"))
    write("m.py", "def double(x: int) -> int:\n    return x * 2\n")
    tool("mypyc", "m.py", errors=False)
    tool("python", "-c", "import m; print(m.__file__.endswith('.so'), m.double(2))")


def use_nbconvert():
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "a",
        "metadata": {},
        "outputs": [],
        "source": "print(1 + 1)",
    }
    note = {"cell_type": "markdown", "id": "b", "metadata": {}, "source": "# Title $x^2$"}
    write("a.ipynb", json.dumps({"cells": [note, cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    for kind in ("html", "markdown", "slides", "script"):
        tool("jupyter-nbconvert", "--to", kind, "--log-level=ERROR", "a.ipynb", errors=False)
    print(sorted((path.name, path.stat().st_size) for path in Path().glob("a.*")))
    tool("jupyter-nbconvert", "--to=markdown", "--execute", "--stdout", "--log-level=ERROR", "a.ipynb", errors=False)


def use_parso():
    import parso

    for version in ("3.8", "3.11", "3.13"):
        print(parso.load_grammar(version=version).parse(CODE).get_code() == CODE)
    print([error.message for error in parso.load_grammar().iter_errors(parso.parse("x ="))])


def use_ply():
    from ply import lex, yacc

    module = (
        "tokens = ['N', 'PLUS']\nt_PLUS = r'\\+'\nt_ignore = ' '\n"
        "def t_N(t):\n    r'\\d+'\n    t.value = int(t.value)\n    return t\ndef t_error(t): pass\n"
        "def p_sum(p):\n    'e : e PLUS N'\n    p[0] = p[1] + p[3]\ndef p_n(p):\n    'e : N'\n    p[0] = p[1]\n"
        "def p_error(p): pass\n"
    )
    write("grammar.py", module)
    sys.path.insert(0, ".")
    import grammar

    lexer = lex.lex(module=grammar)
    print(yacc.yacc(module=grammar, debug=False).parse("1 + 2", lexer=lexer))


def use_prompt_toolkit():
    from prompt_toolkit import PromptSession
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    with create_pipe_input() as source:
        source.send_text("hello\n")
        print(PromptSession(input=source, output=DummyOutput()).prompt("> "))


def use_psutil():
    import psutil

    process = psutil.Process()
    print(process.name(), process.memory_info().rss > 0, psutil.cpu_count(), psutil.virtual_memory().total > 0)


def use_pybind11():
    code = "#include <pybind11/pybind11.h>\nPYBIND11_MODULE(fast, m) {\n"
    code += 'm.def("add", [](int a, int b) { return a + b; }); }\n'
    write("fast.cpp", code)
    tool("python", "-m", "pybind11", "--cmakedir")
    write("setup.py", "from pybind11.setup_helpers import Pybind11Extension\nfrom setuptools import setup\n"
          "setup(ext_modules=[Pybind11Extension('fast', ['fast.cpp'])],"
          " script_args=['-q', 'build_ext', '--inplace'])\n")  # fmt: skip
    tool("python", "setup.py", errors=False)
    tool("python", "-c", "import fast; print(fast.add(1, 2))")


def use_pycparser():
    import pycparser
    from pycparser import c_generator

    tree = pycparser.CParser().parse("int f(int a) { return a + 1; }")
    print(c_generator.CGenerator().visit(tree))


def use_pylint():
    write("a.py", CODE + "import numpy\nnumpy.zeros(1).nothing\nopen('x').nothing()\n")
    tool("pylint", "--disable=all", "--enable=E,W,C", "a.py", status=22)
    tool("pyreverse", "-o", "dot", "a.py")


def use_pyparsing():
    import pyparsing as pp

    number = pp.pyparsing_common.number
    print(
        pp.infix_notation(number, [("+", 2, pp.OpAssoc.LEFT)]).parse_string("1 + 2 + 3").as_list(),
        pp.unicode.Greek.alphas[:9],
    )


def use_pytest():
    write("conftest.py", "import pytest\n@pytest.fixture\ndef two(): return 2\n")
    write(
        "test_a.py",
        "def test_a(two, tmp_path, capsys):\n    assert two == 2\ndef test_b():\n    assert [1, 2] == [1, 3]\n",
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "--durations=0", "-vv", "-rA", "--junitxml=a.xml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [
        line
        for line in done.stdout.splitlines()
        if " in " not in line and "s call" not in line and "s setup" not in line
    ]
    print("\n".join(line for line in lines if "s teardown" not in line), done.returncode, done.stderr)
    write("test_c.py", "pytest_plugins = ['pytester']\ndef test_c(pytester):\n"
          "    pytester.makepyfile('def test(): pass')\n"
          "    pytester.runpytest('-p', 'no:cacheprovider').assert_outcomes(passed=1)\n")  # fmt: skip
    print(subprocess.run([*command[:3], "-q", "test_c.py"], capture_output=True, check=False).returncode)


def use_pythran():
    write(
        "fast.py",
        "#pythran export double(float list)\nimport math\ndef double(x):\n    return [math.sqrt(i) * 2 for i in x]\n",
    )
    tool("pythran", "-O0", "fast.py", errors=False)
    tool("python", "-c", "import fast; print(fast.__file__.endswith('.so'), fast.double([1.0, 4.0]))")


def use_setuptools():
    write("src/shop/__init__.py", "x = 1\n")
    write("src/shop/fast.c", '#include <Python.h>\nstatic PyModuleDef d = {PyModuleDef_HEAD_INIT, "fast", 0, -1, 0};\n'
          "PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&d); }\n")  # fmt: skip
    write("pyproject.toml", "[project]\nname = 'shop'\nversion = '1'\nscripts = {shop = 'shop:x'}\n")
    write(
        "setup.py",
        "from setuptools import Extension, setup\nsetup(ext_modules=[Extension('shop.fast', ['src/shop/fast.c'])])\n",
    )
    code = "from setuptools import build_meta as b\nprint(b.build_sdist('dist'), b.build_wheel('dist'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    print(done.stdout.splitlines()[-1:], done.returncode)


def use_textx():
    from textx import metamodel_from_str

    model = metamodel_from_str("Model: items+=Item; Item: 'item' name=ID;").model_from_str("item a item b")
    print([item.name for item in model.items])
    tool("textx", "list-generators", errors=False)
    tool("textx", "generate", write("g.tx", "Model: items+=ID;"), "--target=dot", errors=False)
    print(Path("g.dot").exists())


def use_tqdm():
    import tqdm

    print(list(tqdm.tqdm(range(3), disable=True)), tqdm.tqdm.format_sizeof(12345))
    tool("tqdm", "--help")


def use_tree_sitter():
    import tree_sitter
    import tree_sitter_python

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))
    print(parser.parse(CODE.encode()).root_node)


def use_tree_sitter_python():
    import tree_sitter_python

    print(digest(tree_sitter_python.HIGHLIGHTS_QUERY), digest(tree_sitter_python.TAGS_QUERY))


def use_typer():
    import typer
    from typer.testing import CliRunner

    app = typer.Typer()

    @app.command()
    def hello(name: str, loud: bool = False) -> None:
        """Say hello."""
        print(f"hello {name}", loud)

    for arguments in (["--help"], ["x", "--loud"], [], ["--show-completion=bash"]):
        print(CliRunner().invoke(app, arguments).output)


def use_virtualenv():
    tool("virtualenv", "--quiet", "--no-download", "--no-periodic-update", "new")
    tool("python", "-c", "import subprocess; subprocess.run(['new/bin/pip', 'list'])")
    print(sorted(path.name for path in Path("new/bin").iterdir()))
