"""Error responses of the sandbox: one HTTP status and one sentence."""


class HttpError(Exception):
    """A refused request. `message` names the field, the value or state, and the remedy."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
