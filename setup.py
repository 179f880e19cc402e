"""What pyproject.toml cannot say: a wheel has configs, experiments and how to read a report as parts of the package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigs(build_py):
    """Copy the YAML files as real files (``configs/experiment`` is a link), without a machine's ``configs/local``."""

    def run(self) -> None:
        """Build the package, then copy."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "brainage" / "configs"
        shutil.rmtree(target, ignore_errors=True)
        for source, folder in (("configs", target), ("experiments", target / "experiment")):
            for path in sorted(Path(source).rglob("*.yaml")):
                place = path.relative_to(source)
                if place.parts[0] not in ("local", "experiment"):
                    (folder / place).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, folder / place)
        shutil.copyfile("docs/reading_a_report.md", target.parent / "reporting" / "reading_a_report.md")


setup(cmdclass={"build_py": BuildWithConfigs})
