"""`warmxfer doctor`: checks a set-up and prints one sentence per finding.

command.py       the command, and the order of the checks
finding.py       what a check returns
broker.py        the broker: users, streams, storage, dead letters, the clock
servers.py       which of several brokers take connections, if there is no answer
actors.py        the processes: how many of each role, their versions, partitions, policies, probes, webhooks
environment.py   the variables of this environment
provider.py      the provider and the language model
weaknesses.py    what makes a set-up weak: the connection and the store
"""

from __future__ import annotations

from .command import doctor, examine

__all__ = ["doctor", "examine"]
