"""Real chaos: real processes, a real nats-server, the sandbox over HTTP, all of it broken.

    run.py        the command and its table
    row.py        one line of the table
    page.py       the table's place in docs/reliability.md
    scene.py      one house, its callers, and the checks at the end of a fault
    check.py      what must hold of a transfer, by its log and the cloud's ledger alone
    parking.py    transfers kept at every phase at once, so that one blow hits them all
    blows.py      F1, F3, F4: actors killed and frozen, the broker killed and restarted
    crowds.py     F2, F18: every worker killed under load; a flood with poison in it
    cloud.py      F8, F10, F12, F13: a provider, webhooks and a model that fail
    people.py     F14: everybody who can be on a phone, and both hanging up at once
    loss.py       F5: the stream put back from an old copy, or deleted
    cluster.py    F6: three brokers, the stream's leader killed, a rolling restart
    cut.py        F7: brokers cut off from the actors, and from each other
    wire.py       the proxy that cuts them off
    clocks.py     F11: workers whose clocks are wrong, by `wrong_clock/`
    full.py       F15: a broker without room
    starved.py    F16: workers without a processor
    rolling.py    F17: every worker replaced under load
    pairs.py      F19: two faults at once, by chance

The law of this room: nothing is mocked, everything is on loopback, every wait has an end, and no word of an
actor is believed. It is a command, `python -m tests.chaos.run`, and no part of a test run.
"""
