"""The whole house in one thread on a clock that jumps: one seed, one run, the same to the last bit.

    loop.py        virtual time, and processes that can be frozen and killed
    borrowed.py    the clock, the chance and the outside world that actor code is given
    trace.py       what happened, and the digest by which two runs are compared
    plan.py        what a seed stands for: the callers, the supervisors, the transfers, the weather
    weather.py     faults: when one strikes, and what was struck in which phase
    stream.py      the broker: a stream, its consumers, its timers
    storm.py       what strikes by its own clock: outages, crashes, poison
    simbus.py      the bus of one process, over that broker
    wire.py        its connection, that breaks and comes back
    puller.py      a consumer's flow, as a worker sees it
    hearing.py     live subscriptions, questions and answers
    cloud.py       the telephony cloud, and the ledger of what it executed
    provider.py    that cloud as a gateway sees it
    webhooks.py    what that cloud tells of its own accord
    presence.py    that cloud as a briefing agent sees it
    people.py      who picks up, what they say, when they hang up
    session.py     the live AI call
    model.py       a chat model that may hang, ramble, refuse
    mistakes.py, mistakes_with_callers.py    what an ordinary implementation would do instead
    house.py       every process, its crashes and its stalls
    world.py       one run from its first second to its verdict
    story.py       what the stream tells of one transfer
    promises.py    the invariants that the stream shows
    effects.py     the invariants that the ledger and the sessions show
    company.py     who the caller is with at the end: the AI, or the supervisor
    checks.py      all of them over one run
    coverage.py    fault class by phase
    run.py         many seeds, on the command line

The law of this room: the code under test is the actors' and the worker's own. What is simulated is what lies
beyond a port, and it does nothing there that a real broker or a real cloud may not do.
"""
