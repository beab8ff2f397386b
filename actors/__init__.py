"""The five actors, the code they share (`common`), and the code that runs an actor as a process (`runtime`).

- Invariant: actors never import each other. They exchange messages from `warmxfer.schemas` over the bus.
- Invariant: `coordinator/state_machine` imports schemas only.
- Invariant: no actor imports a vendor's SDK. `tests/test_layout.py` holds all three.
"""
