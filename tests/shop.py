"""The sample shop, which most tests have as their project."""

from pathlib import Path
from typing import Final

from beanie import Document

from documents.project.models import load_models
from documents.project.project import Project

SHOP: Final = Project(Path(__file__).parent.parent / "examples" / "shop")


def shop_models() -> list[type[Document]]:
    """Return the shop's models, the same classes as an open store has."""
    return load_models(SHOP)
