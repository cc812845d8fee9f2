# Before: one stage, build tools kept, source first.
FROM python:3.13-slim-trixie
RUN apt-get update && apt-get install -y build-essential libpq-dev
WORKDIR /app
COPY . .
RUN --mount=type=secret,id=ca-certificates,target=/etc/ssl/certs/ca-certificates.crt \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt pip install -r requirements.txt
WORKDIR /app/src
CMD ["python", "-m", "field_app"]
