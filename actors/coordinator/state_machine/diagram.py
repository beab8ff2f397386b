"""The transition table as a Mermaid state diagram.

`python -m warmxfer.actors.coordinator.state_machine.diagram` prints it. The diagram has one arrow for each
pair of stages, with the events that may lead along it. It leaves out events that do not change the stage.
"""

from __future__ import annotations

from warmxfer.schemas.fields import snake_case

from .state import LAST_STAGES, Stage
from .transitions import TRANSITIONS

INDENT = "    "


def diagram() -> str:
    """Return the whole diagram, without a line break at its end."""
    arrows = [
        f"{source.value} --> {target.value}: {', '.join(events)}"
        for (source, target), events in _arrows().items()
    ]
    starts = [f"[*] --> {Stage.NEW.value}"]
    ends = [f"{stage.value} --> [*]" for stage in Stage if stage in LAST_STAGES]
    return "\n".join(["stateDiagram-v2", *(INDENT + line for line in (*starts, *arrows, *ends))])


def _arrows() -> dict[tuple[Stage, Stage], list[str]]:
    """Return the events of each arrow, in the order of the stages and of the table's rows."""
    found: dict[tuple[Stage, Stage], list[str]] = {}
    for source, rows in TRANSITIONS.items():
        for event, transition in rows.items():
            for target in transition.to - {source}:
                found.setdefault((source, target), []).append(snake_case(event.__name__))
    order = list(Stage)
    return {pair: found[pair] for pair in sorted(found, key=lambda pair: tuple(map(order.index, pair)))}


if __name__ == "__main__":
    print(diagram())
