from celery import shared_task

from .models import Order, Tick


@shared_task
def send(order: int) -> None:
    Order.objects.filter(pk=order).update(is_sent=True)


@shared_task
def count() -> None:
    Tick.objects.create()
