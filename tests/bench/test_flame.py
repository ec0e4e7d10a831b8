"""Flame graphs: the loop alone is drawn, without a path of the machine, each bar as wide as its share."""

from xml.etree import ElementTree

from bench.flame import draw, gather

LOOP = "Runner.run (/usr/lib/python3.11/asyncio/runners.py:1)"
STACKS = [
    f"run (/home/me/lib/python3.11/site-packages/uvloop/__init__.py:9);{LOOP};serve (engine/web/server.py:10) 30",
    f"{LOOP};serve (engine/web/server.py:11);place (engine/orders/placing.py:5) 60",
    f"{LOOP} 10",
    "Thread.run (threading.py:1);Signer._run (engine/payments/wechat/signer.py:3) 500",
]
SVG = "{http://www.w3.org/2000/svg}"


def shares() -> dict[str, str]:
    drawn = ElementTree.fromstring(draw(gather(STACKS), "a <title>"))
    titles = [bar.text or "" for bar in drawn.iter(f"{SVG}title")]
    return dict(title.rsplit(": ", 1) for title in titles)


def test_lines_of_one_function_are_one_bar_and_other_threads_are_left_out() -> None:
    assert shares() == {
        "Runner.run asyncio/runners.py": "100.0%",
        "serve engine/web/server.py": "90.0%",
        "place engine/orders/placing.py": "60.0%",
    }
