"""The gate of the unit benchmarks: what became slower is refused, and how fast the machine is does not matter."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.micro.gate import (
    BLOCKS,
    TOLERANCE,
    BaselinesUnusable,
    Ratio,
    judge,
    middle_of,
    ratio_of,
    read_baselines,
    table,
    write_baselines,
)

ROOT = Path(__file__).parents[2]
MICRO = ROOT / "bench/micro"
YARDSTICK_S = [0.001] * 50

shares = st.floats(min_value=0.01, max_value=100.0)
rounds = st.lists(st.floats(min_value=0.5, max_value=2.0), min_size=BLOCKS, max_size=60)


def kept(ratio: float) -> Ratio:
    return Ratio(middle=ratio, low=ratio, high=ratio)


def measured(unit_s: list[float], yardstick_s: list[float] | None = None) -> Ratio:
    return ratio_of(unit_s=unit_s, yardstick_s=yardstick_s or YARDSTICK_S)


def test_a_unit_made_slower_on_purpose_is_refused() -> None:
    before = measured([0.003] * 50)
    slower = measured([0.003 * TOLERANCE * 1.1] * 50)
    assert not judge("packing", slower, before).holds


def test_a_unit_that_costs_what_it_did_passes() -> None:
    before = measured([0.003] * 50)
    assert judge("packing", measured([0.0031] * 50), before).holds


@given(base=shares, slower=st.floats(min_value=1.001, max_value=50.0), tolerance=st.floats(1.01, 5.0))
def test_whatever_is_worse_than_the_tolerance_is_refused_and_nothing_else(
    base: float, slower: float, tolerance: float
) -> None:
    verdict = judge("unit", kept(base * slower), kept(base), tolerance=tolerance)
    assert verdict.holds == (base * slower <= base * tolerance)


@given(jitter=rounds, share=shares, machine=st.floats(min_value=0.01, max_value=100.0))
def test_a_machine_twice_or_a_hundred_times_as_slow_changes_no_ratio(
    jitter: list[float], share: float, machine: float
) -> None:
    """Every round of unit and yardstick takes `machine` times as long."""
    here = measured([share * each for each in jitter], jitter)
    there = measured([machine * share * each for each in jitter], [machine * each for each in jitter])
    assert there.middle == pytest.approx(here.middle)


def test_unit_and_yardstick_both_twice_as_slow_pass() -> None:
    before = measured([0.003] * 50)
    assert judge("packing", measured([0.006] * 50, [0.002] * 50), before).holds


def test_a_machine_that_slows_down_in_the_middle_of_a_run_changes_no_verdict() -> None:
    before = measured([0.003] * 50)
    halting = measured([0.003] * 20 + [0.030] * 30, [0.001] * 20 + [0.010] * 30)
    assert judge("packing", halting, before).holds


def test_rounds_that_were_disturbed_change_no_verdict() -> None:
    before = measured([0.003] * 50)
    assert judge("packing", measured([0.003] * 20 + [0.300] * 30), before).holds


def test_a_unit_that_became_slower_is_refused_although_some_rounds_were_quick() -> None:
    before = measured([0.003] * 50)
    assert not judge("packing", measured([0.006, 0.003, 0.006, 0.006, 0.006] * 10), before).holds


def test_the_spread_shows_the_best_block_and_the_worst() -> None:
    ratio = ratio_of(unit_s=[1.0] * 10 + [2.0] * 30 + [4.0] * 10, yardstick_s=[1.0] * 50)
    assert (ratio.low, ratio.middle, ratio.high) == (1.0, 2.0, 4.0)


@given(jitter=rounds)
def test_the_ratio_lies_within_its_rounds(jitter: list[float]) -> None:
    ratio = measured(jitter, [1.0] * len(jitter))
    assert min(jitter) <= ratio.low <= ratio.high <= max(jitter)


def test_fewer_rounds_than_blocks_give_no_ratio() -> None:
    with pytest.raises(ValueError, match="too few"):
        ratio_of(unit_s=[1.0] * (BLOCKS - 1), yardstick_s=[1.0] * (BLOCKS - 1))


def test_a_round_without_its_yardstick_gives_no_ratio() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio_of(unit_s=[1.0] * 10, yardstick_s=[1.0] * 9)


def test_a_unit_without_a_baseline_is_refused_and_told_how_to_get_one() -> None:
    verdict = judge("packing", kept(3.0), None)
    assert (verdict.holds, "SAVE=1" in verdict.words) == (False, True)


def test_a_unit_that_became_much_faster_passes_and_asks_for_a_new_baseline() -> None:
    verdict = judge("packing", kept(1.0), kept(3.0))
    assert (verdict.holds, "new baseline" in verdict.words) == (True, True)


def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    file, ratios = tmp_path / "kept.json", {"packing": Ratio(middle=3.25, low=3.0, high=3.5)}
    write_baselines(file, ratios, machine="two cores")
    assert read_baselines(file) == ratios


def test_a_baseline_of_several_runs_is_their_median_and_tells_how_far_apart_they_were() -> None:
    runs = [{"packing": kept(ratio)} for ratio in (3.0, 9.0, 2.0)]
    assert middle_of(runs) == {"packing": Ratio(middle=3.0, low=2.0, high=9.0)}


def test_a_unit_that_one_of_several_runs_lacks_gets_no_baseline() -> None:
    assert middle_of([{"packing": kept(3.0)}, {}]) == {}


def test_no_file_is_no_baselines(tmp_path: Path) -> None:
    assert read_baselines(tmp_path / "none.json") == {}


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"units": {"a": 1}}', '{"units": {"a": {"ratio": "x"}}}'])
def test_a_damaged_file_of_baselines_is_named_in_the_refusal(tmp_path: Path, content: str) -> None:
    file = tmp_path / "kept.json"
    file.write_text(content)
    with pytest.raises(BaselinesUnusable, match=r"kept\.json"):
        read_baselines(file)


def test_the_table_has_unit_ratio_spread_baseline_and_verdict() -> None:
    verdict = judge("packing", Ratio(middle=3.0, low=2.5, high=3.5), kept(2.0))
    assert table([verdict]) == [
        "unit     ratio      spread  baseline  of it  verdict",
        "packing      3  2.5 to 3.5         2   1.50  holds",
    ]


def units_of(file: Path) -> set[str]:
    """The units that a file of benchmarks times, by the names of its tests."""
    found = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)]
    return {node.name.removeprefix("test_").replace("_", " ") for node in found if node.name.startswith("test_")}


def test_every_unit_has_a_committed_baseline_and_every_baseline_a_unit() -> None:
    units = set().union(*map(units_of, MICRO.glob("test_*.py")))
    assert set(read_baselines(MICRO / "baselines.json")) == units


def packing_judged_by(baselines: Path) -> subprocess.CompletedProcess[str]:
    """The real benchmark of packing, in a process of its own with no more plugins than it needs."""
    settings = baselines.with_name("pytest.ini")
    settings.write_text("[pytest]\n")
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-c", settings, "--rootdir", ROOT),
            *("-p", "pytest_benchmark.plugin", "-p", "no:cacheprovider"),
            *(MICRO / "test_packing.py", "--baselines", baselines),
        ],
        cwd=ROOT,
        env=own | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("ratio", "exit_code"), [(1e-9, 1), (1e9, 0)], ids=["impossibly fast", "impossibly slow"])
def test_the_exit_code_of_a_run_is_the_verdict(tmp_path: Path, ratio: float, exit_code: int) -> None:
    """No machine comes near either baseline, so the clock has no say in this."""
    file = tmp_path / "kept.json"
    write_baselines(file, dict.fromkeys(units_of(MICRO / "test_packing.py"), kept(ratio)), machine="none")
    ran = packing_judged_by(file)
    assert ran.returncode == exit_code, ran.stdout


def test_a_run_with_damaged_baselines_ends_with_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    file.write_text("{")
    ran = packing_judged_by(file)
    assert (ran.returncode, "Traceback" in ran.stderr, "kept.json" in ran.stderr) == (
        pytest.ExitCode.USAGE_ERROR,
        False,
        True,
    )
