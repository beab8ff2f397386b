"""What the sandbox says when it will not do something: one status, one sentence."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class HttpError(Exception):
    """The request is its sender's mistake; `message` names the field, value or state, and the remedy."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def answer(self) -> Response:
        """It, in the cloud's own shape."""
        return JSONResponse({"statusCode": self.status, "message": self.message}, self.status)


def unknown_address(request: Request, error: Exception) -> Response:
    """The answer where nothing is, in the same shape."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"statusCode": error.status_code, "message": error.detail}, error.status_code)


def error_response(request: Request, error: Exception) -> Response:
    """The answer to a refused request."""
    assert isinstance(error, HttpError)
    return error.answer()
