"""Probes: alive says that the process answers, ready says that it can do its work."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from fastapi.responses import JSONResponse

CHECK_TIMEOUT = 2.0

logger = logging.getLogger(__name__)

# What the service needs before it can work, by name: async functions that raise while it is not
# to be had. For example: checks["database"] = pool.ping
checks: dict[str, Callable[[], Awaitable[object]]] = {}


async def alive() -> dict[str, str]:
    return {"status": "ok"}


async def ready() -> JSONResponse:
    results = dict(zip(checks, await asyncio.gather(*map(run, checks)), strict=True))
    good = all(result == "ok" for result in results.values())
    return JSONResponse(
        {"status": "ok" if good else "unavailable", "checks": results},
        status_code=200 if good else 503,
    )


async def run(name: str) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await checks[name]()
    except Exception as error:
        # The reason goes to the logs; whoever may call the probe need not know it.
        logger.warning("Not ready: %s", name, exc_info=error)
        return "timeout" if isinstance(error, TimeoutError) else "failed"
    return "ok"
