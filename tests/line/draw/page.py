"""The verifier's page without a browser: its script under Node."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import engine.line.draw

PAGE = Path(engine.line.draw.__file__).with_name("verify.html")
RUNNER = Path(__file__).with_name("page.js")


def on_the_page(tasks: list[dict[str, Any]]) -> list[Any]:
    """What the script of the page answers to each task, under Node."""
    node = shutil.which("node")
    assert node is not None, "Node is needed here: it runs the page's script"
    done = subprocess.run(
        [node, RUNNER, PAGE], input=json.dumps(tasks), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers
