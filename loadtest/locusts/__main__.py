"""`python -m loadtest.locusts`: Locust with this folder's file, and with whatever else you would tell Locust."""

# Locust makes the standard library cooperative; nothing may be imported before it.
from locust.main import main  # isort: skip

import sys
from pathlib import Path

from locust import events

from loadtest.locusts.wishes import add_arguments


def run() -> None:
    sys.argv[0] = "locust"
    if {"-h", "--help"} & set(sys.argv):
        # Locust answers before it has read any file, so it would not know of our parameters.
        events.init_command_line_parser.add_listener(add_arguments)  # type: ignore[no-untyped-call]
    sys.argv[1:1] = ["-f", str(Path(__file__).with_name("locustfile.py"))]
    main()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    run()
