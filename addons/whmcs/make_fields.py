"""Write the add-on's list of the fields that may leave the panel.

    python addons/whmcs/make_fields.py

The list follows the bridge's own catalogue, so that both sides know the same names.
Where a callback's answer counts (validations, everything before the act) only ids
leave: such hookpoints carry what a visitor has typed and nobody has checked.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "bridge" / "hookpoints.json"
TARGET = ROOT / "addons/whmcs/modules/addons/hookbridge/lib/fields.php"
DECISIONS = (
    "OrderProductUpgradeOverride",
    "PreUpgradeCheckout",
    "ShoppingCartValidateUpgrade",
)
LETTERS = {"int": "i", "float": "f", "bool": "b", "string": "s", "any": "a"}
HEAD = """<?php
/**
 * Which variables of which hookpoint may leave the panel, and of what kind they are:
 * i whole number, f number, b flag, s text, a any scalar. Nothing else leaves.
 * Made by addons/whmcs/make_fields.py from the bridge's catalogue; do not edit.
 */

return [
"""


def fields(name: str, entry: dict[str, object]) -> dict[str, str]:
    """Return the fields of a hookpoint that leave, with their kinds."""
    known = entry["fields"]
    assert isinstance(known, dict)
    if not entry.get("returns") or name in DECISIONS:
        return known
    return {n: kind for n, kind in known.items() if re.search(r"(?i)id\Z", n)}


def text() -> str:
    """Return the whole file."""
    catalogue = json.loads(CATALOGUE.read_text("utf-8"))["hookpoints"]
    lines = []
    for name, entry in sorted(catalogue.items()):
        words = " ".join(f"{n}:{LETTERS[k]}" for n, k in fields(name, entry).items())
        lines.append(f"    '{name}' => '{words}',\n")
    return HEAD + "".join(lines) + "];\n"


if __name__ == "__main__":
    TARGET.write_text(text(), "utf-8")
    sys.stdout.write(f"{TARGET.relative_to(ROOT)} written\n")
