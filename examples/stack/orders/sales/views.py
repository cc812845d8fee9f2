import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_http_methods

from .models import Order, Tick
from .tasks import send


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


@require_http_methods(["GET", "POST"])
def orders(request: HttpRequest) -> JsonResponse:
    """Create an order, which the worker sends, or list the last ones."""
    if request.method == "POST":
        order = Order.objects.create(article=json.loads(request.body)["article"])
        send.delay(order.pk)
        return JsonResponse({"id": order.pk}, status=201)
    last = Order.objects.order_by("-id").values("id", "article", "is_sent")[:20]
    waiting = Order.objects.filter(is_sent=False).count()
    return JsonResponse({"orders": list(last), "waiting": waiting, "ticks": Tick.objects.count()})
