from django.urls import path
from sales import views

urlpatterns = [
    path("healthz/", views.healthz),
    path("orders/", views.orders),
]
