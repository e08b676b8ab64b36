"""Routes of loads, their jobs and the quarantine."""

from collections.abc import Sequence
from typing import Final

from api.documents.routes import deleted
from api.loads import ingest, jobs, quarantine
from api.openapi.problems import BODY, JOB, QUARANTINE, STORE, UPLOAD
from api.openapi.responses import answer, json_body, plain_answer
from api.openapi.schemas import ref
from api.openapi.subjects import Subject
from api.problems import NotAcceptableError
from api.record import COLLECTION, JSON_ONLY, Responses, Route
from api.record import JOB as ONE_JOB
from documents import errors
from documents.access.actions import Action
from documents.codec.dialect import SETTINGS

RECORDS: Final = f"{COLLECTION}:quarantine"
RECORD: Final = f"{RECORDS}/{{id}}"

INGEST: Final = (
    "load-mode", "load-on", "load-format", "header", "types", "infer", "nested", "items", "sheet", *SETTINGS,
    "accept", "max-bad", "max-drift", "expect", "all-or-nothing", "mapping", "source-name", "load-key",
    "idempotency-key", "upload-complete", "prefer",
)  # fmt: skip


def _loaded(_: Subject) -> Responses:
    return {
        200: answer("Done: the report of the load.", ref("JobReport"), media=JSON_ONLY),
        207: answer("Done, and some records are duplicates or in quarantine.", ref("JobReport"), media=JSON_ONLY),
        **_going_on(202),
    }


def _going_on(*statuses: int) -> Responses:
    headers = ("Location", "Preference-Applied", "Upload-Offset", "Upload-Complete")
    answers = {
        200: answer("Done: the report.", ref("JobReport"), media=JSON_ONLY),
        202: answer("It goes on by itself: the report so far.", ref("JobReport"), media=JSON_ONLY, headers=headers),
    }
    return {status: answers[status] for status in statuses}


def _job(_: Subject) -> Responses:
    headers = ("Upload-Offset", "Upload-Complete")
    return {200: answer("The report.", ref("JobReport"), media=JSON_ONLY, headers=headers)}


def _continued(_: Subject) -> Responses:
    kept = answer("Kept. More is to come.", headers=("Upload-Offset", "Upload-Complete"))
    return {**_going_on(202), 204: kept}


def _quarantine(_: Subject) -> Responses:
    response = answer("A page, or all records as they came.", ref("QuarantinedRecords"), media=JSON_ONLY)
    response["content"][jobs.BYTES] = {"schema": {"description": "The records, each with a line feed behind it."}}
    return {200: response}


