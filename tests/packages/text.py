"""Templates, markup, documents, languages and times."""

import datetime
import io
from pathlib import Path

from packages.helpers import digest, tool, write


def use_arrow():
    import arrow

    time = arrow.get("2020-01-02T03:04:05+00:00").to("Europe/Paris")
    print(time, time.humanize(time.shift(hours=2), locale="fr"), time.format("dddd D MMMM", locale="de"))


def use_babel():
    import babel
    from babel.dates import format_datetime, get_timezone_name
    from babel.messages.frontend import CommandLineInterface
    from babel.numbers import format_currency

    time = datetime.datetime(2020, 1, 2, 3, 4, tzinfo=datetime.UTC)
    for name in ("de", "fr", "ja", "ar_EG"):
        print(format_datetime(time, "full", locale=name), format_currency(1234.5, "EUR", locale=name))
        print(babel.Locale.parse(name).display_name, get_timezone_name("Europe/Paris", locale=name))
    print(len(babel.localedata.locale_identifiers()), babel.Locale("fr").plural_form(2))
    write("a.py", "print(_('hello'))\n")
    CommandLineInterface().run(["pybabel", "-q", "extract", "-o", "a.pot", "a.py"])
    print(Path("a.pot").read_text(encoding="utf-8").count("hello"))


def use_beautifulsoup4():
    from bs4 import BeautifulSoup

    for parser in ("html.parser", "lxml", "html5lib"):
        print(BeautifulSoup("<p>a<p>b &eacute;", parser).prettify())
    print(BeautifulSoup("<p class=a>x", "lxml").select_one("p.a").text)


def use_chameleon():
    from chameleon import PageTemplate, PageTemplateFile

    print(PageTemplate('<p tal:repeat="i items">${i}</p>')(items=[1, 2]))
    print(PageTemplateFile(Path(write("a.pt", '<b tal:content="x"/>')).absolute())(x="<y>"))


def use_docutils():
    from docutils.core import publish_string

    text = "Title\n=====\n\n.. note:: A *note*.\n\n.. math:: \\alpha^2\n\n.. code:: python\n\n   x = 1\n"
    text += "\n|copy|\n\n.. include:: <isonum.txt>\n"
    for writer in ("html5", "latex", "odt", "s5", "manpage", "xml", "xetex"):
        output = publish_string(
            text, writer=writer, settings_overrides={"output_encoding": "unicode"} if writer != "odt" else {}
        )
        print(writer, len(output) > 5000 if writer == "odt" else output)
    print(publish_string("Titel\n=====\n\n.. warnung:: x\n", writer="html", settings_overrides={"language_code": "de"}))


def use_defusedxml():
    import defusedxml.ElementTree

    try:
        defusedxml.ElementTree.fromstring('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    except defusedxml.EntitiesForbidden as error:
        print(error)


def use_faker():
    import faker

    for locale in ("en_US", "fr_FR", "ja_JP", "de_DE"):
        fake = faker.Faker(locale)
        fake.seed_instance(1)
        print(fake.name(), fake.address(), fake.company(), fake.phone_number(), fake.text(), fake.iban())


def use_feedparser():
    import feedparser

    feed = feedparser.parse("<rss><channel><title>T</title><item><title>A &amp; B</title></item></channel></rss>")
    print(feed.feed.title, [entry.title for entry in feed.entries])


def use_ftfy():
    import ftfy

    print(ftfy.fix_text("schÃ¶n âœ”"), ftfy.formatting.display_ljust("漢字", 6))
    tool("ftfy", text="schÃ¶n")


def use_holidays():
    import holidays

    for country, language in (("FR", "en_US"), ("DE", "de"), ("US", "th")):
        print(sorted(holidays.country_holidays(country, years=2024, language=language).items()))
    print(len(holidays.list_supported_countries()))


def use_html5lib():
    import html5lib

    print(html5lib.serialize(html5lib.parse("<p>a<table>x", treebuilder="lxml"), tree="lxml"))


def use_jinja2():
    import jinja2

    write("templates/base.html", "<b>{% block body %}{% endblock %}</b>")
    write("templates/a.html", "{% extends 'base.html' %}{% block body %}{{ x|upper }}{% endblock %}")
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader("templates"), autoescape=True)
    print(environment.get_template("a.html").render(x="<y>"))
    try:
        environment.from_string("{{ 1/0 }}").render()
    except ZeroDivisionError as error:
        print(error)


