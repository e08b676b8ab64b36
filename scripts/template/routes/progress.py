"""An address of one's own: an ordinary FastAPI router, beside those that Sheaf makes."""

from fastapi import APIRouter
from pydantic import BaseModel

from ..models.note import Note

router = APIRouter(tags=["progress"])


class Progress(BaseModel):
    """How much is done."""

    notes: int
    done: int


@router.get("/progress")
async def get_progress() -> Progress:
    """Count the notes, and those that are done."""
    return Progress(notes=await Note.count(), done=await Note.find({"is_done": True}).count())
