"""addon: the panel's side, as one zip that is ready to upload."""

from __future__ import annotations

import hashlib
import io
import site
import sysconfig
import zipfile
from pathlib import Path

import click

from bridge import __version__
from bridge.commands.shared import shorten

#: The oldest moment a zip can hold: every file's time, so that the bytes stay equal.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644
#: What the add-on is made of; anything else in its folder is no part of it.
_SUFFIXES = (".php", ".tpl", ".md")
ROOT = "modules/addons/"


@click.group("addon")
def addon_command() -> None:
    """The add-on of the panel."""


@addon_command.command("build")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Where to; default: hookbridge-<version>.zip here. - is stdout.",
)
def build(output: Path | None) -> None:
    """Write the add-on as a zip, to be unpacked where the panel lies.

    The same version gives the same bytes, on any machine.
    """
    content = pack(addons())
    if str(output) == "-":
        click.echo(content, nl=False)
        return
    target = output or Path(f"hookbridge-{__version__}.zip")
    try:
        target.write_bytes(content)
    except OSError as error:
        where = shorten(target)
        raise click.ClickException(f"{where}: {error.strerror or error}") from error
    click.echo(str(target))
    digest = hashlib.sha256(content).hexdigest()
    click.echo(f"sha256 {digest}; unpack it in the panel's own folder.", err=True)


def addons() -> Path:
    """Return the folder that holds hookbridge/: the checkout's, or as installed."""
    below = Path("share", "whmcs-bridge", "addons", "whmcs", "modules", "addons")
    here = Path(__file__).resolve().parents[2]
    places = [here / "addons" / "whmcs" / "modules" / "addons"]
    places.append(Path(sysconfig.get_path("data")) / below)
    places.append(Path(site.getuserbase()) / below)
    for place in places:
        if (place / "hookbridge" / "hookbridge.php").is_file():
            return place
    raise click.ClickException(
        "The add-on was not installed with the program; install it again."
    )


def pack(folder: Path) -> bytes:
    """Return the zip of what is in *folder*, rooted at modules/addons/."""
    names = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.suffix in _SUFFIXES and path.is_file() and not path.is_symlink()
    }
    names = {name: path for name, path in names.items() if "/." not in f"/{name}"}
    filled = io.BytesIO()
    # Stored, not deflated: what compresses differs from one machine to the next.
    with zipfile.ZipFile(filled, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(names):
            entry = zipfile.ZipInfo(ROOT + name, _EPOCH)
            entry.create_system = 3
            entry.external_attr = _FILE_MODE << 16
            archive.writestr(entry, names[name].read_bytes())
    return filled.getvalue()
