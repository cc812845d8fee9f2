from django.db import models


class Order(models.Model):
    article = models.CharField(max_length=100)
    is_sent = models.BooleanField(default=False)


class Tick(models.Model):
    """One run of the scheduled task."""

    at = models.DateTimeField(auto_now_add=True)
