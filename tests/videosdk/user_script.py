"""A voice agent as its user wrote it for upstream. It does not mention warmxfer."""

from videosdk.agents import Agent, AgentSession, function_tool, global_event_emitter
from videosdk.agents.warm_transfer import SIPDestination, WarmTransferConfig, WarmTransferError

phases = []
connected = []
everywhere = []
ends = []


class Support(Agent):
    def __init__(self, supervisor, briefing):
        super().__init__(instructions="You help callers of a shop.")
        self.supervisor = supervisor
        self.briefing = briefing

    async def on_enter(self):
        pass

    async def on_exit(self):
        pass

    @function_tool
    async def escalate(self) -> str:
        """Get a human supervisor on the line."""
        destination = SIPDestination(
            routing_rule_id="rr_1", sip_call_to=self.supervisor, sip_call_from="+14155550100"
        )
        try:
            result = await self.session.warm_transfer(
                WarmTransferConfig(destination=destination, briefing_pipeline_factory=self.briefing)
            )
        except WarmTransferError as error:
            ends.append(error)
            return "That did not work."
        ends.append(result)
        return "They are with you." if result.success else f"Nobody could come: {result.error}"


def start(pipeline, supervisor, briefing=None):
    session = AgentSession(agent=Support(supervisor, briefing), pipeline=pipeline)

    @session.on_warm_transfer()
    def told(payload):
        phases.append(payload)

    @session.on_warm_transfer("transfer_complete")
    def done(payload):
        connected.append(payload)

    @global_event_emitter.on("WARM_TRANSFER")
    def noticed(payload):
        everywhere.append(payload)

    return session
