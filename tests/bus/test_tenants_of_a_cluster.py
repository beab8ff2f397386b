"""Two tenants in accounts of one cluster of three servers: none sees anything of the other, on any server."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from tests.testkit.secured_cluster import SERVERS, secured_cluster
from warmxfer.bus import Bus, subjects
from warmxfer.bus.permission_file import login_name
from warmxfer.schemas import InvalidRequest

TENANTS = "acme", "globex"
ID = "t-both"


async def test_two_tenants_of_one_cluster_see_nothing_of_each_other() -> None:
    async with secured_cluster(*TENANTS) as servers, AsyncExitStack() as stack:
        opened = {
            (user, tenant): await stack.enter_async_context(await servers.connect(user, at % SERVERS, tenant))
            for at, (user, tenant) in enumerate(
                (user, tenant) for user in ("client", "operator", "coordinator") for tenant in TENANTS
            )
        }
        acme, globex = opened["client", "acme"], opened["client", "globex"]
        live = await stack.enter_async_context(globex.subscribe(subjects.ANY_PHASE))
        await acme.publish(subjects.request(ID), b'{"of": "acme"}')
        for subject in (subjects.phase(ID), subjects.log(ID), subjects.caller_lock(ID)):
            await opened["coordinator", "acme"].publish(subject, b'{"of": "acme"}')
        for subject in (subjects.request(ID), subjects.phase(ID), subjects.log(ID), subjects.caller_lock(ID)):
            stored = await opened["operator", "acme"].get_last(subject)
            assert stored is not None
            assert stored.data == b'{"of": "acme"}'
            assert await opened["operator", "globex"].get_last(subject) is None
        # The same id and the same guard in the other tenant are free, on another server.
        await globex.publish(subjects.request(ID), b'{"of": "globex"}', expect_last=0)
        await opened["coordinator", "globex"].publish(subjects.log(ID), b'{"of": "globex"}', expect_last=0)
        await opened["coordinator", "globex"].publish(subjects.phase(ID), b'{"of": "globex"}')
        heard = await live.next(10)
        assert heard is not None
        assert heard.data == b'{"of": "globex"}', "the phase of acme did not arrive before it"
        mixed = replace(servers.settings("coordinator", 1, "acme"), user=login_name("coordinator", "globex"))
        with pytest.raises(InvalidRequest, match="refused the credentials"):
            await Bus.connect(mixed, name="mixed")
