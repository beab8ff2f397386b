"""`python -m warmxfer.cli`: the command line where no console script is installed."""

from __future__ import annotations

from .app import main

main()