ROUTES: Final[Sequence[Route]] = (
    Route(
        "POST", f"{COLLECTION}:ingest", ingest.ingest, (Action.CREATE,),
        name="ingest{many}", summary="Load {many} from a file", answers=_loaded,
        errors=(
            *STORE, *UPLOAD, errors.IndexRequiredError, *errors.STOPS.values(), errors.JobFailedError,
            errors.WriteConflictError, errors.DuplicateValuesError,
        ),
        parameters=INGEST,
        body=lambda _: {media: {"description": "Records."} for media in (*ingest.MEDIA_TYPES, *ingest.SNIFFED)},
        description="What cannot be stored is put in quarantine, and keeps nothing else out. A body of up to 1 MiB is "
        "loaded at once; a larger one is kept as it comes, and loaded by a job.",
        needs_body=False,
    ),
    Route(
        "GET", f"{COLLECTION}:loads", ingest.get_loads, (Action.READ,),
        name="getLoadsOf{many}", summary="Say which loads wrote one of the {many}",
        answers=plain_answer("The loads, oldest first.", "DocumentLoads"),
        errors=(*STORE, *QUARANTINE, errors.CollectionNotFoundError, errors.InvalidIdError),
        parameters=("document-id",),
    ),
    Route(
        "GET", RECORDS, quarantine.list_quarantined, (Action.READ,),
        name="listQuarantineOf{many}", summary="List the quarantine of {many}", answers=_quarantine,
        errors=(*STORE, *QUARANTINE, errors.InvalidCursorError),
        parameters=("job", "code", "quarantine-format", "limit-jobs", "cursor-quarantine"),
    ),
    Route(
        "DELETE", RECORDS, quarantine.discard_quarantined, (Action.DELETE,),
        name="discardQuarantineOf{many}", summary="Discard the quarantine of {many}",
        answers=plain_answer("How many.", "QuarantineDiscarded"),
        errors=(*STORE, *QUARANTINE, errors.FilterRequiredError),
        parameters=("job", "code", "record-ids", "all"),
        description="Those for which every parameter holds; `all` if there is none.",
    ),
    Route(
        "GET", RECORD, quarantine.get_quarantined, (Action.READ,),
        name="getQuarantinedOf{many}", summary="Read one record in quarantine",
        answers=plain_answer("The record, whole.", "QuarantinedRecord"),
        errors=(*STORE, *QUARANTINE, errors.QuarantinedNotFoundError), parameters=("record-id",),
    ),
    Route(
        "DELETE", RECORD, quarantine.discard_one, (Action.DELETE,),
        name="discardQuarantinedOf{many}", summary="Discard one record in quarantine", answers=deleted,
        errors=(*STORE, *QUARANTINE, errors.QuarantinedNotFoundError), parameters=("record-id",),
    ),
    Route(
        "POST", f"{COLLECTION}:replay", quarantine.replay, (Action.CREATE, Action.UPDATE, Action.DELETE),
        name="replayQuarantineOf{many}", summary="Try the quarantine of {many} again", answers=_loaded,
        errors=(
            *STORE, *BODY, *QUARANTINE, errors.FilterRequiredError, errors.JobFailedError, errors.JobConflictError,
        ),
        parameters=("prefer",), body=lambda _: json_body(ref("QuarantineReplay")),
        description="What can be stored now is stored, as its load would have. The rest stays where it is.",
    ),
    Route(
        "GET", "/jobs", jobs.list_jobs,
        name="listJobs", summary="List the jobs", answers=plain_answer("A page, the newest first.", "JobReports"),
        errors=(*STORE, errors.QueryRefusedError, errors.InvalidCursorError, NotAcceptableError),
        parameters=("job-collection", "job-state", "job-key", "limit-jobs", "cursor-jobs"), tag="jobs",
    ),
    Route(
        "GET", ONE_JOB, jobs.get_job,
        name="getJob", summary="Read one job", answers=_job, errors=(*STORE, *JOB), parameters=("job-id",), tag="jobs",
    ),
    Route(
        "PATCH", ONE_JOB, jobs.patch_job,
        name="continueUpload", summary="Continue an upload", answers=_continued, errors=(*STORE, *JOB, *UPLOAD),
        parameters=("job-id", "upload-offset", "upload-complete", "prefer"),
        body=lambda _: {media: {"description": "The next bytes."} for media in (jobs.PARTIAL, jobs.BYTES)},
        description="As draft-ietf-httpbis-resumable-upload has it.", tag="jobs", needs_body=False,
    ),
    Route(
        "POST", f"{ONE_JOB}:cancel", jobs.cancel_job,
        name="cancelJob", summary="Stop a job", answers=lambda _: _going_on(200, 202),
        errors=(*STORE, *JOB, errors.JobConflictError), parameters=("job-id",),
        description="What it has written stays.", tag="jobs",
    ),
    Route(
        "POST", f"{ONE_JOB}:undo", jobs.undo_job,
        name="undoJob", summary="Take a load back", answers=lambda _: _going_on(200, 202),
        errors=(*STORE, *JOB, errors.JobConflictError), parameters=("job-id", "force", "prefer"),
        description="What it inserted is deleted, unless it was changed since. What it changed stays.", tag="jobs",
    ),
)  # fmt: skip
