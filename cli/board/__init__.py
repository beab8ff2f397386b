"""`warmxfer board`: one page that shows the transfers of a deployment, live.

    command.py          the command
    serve.py            one board: the feed and the web server together
    feed.py             keeps the content current from the bus
    first_read.py       what the broker has of the last hour
    transfers.py        the transfers that are shown, with their limits
    step.py             what a transfer waits for, since when and for how long. Pure
    last_hour.py        counts and times of the last hour. Pure
    content.py          everything that the page shows, as one value
    event_stream.py     server-sent events: a snapshot, then what changed
    transfer_page.py    one transfer: phases, timeline, report
    actions.py          cancel and replay
    access.py           token, cookie and origin
    web_app.py          routes and headers
    web_server.py       its address, bound beforehand
    page/               what the browser loads; nothing of it comes from another machine

- Invariant: the page gets no whole phone number, no transcript and no summary.
- Invariant: everything has a limit: transfers, watchers, bytes of a request, questions to coordinators.
"""
