"""What VideoSDK's refusal to record somebody means, told by its words. Pure.

Its status does not tell: 400 is said of somebody who is not there yet (as a phone for a second or two after
it was moved), and of somebody who is being recorded already.
"""

from __future__ import annotations

from ..errors import NotFound, NotReady, Rejected

_NOT_YET = "not yet joined"
_NO_SESSION = "no active session"


def recording_error(error: Rejected) -> Rejected | NotReady | None:
    """What to tell the asker; None: they are recorded."""
    said = str(error).partition(": ")[2].lower()
    if "already" in said and ("record" in said or "start" in said):
        return None
    if _NOT_YET in said:
        return NotReady(str(error), status=error.status)
    if _NO_SESSION in said:
        return NotFound("POST /v2/recordings/participant/start found nobody in the room", status=error.status)
    return error
