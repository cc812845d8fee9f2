"""The HTTP API."""

import asyncio
import hmac
import logging
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from .settings import Settings

logger = logging.getLogger(__name__)
settings = Settings()
app = FastAPI(title="api", version=settings.service_version)
if not settings.api_token:
    logger.warning("No API token is configured, so every token is rejected.")


async def authorize(bearer: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> None:
    # Headers are decoded as Latin-1; compare the bytes that the client sent.
    given = bearer.credentials.encode("latin-1")
    token = settings.api_token.get_secret_value().encode()
    if not (token and hmac.compare_digest(given, token)):
        raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"})


async def check_dependencies() -> None:
    """Raise an exception if a dependency is down, for example: await database.ping()."""


@app.get("/")
async def index() -> dict[str, str]:
    return {"service": app.title, "version": app.version}


@app.get("/private", dependencies=[Depends(authorize)])
async def private() -> dict[str, str]:
    return {"message": "The token is valid."}


@app.get("/healthz")
async def alive() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/readyz")
async def ready() -> dict[str, str]:
    try:
        await asyncio.wait_for(check_dependencies(), timeout=2)
    except Exception as error:
        logger.exception("A dependency is down.")
        raise HTTPException(503, "A dependency is down") from error
    return {"status": "ok"}
