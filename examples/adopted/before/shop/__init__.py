import os
from pathlib import Path

from dotenv import load_dotenv
from flask import Flask, jsonify

from .catalogue import load_products


def create_app(config=None):
    load_dotenv()
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY=os.environ.get("SECRET_KEY", "dev"),
        CURRENCY=os.environ.get("CURRENCY", "EUR"),
        CATALOGUE=os.environ.get("CATALOGUE", str(Path(__file__).parent / "products.json")),
    )
    app.config.update(config or {})
    app.extensions["products"] = load_products(app.config["CATALOGUE"])

    from . import cart, catalogue

    app.register_blueprint(catalogue.bp)
    app.register_blueprint(cart.bp)

    @app.get("/health")
    def health():
        return {"status": "ok", "products": len(app.extensions["products"])}

    @app.errorhandler(404)
    def not_found(error):
        return jsonify(error=error.description), 404

    return app
