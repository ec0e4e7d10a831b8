"""Two generators beside each other: when they agree, and what is said when there is only one."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.crosscheck import node
from loadtest.crosscheck.agreeing import judged
from loadtest.crosscheck.shots import Measured, Shot
from loadtest.report.model import CrossCheck

AT_A_RATE = Shot(url="http://127.0.0.1/", headers={}, connections=10, rate_per_s=400, seconds=1)
FLAT_OUT = replace(AT_A_RATE, rate_per_s=0)
MEASURED = Measured(per_s=400.0, p50_ms=1.0, p99_ms=4.0, cpu_share=0.1, failed=0)

latency = st.floats(0.05, 500.0)
measured = st.builds(
    Measured, per_s=st.floats(1.0, 50_000.0), p50_ms=latency, p99_ms=latency, cpu_share=st.just(0.1), failed=st.just(0)
)
rounds = st.lists(measured, min_size=1, max_size=5)


def judge(shot: Shot, ours: list[Measured], theirs: list[Measured]) -> CrossCheck:
    return judged("/", shot, ours=ours, theirs=theirs, tool="another")


@given(rounds)
def test_who_measured_the_same_agrees(side: list[Measured]) -> None:
    assert judge(AT_A_RATE, side, side).agree


@given(rounds, rounds)
def test_agreeing_is_mutual(one: list[Measured], other: list[Measured]) -> None:
    assert judge(AT_A_RATE, one, other).agree == judge(AT_A_RATE, other, one).agree


@given(rounds, rounds, measured)
def test_more_rounds_never_part_who_agreed(one: list[Measured], other: list[Measured], more: Measured) -> None:
    assert judge(AT_A_RATE, [*one, more], other).agree >= judge(AT_A_RATE, one, other).agree


@pytest.mark.parametrize("figure", ["per_s", "p50_ms", "p99_ms"])
def test_a_figure_beyond_the_spread_is_named(figure: str) -> None:
    far = replace(MEASURED, **{figure: getattr(MEASURED, figure) * 2 + 1})
    found = judge(AT_A_RATE, [MEASURED], [far])
    assert (found.agree, figure in found.words) == (False, True)


def test_rounds_that_differ_too_much_to_agree_on_anything_are_said_to() -> None:
    found = judge(AT_A_RATE, [MEASURED, replace(MEASURED, p99_ms=40.0)], [MEASURED])
    assert (found.agree, "says little: p99_ms 4 to 40 against 4 to 4" in found.words) == (True, True)


def test_an_answer_that_was_no_success_is_no_agreement() -> None:
    assert not judge(AT_A_RATE, [MEASURED], [replace(MEASURED, failed=1)]).agree


def test_a_generator_without_a_core_left_contradicts_nothing() -> None:
    slow = replace(MEASURED, per_s=100.0, p99_ms=90.0, cpu_share=0.99)
    found = judge(FLAT_OUT, [MEASURED], [slow])
    assert (found.agree, "no core left for theirs" in found.words) == (True, True)


def test_at_a_rate_a_busy_generator_excuses_nothing() -> None:
    assert not judge(AT_A_RATE, [MEASURED], [replace(MEASURED, p99_ms=90.0, cpu_share=0.99)]).agree


async def test_without_node_the_reason_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(node.NotMade, match="Node is not installed"):
        await node.command(tmp_path)


async def test_an_install_that_fails_is_told_in_npm_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shell = shutil.which("sh")
    for name in ("node", "npm"):
        program = tmp_path / name
        program.write_text(f"#!{shell}\necho the disk is full >&2\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(node.NotMade, match="the disk is full"):
        await node.command(tmp_path / "cache")
