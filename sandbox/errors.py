"""Error responses of the sandbox: one HTTP status and one sentence."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class HttpError(Exception):
    """A refused request. `message` names the field, the value or state, and the remedy."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def to_response(self) -> Response:
        """Return the error as an HTTP response in the cloud's format."""
        return JSONResponse({"statusCode": self.status, "message": self.message}, self.status)


def routing_error_response(request: Request, error: Exception) -> Response:
    """Return the response for an unknown path or method, in the cloud's format."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"statusCode": error.status_code, "message": error.detail}, error.status_code)


def error_response(request: Request, error: Exception) -> Response:
    """Return the response to a refused request."""
    assert isinstance(error, HttpError)
    return error.to_response()
