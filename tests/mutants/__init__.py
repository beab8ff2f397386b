"""Mutants: small random changes of product code. A fast test must catch each of them.

    uv run --group dev python -m tests.mutants
    uv run --group dev python -m tests.mutants --seed 17 --count 50 --only bus/pull_consumer.py

    operators.py    the kinds of changes, and every place of a source text at which one is possible
    targets.py      the files that are changed, and the tests that run against a change of each
    accepted.py     the changes that no test needs to catch, each with its reason (`accepted.toml`)
    trial.py        a private copy of the tree, and the tests that run in it
    preloaded.py    a process that has imported pytest, and forks itself for each run
    seeds.py        a few seeds of the simulation, until one is broken
    __main__.py     the command: draw, try, print the survivors

Invariant: the files of this tree are never changed. Every change is made in a private copy.

An existing tool does not fit. mutmut 3.8 reads the name of a module from its path, and here `bus` is imported
as `warmxfer.bus`. cosmic-ray 8.7 has one test command for all files, draws no sample by a seed, and cannot
remove a statement, a `raise` or a return value.
"""
