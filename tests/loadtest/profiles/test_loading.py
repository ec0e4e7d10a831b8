"""Profiles as files: those that come with the lab can be played, and mistakes are told in words, all at once."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.crowd.habits import SHARES
from loadtest.crowd.population import Behaviour
from loadtest.lab.toml import to_toml
from loadtest.profiles import loading, manual
from loadtest.profiles.loading import ProfileInvalid
from loadtest.profiles.profile import (
    Bots,
    DropArrivals,
    Engine,
    MobileNetwork,
    People,
    Run,
    Sale,
    Scale,
    Slo,
    Story,
    Tier,
)


def refused(**changes: Any) -> str:
    with pytest.raises(ProfileInvalid) as refusal:
        loading.load("concert-drop", changes={key.replace("__", "."): value for key, value in changes.items()})
    return str(refusal.value)


@pytest.mark.parametrize("name", loading.names())
def test_every_profile_can_be_played_and_says_where_its_numbers_come_from(name: str) -> None:
    profile = loading.load(name)

    assert profile.story.name == name
    assert all((profile.story.title, profile.story.title_zh, profile.story.about.strip(), profile.story.sources))


@pytest.mark.parametrize("name", loading.names())
def test_every_profile_promises_something_and_ends(name: str) -> None:
    profile = loading.load(name)

    assert profile.slo
    assert profile.run.after_opening_s > profile.hold_s


def test_the_scenarios_of_a_sale_are_all_there() -> None:
    assert set(loading.names()) >= {
        *("concert-drop", "jay-chou", "coldplay", "returned-tickets", "scalpers-30", "scalpers-50", "scalpers-90"),
        *("refresh-storm", "payment-storm", "slow-payers", "flaky-network", "soak", "breakpoint", "overload"),
    }


def test_the_manual_tells_every_profile_as_it_is() -> None:
    page = manual.PAGE.read_text(encoding="utf-8")

    assert page == manual.written(page), "write it again: .venv/bin/python -m loadtest.profiles.manual"
    assert all(f"### {name}\n" in page for name in loading.names())


def test_the_manual_names_every_behaviour_and_its_share() -> None:
    page = manual.PAGE.read_text(encoding="utf-8")

    assert [one.name for one in Behaviour if f"`{one.name.lower()}`" not in page] == []
    assert [one.name for one, share in SHARES.items() if f"{share * 100:g} %" not in page] == []


def test_the_manual_names_every_table_and_key() -> None:
    page = manual.PAGE.read_text(encoding="utf-8")
    tables = (Scale, Sale, Tier, DropArrivals, People, Bots, MobileNetwork, Engine, Slo, Run, Story)
    keys = {key for table in tables for key in table.model_fields}

    assert {key for key in keys if f"`{key}" not in page and f".{key}]]" not in page} == set()


def test_an_unknown_profile_is_told_the_nearest_one() -> None:
    with pytest.raises(ProfileInvalid, match="Did you mean concert-drop"):
        loading.load("concert-dorp")


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ProfileInvalid, match=r"nowhere/my\.toml cannot be read: No such file"):
        loading.load("nowhere/my.toml")


def test_a_file_that_is_not_toml_is_told_where(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = = 1")

    with pytest.raises(ProfileInvalid, match=r"is not TOML.*line 1"):
        loading.load(str(file))


def test_a_profile_must_bear_the_name_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text((loading.FOLDER / "concert-drop.toml").read_text())

    with pytest.raises(ProfileInvalid, match=r"story\.name is concert-drop, the file's name says mine"):
        loading.load(str(file))


def test_every_mistake_is_told_at_once() -> None:
    told = refused(sale__ticket=3, sale__hold_s=-1, bots__share=2)

    assert "sale.ticket: is no key of a profile" in told
    assert "sale.hold_s: " in told
    assert "bots.share: " in told


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[story]\nname = "mine"\n')

    with pytest.raises(ProfileInvalid, match=r"story\.title: is missing\n(.*\n)*  sale: is missing"):
        loading.load(str(file))


def test_an_unknown_behaviour_is_answered_with_those_there_are() -> None:
    assert "nobody behaves as dances; there are pays, abandons," in refused(people__behaviours={"dances": 1})


def test_a_promise_has_one_bound() -> None:
    slo = {"kind": "orders", "measure": "p99_ms", "at_most": 1, "at_least": 1}

    assert "give at_most or at_least, one of the two" in refused(slo=[slo])


def test_one_entry_of_a_list_is_changed_by_its_number_and_the_others_stay() -> None:
    written, changed = loading.load("concert-drop"), loading.load("concert-drop", changes={"slo.1.at_most": 77})

    assert changed.slo[1].at_most == 77
    assert [*changed.slo[:1], *changed.slo[2:]] == [*written.slo[:1], *written.slo[2:]]


def test_a_promise_that_counts_is_kept_as_given_whatever_the_scale() -> None:
    counts = [one.measure for one in loading.load("concert-drop").slo].index("count")
    played = loading.load("concert-drop", changes={f"slo.{counts}.at_least": 40, "scale.people": 0.01})

    assert played.slo[counts].at_least == 40


@given(st.floats(0.01, 1))
def test_promises_that_count_follow_the_scale_and_the_others_stay(scale: float) -> None:
    written, played = loading.load("emf"), loading.load("emf", changes={"scale.people": scale})

    for before, after in zip(written.slo, played.slo, strict=True):
        ratio = scale if before.measure in ("count", "per_s") else 1.0
        assert after.at_most == before.at_most
        assert after.at_least == (
            None if before.at_least is None else pytest.approx(before.at_least * ratio, abs=0.001)
        )


def test_a_time_of_people_has_one_tail() -> None:
    assert "give p95_s or sigma, one of the two" in refused(people__pay={"median_s": 3})


def test_points_of_a_curve_go_forward() -> None:
    told = refused(arrivals={"curve": "rates", "points": [[0, 1], [5, 1], [3, 1]]})

    assert "points begin at second 0 and go forward" in told


def test_lobby_and_step_are_not_more_than_everybody() -> None:
    assert "lobby and step together are more than everybody" in refused(arrivals__lobby=0.9)


def test_members_need_a_lane() -> None:
    assert "people.members need a lane" in refused(people__members=0.5)


def test_a_scale_that_leaves_a_tier_without_tickets_is_refused() -> None:
    assert "2 tickets for 3 tiers" in refused(scale__people=0.00005)


def test_two_tiers_have_two_names() -> None:
    tier = {"id": "floor", "title": "Floor", "price_fen": 1, "share": 1}

    assert "two tiers are called floor" in refused(sale__tiers=[tier, tier])


def test_lost_notices_do_not_go_with_money_after_the_deadline() -> None:
    assert "only the next day's bill knows" in refused(wechat__callback_loss=0.1)


@pytest.mark.parametrize("name", loading.names())
def test_a_profile_kept_with_its_run_can_be_played_again(name: str, tmp_path: Path) -> None:
    profile = loading.load(name)
    kept = tmp_path / "profile.toml"
    kept.write_text(to_toml(profile.model_dump(mode="json", exclude_defaults=True)))

    assert loading.digest(loading.load(str(kept))) == loading.digest(profile)


def test_a_changed_number_is_another_story_and_the_same_numbers_are_the_same() -> None:
    same, other = loading.load("concert-drop"), loading.load("concert-drop", changes={"seed": 7})

    assert loading.digest(loading.load("concert-drop")) == loading.digest(same) != loading.digest(other)
