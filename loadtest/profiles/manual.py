"""The chapters of docs/profiles.md, written from the profiles themselves, so that no number is told twice.

`python -m loadtest.profiles.manual` writes them again behind the marker; a test keeps the page equal to the files.
Pure but for that.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

from loadtest.profiles import loading
from loadtest.profiles.profile import ClosedArrivals, DropArrivals, Lognormal, Profile, RateArrivals

PAGE = Path("docs/profiles.md")
WIDTH = 130
MARKER = "<!-- Written by loadtest/profiles/manual.py from the profiles; change those. -->"


def chapters() -> str:
    """All of them, in the order of their names."""
    return "\n".join(chapter(loading.load(name)) for name in loading.names())


def chapter(profile: Profile) -> str:
    """One profile: its story, its numbers, what it promises, where it is from."""
    story = profile.story
    rows = [
        ("who comes", _arrivals(profile)),
        ("for what", _tickets(profile)),
        ("people", _people(profile)),
        ("programs", _bots(profile)),
        ("between them", _between(profile)),
        ("WeChat", _wechat(profile)),
        ("the run", _run(profile)),
    ]
    return "\n".join(
        [
            f"### {story.name}",
            "",
            f"{story.title} · {story.title_zh}",
            "",
            fill(story.about, WIDTH),
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {text} |" for name, text in rows if text),
            "",
            fill("Promises: " + "; ".join(slo.words for slo in profile.slo) + ".", WIDTH),
            "",
            "Sources:",
            "",
            *(fill(source, WIDTH, initial_indent="- ", subsequent_indent="  ") for source in story.sources),
            "",
        ]
    )


def _arrivals(profile: Profile) -> str:
    match profile.arrivals:
        case DropArrivals() as drop:
            count = round(drop.people * profile.scale.people)
            early = (
                f"{_percent(drop.lobby)} in a lobby of {drop.lobby_s:g} s"
                if drop.lobby_s and drop.lobby
                else "no lobby"
            )
            return (
                f"{drop.people:,} people, {count:,} in the run: {early}, {_percent(drop.step)} in a step at the opening"
            )
        case RateArrivals(points=points):
            heights = ", ".join(f"{rate * profile.scale.people:g} a second at {at:g} s" for at, rate in points)
            return f"people as a Poisson process: {heights}"
        case ClosedArrivals(points=points):
            return f"a closed loop of up to {max(height for _, height in points):g} people at any time"


def _tickets(profile: Profile) -> str:
    sale = profile.sale
    told = f"{sale.tickets:,} tickets, {profile.tickets:,} in the run, in {_counted(len(sale.tiers), 'tier')}"
    if isinstance(profile.arrivals, DropArrivals):
        told += f"; {profile.arrivals.people / sale.tickets:.3g} people for a ticket"
    told += f"; at most {sale.per_order_max} an order; held for {sale.hold_s:g} s, {profile.hold_s} s in the run"
    if sale.member_share:
        told += f"; up to {_percent(sale.member_share)} of them through a members' lane"
    return told


def _people(profile: Profile) -> str:
    people = profile.people
    told = [f"pay after {_slowness(people.pay)}"]
    if people.behaviours:
        whole = sum(people.behaviours.values())
        shares = (f"{_percent(round(weight / whole, 3))} {one.value}" for one, weight in people.behaviours.items())
        told.append(", ".join(shares))
    told.append(
        f"{_percent(people.stays)} stay to the end, the others watch what is held for {_slowness(people.patience)}"
    )
    if people.gone or people.late:
        told.append(f"{_percent(people.gone)} never come when called, {_percent(people.late)} come late")
    if people.members:
        told.append(f"{_percent(people.members)} are members")
    if people.looks == "impatient":
        told.append("look every {:g} to {:g} s of the run, whatever they are told".format(*people.look_every_s))
    return "; ".join(told)


def _bots(profile: Profile) -> str:
    bots = profile.bots
    if not bots.share:
        return ""
    whole = sum(bots.kinds.values())
    kinds = ", ".join(f"{_percent(round(weight / whole, 3))} {kind.value}s" for kind, weight in bots.kinds.items())
    looks = "{:g} to {:g}".format(*bots.looks_per_s)
    habits = f"pollers look {looks} times a second; give up after {bots.stays_s:g} s"
    return f"{_percent(bots.share)} of everybody: {kinds}; {habits}"


def _between(profile: Profile) -> str:
    told = [] if profile.cdn else ["no CDN: every look is a request"]
    if (network := profile.network) is not None:
        told.append(
            f"round trips of {network.median_ms:g} ms, one in twenty above {network.p95_ms:g} ms; "
            f"{_percent(network.dropped)} of the answers lost"
        )
    return "; ".join(told)


def _wechat(profile: Profile) -> str:
    return ", ".join(f"`{name} = {value}`" for name, value in profile.wechat.items())


def _run(profile: Profile) -> str:
    told = [f"scale {profile.scale.people:g}, pace {profile.scale.pace:g}", f"{profile.engine.workers} web workers"]
    told.append(f"{profile.run.after_opening_s:g} s from the opening at most")
    if profile.engine.kill_every_s:
        told.append(f"a process killed every {profile.engine.kill_every_s:g} s")
    if profile.run.soak:
        told.append("memory, connections, latency and keys must be flat")
    if profile.run.search != "none":
        told.append(f"search: {profile.run.search}")
    return "; ".join(told)


def _slowness(time: Lognormal) -> str:
    if time.p95_s is not None:
        return f"{time.median_s:g} s in the median, {time.p95_s:g} s for one in twenty"
    return f"{time.median_s:g} s in the median (sigma {time.sigma:g})"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def written(page: str) -> str:
    """The page with its chapters as they are now."""
    return f"{page.partition(MARKER)[0]}{MARKER}\n\n{chapters()}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
