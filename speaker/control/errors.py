"""What is wrong with a request, or went wrong over it, as the answer that says so."""

from __future__ import annotations

import logging
from typing import Any

from aiohttp import web

from policy.errors import PolicyError
from speaker.errors import SpeakerError
from speaker.json_value import FormError
from speaker.reconcile.last_one import LastOneError

log = logging.getLogger(__name__)

_KEPT = ("Allow", "Retry-After", "WWW-Authenticate")


@web.middleware
async def errors_told(request: web.Request, handler: Any) -> web.StreamResponse:
    """Answer a bad request with 400 and our own fault with 500, both as {"error": …}."""
    try:
        response: web.StreamResponse = await handler(request)
    except (PolicyError, FormError) as error:
        return web.json_response({"error": str(error)}, status=400)
    except web.HTTPException as error:
        kept = {name: error.headers[name] for name in _KEPT if name in error.headers}
        told = {"error": error.text or error.reason}
        return web.json_response(told, status=error.status, headers=kept)
    except LastOneError as error:
        return web.json_response({"error": str(error)}, status=web.HTTPConflict.status_code)
    except SpeakerError as error:
        log.error("%s %s: %s", request.method, request.path, error)  # noqa: TRY400 - it says what to do
        return web.json_response({"error": str(error)}, status=500)
    except BlockingIOError as error:
        log.error("%s %s: %s", request.method, request.path, error.strerror)  # noqa: TRY400 - it says what to do
        return web.json_response(
            {"error": f"control: {request.path}: {error.strerror}; try again"}, status=500
        )
    return response
