"""The transfer coordinator: folds every event of a transfer through the machine, one record each.

coordinator.py  one trigger in, one record written, its outbox sent
triggers.py     what an arriving message means
outbox.py       where each piece of an outbox goes
claims.py       one caller, one transfer
charge.py       whether anybody is in charge of a transfer
admission.py    not more transfers at once than allowed
memory.py       a hint that saves reads
"""

from __future__ import annotations

from .actor import run
from .coordinator import Coordinator
from .settings import CoordinatorSettings

__all__ = ["Coordinator", "CoordinatorSettings", "run"]
