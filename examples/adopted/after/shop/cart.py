from flask import Blueprint, abort, current_app, request, session

from .catalogue import get_product

bp = Blueprint("cart", __name__, url_prefix="/api/cart")


def summary():
    lines = []
    for sku, quantity in session.get("cart", {}).items():
        product = current_app.extensions["products"].get(sku)
        if product:
            lines.append({"sku": sku, "quantity": quantity, "cents": quantity * product["cents"]})
    return {"lines": lines, "cents": sum(line["cents"] for line in lines)}


@bp.get("")
def show():
    return summary()


@bp.post("")
def add():
    body = request.get_json()
    quantity = body.get("quantity", 1)
    if not isinstance(quantity, int) or quantity < 1:
        abort(400, "the quantity is a whole number from 1")
    sku = get_product(body.get("sku"))["sku"]
    cart = dict(session.get("cart", {}))
    cart[sku] = cart.get(sku, 0) + quantity
    session["cart"] = cart
    return summary(), 201


@bp.delete("")
def empty():
    session.pop("cart", None)
    return summary()
