"""The life of one fapiao: one table, and nothing else changes a state.

Every pair of a state and an event is a move, or it changes nothing: WeChat may tell twice, late and in any order. The
SQL takes the states it may leave from `sources`, the documentation draws its picture from `diagram`.

`asked`, `applied` and `titled` are before anybody at the tax office heard of it, so a refund simply makes it `void`.
`issuing` and `reversing` are written before WeChat is called: from then on only WeChat's word moves it. A fapiao that
could not be issued is never sent again under its number; it is `replaced` by the next round.
"""

import enum


class State(enum.StrEnum):
    """As the enum `fapiao_state` of the database."""

    ASKED = "asked"
    APPLIED = "applied"
    TITLED = "titled"
    ISSUING = "issuing"
    ISSUE_ACCEPTED = "issue_accepted"
    ISSUED = "issued"
    ISSUE_FAILED = "issue_failed"
    REVERSING = "reversing"
    REVERSE_ACCEPTED = "reverse_accepted"
    REVERSED = "reversed"
    REVERSE_FAILED = "reverse_failed"
    REPLACED = "replaced"
    VOID = "void"


class Event(enum.StrEnum):
    """What happens to a fapiao, as a past participle."""

    APPLIED = "applied"
    TITLED = "titled"
    VOIDED = "voided"
    FROZEN = "frozen"
    ISSUE_ACCEPTED = "issue_accepted"
    ISSUED = "issued"
    ISSUE_FAILED = "issue_failed"
    RETRIED = "retried"
    MONEY_CHANGED = "money_changed"
    REVERSE_ACCEPTED = "reverse_accepted"
    REVERSED = "reversed"
    REVERSE_FAILED = "reverse_failed"


MOVES: dict[tuple[State, Event], State] = {
    (State.ASKED, Event.APPLIED): State.APPLIED,
    (State.ASKED, Event.TITLED): State.TITLED,
    (State.ASKED, Event.VOIDED): State.VOID,
    (State.APPLIED, Event.TITLED): State.TITLED,
    (State.APPLIED, Event.VOIDED): State.VOID,
    (State.TITLED, Event.VOIDED): State.VOID,
    (State.TITLED, Event.FROZEN): State.ISSUING,
    (State.ISSUING, Event.ISSUE_ACCEPTED): State.ISSUE_ACCEPTED,
    (State.ISSUING, Event.ISSUED): State.ISSUED,
    (State.ISSUING, Event.ISSUE_FAILED): State.ISSUE_FAILED,
    (State.ISSUING, Event.REVERSED): State.REVERSED,
    (State.ISSUE_ACCEPTED, Event.ISSUED): State.ISSUED,
    (State.ISSUE_ACCEPTED, Event.ISSUE_FAILED): State.ISSUE_FAILED,
    (State.ISSUE_ACCEPTED, Event.REVERSED): State.REVERSED,
    (State.ISSUE_FAILED, Event.ISSUED): State.ISSUED,
    (State.ISSUE_FAILED, Event.RETRIED): State.REPLACED,
    (State.ISSUED, Event.MONEY_CHANGED): State.REVERSING,
    (State.ISSUED, Event.REVERSED): State.REVERSED,
    (State.REVERSING, Event.REVERSE_ACCEPTED): State.REVERSE_ACCEPTED,
    (State.REVERSING, Event.REVERSED): State.REVERSED,
    (State.REVERSING, Event.REVERSE_FAILED): State.REVERSE_FAILED,
    (State.REVERSE_ACCEPTED, Event.REVERSED): State.REVERSED,
    (State.REVERSE_ACCEPTED, Event.REVERSE_FAILED): State.REVERSE_FAILED,
    (State.REVERSE_FAILED, Event.REVERSED): State.REVERSED,
    (State.REVERSE_FAILED, Event.RETRIED): State.REVERSING,
}

FAILED: tuple[State, ...] = (State.ISSUE_FAILED, State.REVERSE_FAILED)

# Where the red letter was our own wish: when it is written, the money that is left gets a fapiao of its own.
OURS_TO_REPLACE: frozenset[State] = frozenset({State.REVERSING, State.REVERSE_ACCEPTED, State.REVERSE_FAILED})


def sources(event: Event, to: State) -> list[str]:
    """The states from which this event moves a fapiao to `to`, as the database spells them."""
    return [state.value for (state, moved_by), after in MOVES.items() if moved_by is event and after is to]


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> asked", "    [*] --> applied: receipt", "    [*] --> titled: issued_again"]
    lines += [f"    {state} --> {after}: {event}" for (state, event), after in MOVES.items()]
    return "\n".join(lines)
