"""The audit of a line: it finds whoever jumped, and accuses nobody whom the log does not prove."""

from hypothesis import assume, given
from hypothesis import strategies as st

from engine.console.line.audit import OFFENDERS_MAX, LineAudit, PassLine, TickLine

LANES = 2
Log = list[TickLine | PassLine]


def audited(log: Log, *, last_epoch: int = 0, last_heads: tuple[int, ...] = ()) -> LineAudit:
    audit = LineAudit(last_epoch=last_epoch, last_heads=last_heads)
    for line in log:
        if isinstance(line, TickLine):
            audit.tick(line)
        else:
            audit.passed(line)
    audit.end()
    return audit


@st.composite
def true_logs(draw: st.DrawFn) -> tuple[Log, tuple[int, ...]]:
    """A log as a right line writes it, and its last heads: heads go on, passes lie below them."""
    log: Log = []
    heads = tuple(draw(st.integers(0, 20)) for _ in range(LANES))
    for epoch in range(1, draw(st.integers(2, 3))):
        for tick in range(1, draw(st.integers(2, 8))):
            steps = tuple(draw(st.integers(0, 5)) for _ in range(LANES))
            heads = tuple(head + step for head, step in zip(heads, steps, strict=True))
            if sum(steps):
                log.append(TickLine(epoch, tick, heads, sum(steps)))
            for lane in range(LANES):
                if heads[lane] and draw(st.booleans()):
                    log.append(PassLine(epoch, tick, lane, draw(st.integers(0, heads[lane] - 1)), "ab"))
    return log, heads


@given(true_logs())
def test_a_right_line_is_found_right(made: tuple[Log, tuple[int, ...]]) -> None:
    log, heads = made

    assert audited(log, last_epoch=2, last_heads=heads).offenders == []


@given(true_logs(), st.data())
def test_ticks_that_are_missing_accuse_nobody(made: tuple[Log, tuple[int, ...]], choose: st.DataObject) -> None:
    log, heads = made
    kept = [line for line in log if isinstance(line, PassLine) or choose.draw(st.booleans())]

    assert audited(kept, last_epoch=max((line.epoch for line in log), default=1), last_heads=heads).offenders == []


@given(true_logs(), st.data())
def test_a_pass_beyond_the_head_of_its_tick_is_found(made: tuple[Log, tuple[int, ...]], choose: st.DataObject) -> None:
    log, _ = made
    ticks = [at for at, line in enumerate(log) if isinstance(line, TickLine)]
    assume(ticks)
    at = choose.draw(st.sampled_from(ticks))
    tick = log[at]
    assert isinstance(tick, TickLine)
    lane = choose.draw(st.integers(0, LANES - 1))
    jumped = PassLine(tick.epoch, tick.tick, lane, tick.heads[lane] + choose.draw(st.integers(0, 9)), "jumper")

    audit = audited([*log[: at + 1], jumped, *log[at + 1 :]])

    assert (audit.wrong, len(audit.offenders)) == (1, 1)
    assert "jumper" in audit.offenders[0]


def test_a_head_that_goes_back_is_found() -> None:
    audit = audited([TickLine(1, 1, (5, 9), 14), TickLine(1, 2, (6, 8), 1)])

    assert audit.offenders == ["tick 2 of epoch 1 called lane 2 back from 9 to 8"]


def test_a_head_may_begin_anew_in_another_epoch() -> None:
    assert audited([TickLine(1, 7, (50,), 50), TickLine(2, 1, (40,), 1)]).offenders == []


def test_the_first_one_behind_the_head_was_not_called() -> None:
    below, beyond = (audited([TickLine(1, 1, (5,), 5), PassLine(1, 1, 0, place, "ab")]) for place in (4, 5))

    assert (below.wrong, beyond.offenders) == (
        0,
        ["buyer ab had a pass under tick 1 of epoch 1 with place 5 of lane 1, of which 5 were called"],
    )


def test_a_hole_in_the_log_is_counted_and_judged_by_the_next_tick() -> None:
    log: Log = [TickLine(1, 1, (5,), 5), PassLine(1, 2, 0, 7, "ab"), PassLine(1, 2, 0, 20, "cd")]

    audit = audited([*log, TickLine(1, 3, (20,), 1)])

    assert (audit.holes, audit.offenders) == (
        1,
        ["buyer cd had a pass under tick 2 of epoch 1 with place 20 of lane 1, of which 20 were called"],
    )


def test_a_pass_whose_tick_may_still_be_written_is_not_judged() -> None:
    audit = audited([TickLine(1, 1, (5,), 5), PassLine(1, 2, 0, 7, "ab", settled=False)])

    assert (audit.unjudged, audit.wrong) == (1, 0)


def test_passes_of_an_old_epoch_without_any_tick_are_not_judged() -> None:
    audit = audited([PassLine(1, 1, 0, 7, "ab"), TickLine(2, 1, (5,), 5)], last_epoch=2, last_heads=(5,))

    assert (audit.unjudged, audit.wrong) == (1, 0)


def test_who_was_passed_after_the_last_tick_is_judged_by_the_heads_of_the_ledger() -> None:
    log: Log = [TickLine(1, 1, (5,), 5), PassLine(1, 9, 0, 7, "ab"), PassLine(1, 9, 0, 8, "cd")]

    audit = audited(log, last_epoch=1, last_heads=(8,))

    assert (audit.wrong, audit.unjudged, "buyer cd" in audit.offenders[0]) == (1, 0, True)


def test_the_end_of_an_epoch_that_was_lost_accuses_nobody_whom_a_lost_tick_may_have_called() -> None:
    log: Log = [TickLine(1, 1, (5,), 5), PassLine(1, 1, 0, 5, "ab"), PassLine(1, 9, 0, 7, "cd")]

    audit = audited([*log, TickLine(2, 1, (6,), 1)], last_epoch=2, last_heads=(6,))

    assert (audit.wrong, audit.unjudged, "buyer ab" in audit.offenders[0]) == (1, 1, True)


def test_many_offenders_are_counted_and_some_are_told() -> None:
    audit = audited([TickLine(1, 1, (0,), 0), *(PassLine(1, 1, 0, place, "ab") for place in range(200))])

    assert (audit.wrong, len(audit.offenders)) == (200, OFFENDERS_MAX)
