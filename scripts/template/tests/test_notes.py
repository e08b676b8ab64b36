"""What notes are, and what they are not."""

import httpx


def test_a_note_is_stored_and_found(api: httpx.Client) -> None:
    made = api.post("/v1/notes", json={"text": "Buy tea", "tags": ["shop"]})
    assert made.status_code == 201, made.text
    assert api.get(made.headers["location"]).json() == made.json()
    assert [note["text"] for note in api.get("/v1/notes", params={"tags": "shop"}).json()["items"]] == ["Buy tea"]


def test_a_note_without_a_text_is_refused(api: httpx.Client) -> None:
    refused = api.post("/v1/notes", json={"tags": ["shop"]})
    assert (refused.status_code, refused.json()["faults"][0]["pointer"]) == (422, "/text")


def test_progress_counts_notes(api: httpx.Client) -> None:
    assert api.get("/progress").json()["notes"] >= 2, "the seeds are there"
