"""Simulation of all actors in one thread, on a virtual clock. One seed gives one run, equal to the last bit.

    loop.py              virtual time; processes that can be frozen and killed
    patches.py           replaces clock, random source and outside world in the actors' modules
    trace.py             what happened, and the digest by which two runs are compared
    plan.py              what a seed stands for: callers, supervisors, transfers
    faults.py            the fault classes, and when one strikes
    fault_schedule.py    faults by the clock: outages, crashes, stalls, poison
    partitions.py        how many partitions a run has
    streams.py           the broker: its streams
    stream.py            one stream and its timers
    consumer.py          a durable consumer: pulls, heartbeats, redelivery
    jetstream_api.py     its management requests and reads
    sim_broker.py        its subjects: subscriptions, requests, what is stored
    sim_client.py        the nats client of one process, whose connection breaks and comes back
    cloud.py             the telephony cloud, and the ledger of what it executed
    provider.py          that cloud as a gateway sees it
    webhooks.py          the notices that the cloud sends
    room_presence.py     that cloud as a briefing agent sees it
    people.py            supervisors: when they answer, what they say, when they hang up
    session.py           the live AI session
    model.py             a chat model that may hang, fail or refuse
    processes.py         every process, its crashes and its stalls
    world.py             one run from its first second to its checks
    stream_checks.py     the invariants that the stream shows
    provider_checks.py   the invariants that the ledger and the sessions show
    caller_location.py   where the caller is at the end: with the AI, or with the supervisor
    checks.py            all of them over one run
    mutations.py, caller_mutations.py    faulty implementations that the checks must find
    coverage.py          fault class by phase
    run.py               many seeds, on the command line

Invariant: the code under test is the product's own: the actors, the state machine, and the bus down to the
nats client: connection, reply inbox, reads and writes, pull consumer, worker. Only what is beyond a port is
simulated. It does nothing that a real broker or a real cloud may not do.
"""
