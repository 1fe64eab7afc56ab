"""Makes the bundles that ship: `python -m trainers.starters NAME --data FOLDER --out FOLDER`. Each recipe is the whole of what was chosen by hand."""
