"""Node is used where it is, and must be where the project is checked."""

import os
import shutil

collect_ignore_glob = [] if shutil.which("node") or os.environ.get("CI") else ["test_*.py"]