def use_lxml():
    from lxml import etree, html, isoschematron, objectify
    from lxml.html import diff

    tree = etree.fromstring("<a><b x='1'>t</b></a>")
    print(
        tree.xpath("//b[@x=1]/text()"),
        html.fromstring("<p>a<p>b").cssselect("p"),
        objectify.fromstring("<a><b>1</b></a>").b,
    )
    style = (
        "<x:stylesheet version='1.0' xmlns:x='http://www.w3.org/1999/XSL/Transform'>"
        "<x:template match='/'><c/></x:template></x:stylesheet>"
    )
    print(etree.XSLT(etree.XML(style))(tree))
    rules = (
        "<schema xmlns='http://purl.oclc.org/dsdl/schematron'><pattern><rule context='a'>"
        "<assert test='b'>no b</assert></rule></pattern></schema>"
    )
    print(isoschematron.Schematron(etree.XML(rules)).validate(tree))
    relax = "<element name='a' xmlns='http://relaxng.org/ns/structure/1.0'><empty/></element>"
    print(etree.RelaxNG(etree.XML(relax)).validate(tree), diff.htmldiff("<p>a</p>", "<p>b</p>"))


def use_mako():
    from mako.lookup import TemplateLookup

    write("templates/a.mako", "% for i in items:\n${i | h}\n% endfor\n")
    print(TemplateLookup(["templates"], module_directory="modules").get_template("a.mako").render(items=["<", 2]))


def use_markdown():
    import markdown

    text = "# T\n\n[TOC]\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nx = 1\n```\n\nA[^1]\n\n[^1]: note\n"
    print(markdown.markdown(text, extensions=["extra", "toc", "codehilite", "admonition"]))


def use_mistune():
    import mistune

    print(mistune.create_markdown(plugins=["table", "math"])("# T\n\n| a |\n|---|\n| 1 |\n\n$x$"))


def use_mkdocs():
    tool("mkdocs", "new", ".")
    for theme in ("mkdocs", "readthedocs"):
        tool("mkdocs", "build", "--quiet", "--theme", theme, "--site-dir", theme)
        print(
            sorted((path.as_posix(), path.stat().st_size) for path in Path(theme).rglob("*.*") if path.suffix != ".gz")
        )


def use_mkdocs_material():
    write("docs/index.md", "# Title\n\n!!! note\n    :material-account: A note.\n")
    icons = "  - pymdownx.emoji:\n      emoji_index: !!python/name:material.extensions.emoji.twemoji\n"
    icons += "      emoji_generator: !!python/name:material.extensions.emoji.to_svg\n"
    settings = "site_name: x\ntheme:\n  name: material\n  language: fr\n"
    settings += "plugins: [search, tags]\nmarkdown_extensions:\n  - admonition\n"
    write("mkdocs.yml", settings + icons)
    tool("mkdocs", "build", "--quiet", errors=False)
    print(sorted(path.as_posix() for path in Path("site").rglob("*.*")))
    print(Path("site/index.html").read_text(encoding="utf-8"))


def use_openpyxl():
    import openpyxl
    from openpyxl.chart import BarChart, Reference

    book = openpyxl.Workbook()
    book.active.append([1, "x", datetime.date(2020, 1, 2)])
    chart = BarChart()
    chart.add_data(Reference(book.active, min_col=1, min_row=1))
    book.active.add_chart(chart)
    book.save("a.xlsx")
    print([[cell.value for cell in row] for row in openpyxl.load_workbook("a.xlsx").active])


