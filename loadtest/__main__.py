"""`python -m loadtest PROFILE`: the load lab; the same as `floodgate loadtest PROFILE`."""

import sys

from loadtest.lab.command import main

if __name__ == "__main__":
    sys.exit(main())
