"""`python -m warmxfer.cli`: the command line without its console script."""

from __future__ import annotations

from .app import main

main()
