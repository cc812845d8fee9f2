import pytest
from shop import create_app


@pytest.fixture
def client():
    return create_app({"TESTING": True}).test_client()


def test_health(client):
    assert client.get("/health").json["status"] == "ok"


def test_index_lists_the_products(client):
    assert "Teapot</a>, 24.90 EUR" in client.get("/").text


def test_unknown_product(client):
    answer = client.get("/api/products/X-9")
    assert answer.status_code == 404
    assert answer.json == {"error": "no product X-9"}


def test_cart_adds_up(client):
    client.post("/api/cart", json={"sku": "T-002", "quantity": 2})
    client.post("/api/cart", json={"sku": "T-003"})
    assert client.get("/api/cart").json["cents"] == 2 * 690 + 450
    assert client.delete("/api/cart").json == {"lines": [], "cents": 0}
