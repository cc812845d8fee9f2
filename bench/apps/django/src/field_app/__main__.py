"""Start the app with gunicorn, as layouts without a start of their own do."""

import sys

from gunicorn.app.wsgiapp import run

sys.argv = ["gunicorn", "field_app.wsgi", "--bind", "0.0.0.0:8000", "--worker-tmp-dir", "/dev/shm"]
run()