def use_pendulum():
    import pendulum

    time = pendulum.datetime(2020, 1, 2, tz="America/New_York")
    print(time.in_timezone("Asia/Tokyo"), time.add(months=1).diff_for_humans(time, locale="fr"))
    print(time.format("dddd D MMMM", locale="de"), pendulum.duration(hours=3).in_words(locale="es"))


def use_phonenumbers():
    import phonenumbers
    from phonenumbers import carrier, geocoder, timezone

    for text in ("+33612345678", "+442083661177", "+12125551234"):
        number = phonenumbers.parse(text)
        print(phonenumbers.is_valid_number(number), geocoder.description_for_number(number, "de"))
        print(carrier.name_for_number(number, "en"), timezone.time_zones_for_number(number))


def use_pycountry():
    import gettext

    import pycountry

    print(pycountry.countries.get(alpha_2="DE"), pycountry.languages.get(alpha_2="fr"), len(pycountry.subdivisions))
    french = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=["fr"])
    print(french.gettext("Germany"))


def use_pygments():
    import pygments
    from pygments import formatters, lexers, styles

    code = "def f(x):\n    return x  # comment\n"
    for name in ("html", "latex", "terminal", "svg", "rtf"):
        print(pygments.highlight(code, lexers.get_lexer_by_name("python"), formatters.get_formatter_by_name(name)))
    print(len(list(lexers.get_all_lexers())), len(list(styles.get_all_styles())))
    for name in ("rust", "sql", "jinja", "php", "lua"):
        print(pygments.highlight("x = 1", lexers.get_lexer_by_name(name), formatters.HtmlFormatter()))


def use_pypdf():
    import pypdf
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas("a.pdf")
    canvas.drawString(100, 100, "hello")
    canvas.save()
    print(pypdf.PdfReader("a.pdf").pages[0].extract_text())
    writer = pypdf.PdfWriter(clone_from="a.pdf")
    writer.encrypt("secret", algorithm="AES-256")
    writer.write("b.pdf")
    print(pypdf.PdfReader("b.pdf", password="secret").pages[0].extract_text())


def use_python_dateutil():
    from dateutil import parser, rrule, tz, zoneinfo

    print(parser.parse("3 Jan 2020 5pm"), list(rrule.rrule(rrule.MONTHLY, count=2, dtstart=datetime.date(2020, 1, 31))))
    print(tz.gettz("Europe/Paris"), len(zoneinfo.get_zonefile_instance().zones))


def use_python_docx():
    import docx

    document = docx.Document()
    document.add_heading("Title")
    document.add_paragraph("Item", style="List Bullet")
    document.sections[0].header.paragraphs[0].text = "header"
    document.sections[0].footer.paragraphs[0].text = "footer"
    document.add_table(1, 2)
    document.save("a.docx")
    print([(p.text, p.style.name) for p in docx.Document("a.docx").paragraphs], len(document.styles))


def use_pytz():
    import pytz

    print(pytz.timezone("Europe/Paris").localize(datetime.datetime(2020, 7, 1)), len(pytz.all_timezones))
    print(pytz.country_timezones["fr"], pytz.country_names["fr"])


def use_tzdata():
    import zoneinfo

    zoneinfo.reset_tzpath(to=[])
    print(
        datetime.datetime(2020, 7, 1, tzinfo=zoneinfo.ZoneInfo("America/New_York")), len(zoneinfo.available_timezones())
    )


def use_regex():
    import regex

    print(regex.findall(r"\p{Lu}\w+", "Ägypten und Bonn"), regex.match(r"(?e)(?:color){e<=1}", "colour"))


def use_reportlab():
    from reportlab.graphics.barcode import code128, qr
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    pdfmetrics.registerFont(TTFont("Vera", "Vera.ttf"))
    styles = getSampleStyleSheet()
    styles["Title"].fontName = "Vera"
    SimpleDocTemplate("a.pdf", invariant=1).build([Paragraph("A title", styles["Title"]), code128.Code128("123")])
    print(digest(Path("a.pdf").read_bytes()), qr.QrCode("x").wrap(1, 1))


