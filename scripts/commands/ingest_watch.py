"""`sheaf ingest watch`: files loaded as they come into a folder."""

from pathlib import Path
from typing import Annotated

import typer

from scripts.ingest_files import Wanted
from scripts.ingest_target import go, hurry
from scripts.ingest_watch import watch_folder
from scripts.load_flags import with_load_flags
from scripts.options import Commands, Database, DataDir, MongodbUri, settings_of
from scripts.production import Yes, require_yes

watching = Commands()


@watching.command()
@with_load_flags
def watch(
    folder: Annotated[Path, typer.Argument(help="The folder, with the folders in it.", show_default=False)],
    *,
    wanted: Wanted,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    yes: Yes = False,
) -> None:
    """Load the files of a folder, and those that come, until Ctrl-C.

    A file is taken when it has not changed for a second; better, write it under another name and rename it.
    Hidden files and those that end as .part or .tmp are left alone. What is loaded already is not loaded
    twice, also when the command is started again, and a file that cannot be loaded does not stop it.

    Exits with 130 or 143 when it was stopped, with 1 when something is wrong, and with 3 when the target
    looks like production and --yes lacks.

    Examples:
      sheaf ingest watch incoming --into readings
    """
    settings = settings_of(data_dir, mongodb_uri, database)
    require_yes(settings, yes=yes)
    hurry()
    go(watch_folder(settings, folder, wanted))
