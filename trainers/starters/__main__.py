"""`python -m trainers.starters NAME --data FOLDER --out FOLDER [--devices N]`: makes one starter bundle and prints its figures."""

from __future__ import annotations

import argparse
from pathlib import Path

from trainers.shell import run_command
from trainers.starters.recipes import STARTERS


def main() -> None:
    """Make one bundle. --data holds the folders of the real sets (chest_paediatric, ...); phantoms are drawn into it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(STARTERS))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--devices", type=int, help="GPUs or processes that learn together; one if left out")
    asked = parser.parse_args()
    starter = STARTERS[asked.name]
    trained = starter.make(
        asked.data, asked.out, asked.device, lambda progress: print(progress, flush=True), devices=asked.devices
    )
    print(trained.path, trained.hash, {name: (m.auroc, m.auroc_ci95) for name, m in trained.card.evaluation.items()})


if __name__ == "__main__":
    run_command(main)
