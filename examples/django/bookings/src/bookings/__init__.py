"""The bookings service."""
