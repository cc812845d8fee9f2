import json
from pathlib import Path

from flask import Blueprint, abort, current_app, render_template

bp = Blueprint("catalogue", __name__)


def load_products(path):
    products = json.loads(Path(path).read_text(encoding="utf-8"))
    return {product["sku"]: product for product in products}


def get_product(sku):
    product = current_app.extensions["products"].get(sku)
    if product is None:
        abort(404, f"no product {sku}")
    return product


@bp.app_template_filter("money")
def money(cents):
    return f"{cents / 100:.2f} {current_app.config['CURRENCY']}"


@bp.get("/")
def index():
    products = sorted(current_app.extensions["products"].values(), key=lambda product: product["name"])
    return render_template("index.html", products=products)


@bp.get("/api/products")
def list_products():
    return {"products": list(current_app.extensions["products"].values())}


@bp.get("/api/products/<sku>")
def show_product(sku):
    return get_product(sku)
