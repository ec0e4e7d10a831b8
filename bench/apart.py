"""A part of the bench in a process of its own, so that who sends shares no event loop with who asks.

A part is a module with a `main` that calls `answer`. Its plan goes in and its finding comes out, both pickled.
"""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop


def apart(module: str, plan: object, *, timeout_s: float) -> Any:
    """What `main` of this module finds for the plan, in a new process. Raises when the process fails."""
    done = subprocess.run(
        [sys.executable, "-c", f"from {module} import main; main()"],
        input=pickle.dumps(plan),
        stdout=subprocess.PIPE,
        check=True,
        timeout=timeout_s,
    )
    return pickle.loads(done.stdout)


def answer(run: Callable[[Any], Coroutine[Any, Any, object]]) -> None:
    """Read the plan, run it on the core that it names, if it names one, and tell what was found.

    Garbage is not collected meanwhile: it would fall on whichever request is due then.
    """
    plan = pickle.load(sys.stdin.buffer)
    core = getattr(plan, "core", None)
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    gc.disable()
    sys.stdout.buffer.write(pickle.dumps(uvloop.run(run(plan))))
