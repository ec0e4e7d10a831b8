"""What a person sees of a run while it runs: true of what is known, and within 80 columns."""

import io

from rich.console import Console

from loadtest.lab import drawing
from loadtest.lab.live import Live
from loadtest.lab.playing import Chapter
from loadtest.lab.talk import Moment
from loadtest.lab.tally import KindSoFar, Tally
from loadtest.lab.view import View, view_of
from loadtest.lab.watching import Sample
from loadtest.profiles import loading
from loadtest.recording.kinds import GOODPUTS

COLUMNS = 80


def shown(view: View) -> list[str]:
    screen = io.StringIO()
    Console(file=screen, width=COLUMNS, color_system=None).print(drawing.panel(view))
    return screen.getvalue().splitlines()


def view_while(live: Live) -> View:
    return view_of(loading.load("concert-drop"), Chapter(name="drop", live=live), Tally())


def test_a_generator_that_has_told_nothing_yet_is_not_shown_as_idle() -> None:
    view = view_while(Live())
    assert "came      -" in drawing.line(view)
    assert "cpu gen" not in drawing.line(view)
    assert not any("0%" in row for row in shown(view))


def test_a_generator_that_tells_is_shown_with_its_share() -> None:
    live = Live()
    live.hear("generator-0", Moment(0.0, 0.25, 0.004, 7, {}, Live().record.packed()))
    assert "cpu gen 25%" in drawing.line(view_while(live))


def test_the_panel_of_a_big_drop_cuts_no_word_off() -> None:
    big = 120_000
    view = View(
        title="A concert drop",
        chapter="drop",
        clock_s=12.3,
        expected=big,
        arrived=big,
        missed=0,
        underway=12_345,
        outages=0,
        kinds=dict.fromkeys(GOODPUTS, KindSoFar(big, 10_000, 12_000, 12_345.0, 12_345.0)),
        sample=Sample(0.0, {}, {}, None, (big, big, big), (big, big, big), {}, None),
        generator_cpu=0.5,
        generator_lag_s=0.002,
        notes=(),
    )
    rows = shown(view)
    assert any(all(word in row for word in ("people", "underway", "waiting", "called", "passes used")) for row in rows)
    assert not any("…" in row for row in rows)
