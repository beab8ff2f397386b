"""What the sandbox says when it will not do something: one status, one sentence."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Refused(Exception):
    """The request is its sender's mistake; `message` names the field, value or state, and the remedy."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def refusal(request: Request, error: Exception) -> Response:
    """The answer to a refused request, in the cloud's own shape."""
    assert isinstance(error, Refused)
    return JSONResponse({"statusCode": error.status, "message": error.message}, status_code=error.status)