def use_rapidfuzz():
    from rapidfuzz import fuzz, process

    print(
        fuzz.WRatio("new york", "york new"), process.extract("appel", ["apple", "pear"], limit=1), fuzz.ratio.__module__
    )


def use_spacy():
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    print([token.lemma_ or token.text for token in nlp("I can't stop. Don't go!")], len(list(nlp("A. B.").sents)))
    for language in ("de", "fr", "es"):
        print([(token.text, token.is_stop) for token in spacy.blank(language)("der le la l'eau z.B.")])
    tool("spacy", "init", "config", "-", "--lang", "en", "--pipeline", "ner", errors=False)
    classifier = spacy.blank("en")
    classifier.add_pipe("textcat").add_label("x")
    classifier.get_pipe("textcat").add_label("y")
    classifier.initialize()
    print(classifier("hello").cats.keys())


def use_sphinx():
    write(
        "index.rst",
        "Title\n=====\n\n.. automodule:: shop\n   :members:\n\n.. math:: x^2\n",
    )
    write("shop.py", '"""A module."""\n\ndef f(x: int) -> int:\n    """Return it."""\n    return x\n')
    settings = "import sys\nsys.path.insert(0, '.')\nlanguage = 'fr'\n"
    write(
        "conf.py",
        settings
        + "extensions = ['sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'sphinx.ext.viewcode', 'sphinx.ext.mathjax']\n",
    )
    for builder in ("html", "latex", "epub", "man", "texinfo"):
        tool("sphinx-build", "-q", "-b", builder, ".", builder, errors=False)
        print(sorted(path.as_posix() for path in Path(builder).rglob("*.*")))
    for theme in ("classic", "sphinxdoc", "bizstyle"):
        tool("sphinx-build", "-q", "-D", f"html_theme={theme}", ".", theme, errors=False)
        print(sorted((path.as_posix(), path.stat().st_size) for path in Path(theme).rglob("*.html")))
    tool("sphinx-quickstart", "-q", "--project=x", "--author=y", "-v1", "new")
    tool("sphinx-apidoc", "-o", "api", ".")


def use_textual():
    import asyncio

    from textual.app import App
    from textual.widgets import Button, DataTable, Footer, Header, Markdown, TextArea

    class Hello(App[None]):
        def compose(self):
            yield from (
                Header(),
                Button("Go"),
                DataTable(),
                Markdown("# T"),
                TextArea("x = 1", language="python"),
                Footer(),
            )

    async def main():
        async with Hello().run_test() as pilot:
            await pilot.press("tab")
            print(type(pilot.app.focused), len(pilot.app.query("*")), len(pilot.app.export_screenshot()) > 1000)

    asyncio.run(main())


def use_rich():
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.syntax import Syntax
    from rich.table import Table
    from rich.traceback import Traceback

    console = Console(file=io.StringIO(), record=True, width=80, force_terminal=True)
    table = Table("a", "b", title=":smiley: table")
    table.add_row("1", "漢字")
    console.print(table, Markdown("# T\n\n- x"), Syntax("x = 1", "python"))
    try:
        raise ValueError("broken")
    except ValueError:
        console.print(Traceback(show_locals=True))
    print(console.file.getvalue(), console.export_html(clear=False), console.export_text())


def use_xlsxwriter():
    import xlsxwriter

    with xlsxwriter.Workbook("a.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, 1)
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=Sheet1!$A$1:$A$2"})
        sheet.insert_chart("B1", chart)
    import openpyxl

    print(openpyxl.load_workbook("a.xlsx").active["A1"].value)


def use_xmltodict():
    import xmltodict

    print(xmltodict.unparse(xmltodict.parse("<a x='1'><b>2</b><b>3</b></a>"), pretty=True))
