"""What a run stands on: its settings, its sale, its SKUs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog.sale_file import parse_sale_file, sku_ids
from loadtest.books.stack import StackError, addresses_in
from loadtest.lab.grounds import StackGround, environment, only_run, own_times
from loadtest.lab.selling import with_own_tiers
from loadtest.profiles import loading
from loadtest.profiles.profile import Profile, Tier
from loadtest.profiles.sale_file import sale_toml

MARK = "0102030405"
DROP = loading.load("concert-drop")


@pytest.mark.parametrize("name", loading.names())
def test_a_profile_with_skus_of_its_own_makes_a_sale_that_the_engine_takes(name: str) -> None:
    profile = with_own_tiers(loading.load(name), mark=MARK)
    (sale,) = parse_sale_file(sale_toml(profile, sale=f"drop-run-{MARK}"), Path("sale.toml")).sales
    assert set(sku_ids(sale)) == {tier.id for tier in profile.sale.tiers}
    assert all(sku.endswith(MARK) for sku in sku_ids(sale))


@given(st.lists(st.from_regex(r"[a-z0-9][a-z0-9-]{0,23}", fullmatch=True), min_size=1, max_size=12))
def test_skus_that_were_apart_stay_apart_and_are_names_of_tiers(names: list[str]) -> None:
    tiers = [Tier(id=name, title=name, price_fen=1, share=1) for name in names]
    sale = DROP.sale.model_copy(update={"tiers": tiers})
    marked = with_own_tiers(DROP.model_copy(update={"sale": sale}), mark=MARK).sale.tiers
    assert len({tier.id for tier in marked}) == len(names)
    assert [Tier.model_validate(tier.model_dump()) for tier in marked] == marked


def test_a_second_run_beside_the_first_is_refused(tmp_path: Path) -> None:
    with only_run(tmp_path), pytest.raises(StackError, match="another run has the lab's stack"), only_run(tmp_path):
        pass


def test_a_run_after_the_first_is_welcome(tmp_path: Path) -> None:
    for _ in range(2):
        with only_run(tmp_path):
            assert (tmp_path / "lock").exists()


def test_people_who_hurry_on_a_stack_that_does_not_are_told_with_which_settings_it_would() -> None:
    told = own_times(DROP)
    assert told is not None
    assert all(f"{name}={value}" in told for name, value in environment(DROP).items())


def test_people_who_do_not_hurry_need_no_settings() -> None:
    assert own_times(DROP.model_copy(update={"scale": DROP.scale.model_copy(update={"pace": 1.0})})) is None


@given(st.floats(1, 1000))
def test_the_times_of_a_line_go_with_the_pace_and_stay_within_what_the_engine_takes(pace: float) -> None:
    profile = DROP.model_copy(update={"scale": DROP.scale.model_copy(update={"pace": pace})})
    settings = environment(profile)
    assert 10 <= int(settings["FLOODGATE_LINE_CLAIM_WINDOW_S"]) <= 90
    assert 6 <= int(settings["FLOODGATE_LINE_PASS_SERVING_S"]) <= 120


def test_a_profiles_own_settings_count_for_more() -> None:
    document = {**DROP.model_dump(), "engine": {"settings": {"LINE_CLAIM_WINDOW_S": 33}}}
    assert environment(Profile.model_validate(document))["FLOODGATE_LINE_CLAIM_WINDOW_S"] == "33"


def test_a_folder_in_which_no_stack_runs_is_no_ground(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="make up"):
        StackGround(tmp_path)


def test_a_card_without_an_address_is_none(tmp_path: Path) -> None:
    card = tmp_path / "stack.json"
    card.write_text('{"public_url": "http://127.0.0.1:1"}')
    with pytest.raises(KeyError):
        addresses_in(card)
