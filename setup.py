"""Ship the Lua scripts and the migrations inside the package: in a clone they stand beside it, in a wheel within."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithScripts(build_py):
    def run(self) -> None:
        super().run()
        for folder in ("lua", "migrations"):
            shutil.copytree(ROOT / folder, Path(self.build_lib) / "engine" / f"_{folder}", dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithScripts})
