"""Everything that can go wrong in the store, as types. None of them knows of HTTP.

StoreError
├── InputError                      what the caller sent cannot be meant
│   ├── MalformedJsonError          the text is not JSON
│   ├── InvalidDocumentError        a document that cannot be stored as it is
│   ├── InvalidIdError              an id that this collection cannot hold
│   ├── InvalidOperationError       an operation that is not put together rightly
│   ├── InvalidParameterError       a URL parameter
│   ├── UnknownParameterError       a URL parameter that the route does not read
│   ├── InvalidFilterError          a filter in JSON
│   ├── InvalidPipelineError        an aggregation pipeline
│   ├── InvalidPatchError           a patch or an update
│   ├── InvalidCursorError          a page cursor
│   ├── FilterRequiredError         an update or delete of everything
│   ├── IndexRequiredError          something that only an index makes possible
│   ├── SourceMisreadError          a load that was told wrong things about its source
│   ├── InvalidIndexError           an index that MongoDB cannot build
│   ├── InvalidContractError        what cannot be the contract of a collection
│   ├── InvalidPolicyError          what cannot be the policies of a server
│   └── DocumentTooLargeError       over 16 MB
├── AbsentError
│   ├── CollectionNotFoundError
│   ├── ContractNotFoundError       the collection has no contract, or none of that version
│   ├── DocumentNotFoundError
│   ├── JobNotFoundError
│   ├── KeyNotFoundError            no API key has this id
│   └── QuarantinedNotFoundError    no record with this id is in quarantine
├── ConflictError                   right in itself, but not now
│   ├── PreconditionFailedError     If-Match or If-None-Match does not hold
│   ├── UniqueViolationError        another document has these values
│   ├── DuplicateValuesError        documents that stand in the way of a unique index
│   ├── IndexConflictError          an index like the wanted one, but not the same
│   ├── ContractConflictError       something else decides already what documents are like
│   ├── PatchConflictError          the patch does not fit the document
│   ├── MaxAffectedError            more documents than the caller allowed
│   ├── WriteConflictError          others kept writing the same document
│   ├── JobConflictError            a job that is in another state, or another process's
│   ├── JobFailedError              a job that failed
│   ├── LoadStoppedError            a load that went over a limit
│   │   ├── NothingFitsError        none of its first records can be loaded
│   │   ├── TooManyBadError         more bad records than it was to bear
│   │   ├── QuarantineFullError     more of them than the settings allow
│   │   ├── DriftError              records unlike the documents that are there
│   │   └── ExpectationError        records that are not as they were expected to be
│   ├── JobLostError                a job that another process has taken over
│   ├── UploadConflictError         an upload is at another place than its sender thinks
│   └── OperationFailedError        an operation of an atomic request, so nothing was done
├── UnauthenticatedError            no valid credentials
├── ForbiddenError                  the policy says no
├── FieldForbiddenError             the policy hides or protects a field that the request names
├── QueryRefusedError               MongoDB cannot answer it within the limits
└── UnavailableError                nothing wrong with the request
    ├── DatabaseUnavailableError
    ├── DiskFullError               no room is left for what would be added
    ├── DeadlineExceededError
    └── OverloadedError
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal

Outcome = Literal["unknown", "not-applied"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong at one spot.

    Args:
        pointer: JSON pointer (RFC 6901) into what was sent; "" is the whole.
        code: Stable, kebab-case, such as `duplicate-key`.
        detail: What is wrong and what would be right, in one sentence. Never another user's value.
        rule: Where in a contract the rule stands that it breaks, as a JSON pointer; None of other faults.
    """

    pointer: str
    code: str
    detail: str
    rule: str | None = field(default=None, compare=False)


class StoreError(Exception):
    """The root. `code` is stable and public; the message is for people."""

    code: ClassVar[str]

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InputError(StoreError):
    """What the caller sent cannot be meant; `faults` says where."""

    def __init__(self, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.faults = tuple(faults)


class MalformedJsonError(InputError):
    """The body, or one line of it, is not JSON. Check quotes, commas and the encoding, which is UTF-8."""

    code = "malformed-json"


class InvalidDocumentError(InputError):
    """A document cannot be stored as it was sent. Each fault points at a value and says what would be right."""

    code = "invalid-document"


class InvalidIdError(InputError):
    """An `_id` is not of the type that the collection's ids have. `GET /v1` shows the type."""

    code = "invalid-id"


class InvalidOperationError(InputError):
    """An operation of a bulk request or a transaction lacks a part, or has one too many."""

    code = "invalid-operation"


class InvalidParameterError(InputError):
    """A URL parameter or header cannot be understood. Each fault names it as `parameter`."""

    code = "invalid-parameter"


class UnknownParameterError(InputError):
    """A URL parameter is none that this route reads. The detail names the nearest ones that it does."""

    code = "unknown-parameter"


class InvalidFilterError(InputError):
    """A JSON filter uses an operator that is not allowed, or one that is with a wrong operand."""

    code = "invalid-filter"


class InvalidPipelineError(InputError):
    """An aggregation pipeline uses a stage or an expression that is not allowed, or uses one wrongly."""

    code = "invalid-pipeline"


class InvalidPatchError(InputError):
    """A patch is not well formed, or wants what no patch may do, such as changing `_id`."""

    code = "invalid-patch"


class InvalidCursorError(InputError):
    """A page cursor is damaged, or belongs to another list. Use `next` and `prev` as they came, with the same query."""

    code = "invalid-cursor"


class FilterRequiredError(InputError):
    """An update or delete of many documents needs a filter. To mean all of them, say `filter={}`."""

    code = "filter-required"


class IndexRequiredError(InputError):
    """The request needs an index that the collection has not: unique for upserts by key, text for `q`."""

    code = "index-required"


class SourceMisreadError(InputError):
    """A load's first records show that it was told wrong: of the key, the header, a type, the array. It wrote nothing.

    The detail names the fields that there are.
    """

    code = "source-misread"


class InvalidIndexError(InputError):
    """An index cannot be built as it is declared: MongoDB has no such kind or option, or two declarations clash."""

    code = "invalid-index"


class InvalidContractError(InputError):
    """What was sent cannot be the contract of a collection. Each fault points at a part of it."""

    code = "invalid-contract"


class InvalidPolicyError(InputError):
    """Policies cannot be read, or a rule in them cannot be meant. Each fault points into the file."""

    code = "invalid-policy"


class DocumentTooLargeError(InputError):
    """A document would take more than 16 MB as BSON, which is all that MongoDB stores in one."""

    code = "document-too-large"


class AbsentError(StoreError):
    """What the request is about does not exist."""


class CollectionNotFoundError(AbsentError):
    """No collection has this name. Posting a document makes one."""

    code = "collection-not-found"

    def __init__(self, collection: str) -> None:
        super().__init__(f"There is no collection {collection!r}.")
        self.collection = collection


class ContractNotFoundError(AbsentError):
    """The collection has no contract, or none of the version that was asked for."""

    code = "contract-not-found"

    def __init__(self, collection: str) -> None:
        super().__init__(f"The collection {collection!r} has no such contract.")
        self.collection = collection


class DocumentNotFoundError(AbsentError):
    """No document of the collection has this id, or the caller may not see the one that has."""

    code = "document-not-found"

    def __init__(self) -> None:
        super().__init__("No document has this id.")


class JobNotFoundError(AbsentError):
    """No job has this id. `GET /jobs` lists those that there are."""

    code = "job-not-found"

    def __init__(self, job: str) -> None:
        super().__init__(f"There is no job {job!r}.")
        self.job = job


class KeyNotFoundError(AbsentError):
    """No API key has this id. `sheaf keys list` shows those that there are."""

    code = "key-not-found"

    def __init__(self, key: str) -> None:
        super().__init__(f"There is no key {key!r}.")
        self.key = key


class QuarantinedNotFoundError(AbsentError):
    """No record with this id is in the quarantine of the collection; it may have been replayed or discarded."""

    code = "quarantined-not-found"

    def __init__(self, record: str) -> None:
        super().__init__(f"There is no record {record!r} in the quarantine of this collection.")
        self.record = record


class ConflictError(StoreError):
    """The request is right in itself, but does not fit what is stored."""


class PreconditionFailedError(ConflictError):
    """`If-Match` or `If-None-Match` does not hold. Read the document again, and repeat with its ETag."""

    code = "precondition-failed"

    def __init__(self, etag: str | None) -> None:
        super().__init__(
            "There is no such document." if etag is None else "The document is not as the precondition says."
        )
        self.etag = etag


class UniqueViolationError(ConflictError):
    """Another document has the same values in fields that must be unique. `fields` names them."""

    code = "unique-violation"

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__(f"Another document has the same {' and '.join(fields) or 'values'}.")
        self.fields = tuple(fields)


class DuplicateValuesError(ConflictError):
    """Stored documents have the same values where a unique index is wanted. Change or delete them, and try again.

    `groups` has, for each index, some of the groups: `{"key": {...}, "count": 2, "ids": [...]}`.
    """

    code = "duplicate-values"

    def __init__(self, groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        super().__init__(f"Documents with equal values stand in the way of unique indexes: {', '.join(groups)}.")
        self.groups = groups


class IndexConflictError(ConflictError):
    """The collection has another index in the place of the wanted one. Plan again, and see what differs."""

    code = "index-conflict"


class ContractConflictError(ConflictError):
    """A model declares the collection, or MongoDB has a validator for it that is no mirror of a contract."""

    code = "contract-conflict"


class PatchConflictError(ConflictError):
    """The patch is well formed, but does not fit the document: a path it needs is not there, or a test fails."""

    code = "patch-conflict"


class MaxAffectedError(ConflictError):
    """More documents match than `Prefer: max-affected` allows. Nothing was changed."""

    code = "max-affected-exceeded"

    def __init__(self, maximum: int) -> None:
        super().__init__(f"More than {maximum} documents match, so nothing was changed.")
        self.maximum = maximum


class WriteConflictError(ConflictError):
    """Others kept changing the same documents until the time was up. Nothing was changed; try again."""

    code = "write-conflict"

    def __init__(self) -> None:
        super().__init__("Others kept changing the same documents, so nothing was changed.")


class JobConflictError(ConflictError):
    """A job cannot do that now: another process works on it, it has ended, or its key was used for something else."""

    code = "job-conflict"


class JobFailedError(ConflictError):
    """A job failed, and cannot go on as it is. What it had written is written. Its report says why."""

    code = "job-failed"

    def __init__(self, detail: str = "The job failed for a fault of Sheaf's own. The log has the reason.") -> None:
        super().__init__(detail)


class LoadStoppedError(ConflictError):
    """A load was stopped by one of the limits that it was given, or that Sheaf has. What is loaded stays."""


class NothingFitsError(LoadStoppedError):
    """None of the first records of a load can be loaded, so the rest was not tried. The detail shows the first."""

    code = "nothing-fits"


class TooManyBadError(LoadStoppedError):
    """More records of a load had to be put aside than `max_bad` allows."""

    code = "too-many-bad"


class QuarantineFullError(LoadStoppedError):
    """The quarantine of a load or a collection has reached its budget. Discard records, or raise the setting."""

    code = "quarantine-full"


class DriftError(LoadStoppedError):
    """The first records of a load differ in more fields from what is stored than `max_drift` allows."""

    code = "drift"


class ExpectationError(LoadStoppedError):
    """The records of a load are not as `expect` says, so none of them was written. The report says what was found."""

    code = "expectation-failed"


STOPS: Final[Mapping[str, type[StoreError]]] = {
    kind.code: kind
    for kind in (
        SourceMisreadError,
        NothingFitsError,
        TooManyBadError,
        QuarantineFullError,
        DriftError,
        ExpectationError,
    )
}
"""What may have stopped a load, by the codes that its job keeps."""


class JobLostError(ConflictError):
    """Another process has taken the job over, and goes on with it. Nothing was written twice."""

    code = "job-taken-over"


class UploadConflictError(ConflictError):
    """An upload is at another place than its sender thinks. `Upload-Offset` says where to go on."""

    code = "upload-conflict"

    def __init__(self, offset: int) -> None:
        super().__init__(f"The upload goes on at byte {offset}.")
        self.offset = offset


class OperationFailedError(ConflictError):
    """One operation of an atomic request failed, so none was carried out. `index` and `cause` say which and why."""

    code = "operation-failed"

    def __init__(self, index: int, cause: StoreError) -> None:
        super().__init__(f"Operation {index} failed, so nothing was changed: {cause.detail}")
        self.index = index
        self.cause = cause


class UnauthenticatedError(StoreError):
    """The request needs credentials: `Authorization: Bearer` with an API key, or a token of an identity provider.

    The answer does not say whether they are missing, wrong, expired or revoked.
    """

    code = "unauthenticated"

    def __init__(self) -> None:
        super().__init__("This needs valid credentials: Authorization: Bearer, with an API key or a token.")


class ForbiddenError(StoreError):
    """The caller's policy does not allow this."""

    code = "forbidden"


class FieldForbiddenError(StoreError):
    """The caller's policy hides a field that the request names or compares, or keeps one that it would change.

    Decided from the policy and the request alone, so the answer is the same whether or not any document has the field.
    """

    code = "field-forbidden"

    def __init__(self, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.faults = tuple(faults)


class QueryRefusedError(StoreError):
    """MongoDB cannot answer within its limits, or does not do that with a collection of this kind."""

    code = "query-refused"


class UnavailableError(StoreError):
    """Nothing is wrong with the request; try it again later.

    `outcome` tells of a write what became of it: `not-applied`, or `unknown` when the answer was lost.
    """

    def __init__(self, detail: str, outcome: Outcome | None = None) -> None:
        super().__init__(detail)
        self.outcome: Outcome | None = outcome


class DatabaseUnavailableError(UnavailableError):
    """MongoDB cannot be reached, or has no primary at the moment."""

    code = "database-unavailable"


class DiskFullError(UnavailableError):
    """The disk of MongoDB has too little room left, so nothing is added.

    Reading and deleting go on, and a load that stopped for it goes on by itself or with the same command. Free some
    room on the disk, or keep less of it free with `SHEAF_DISK_RESERVE_BYTES`.
    """

    code = "disk-full"


class DeadlineExceededError(UnavailableError):
    """The request took longer than it may. Narrow the query, add an index, or raise the limit."""

    code = "deadline-exceeded"


class OverloadedError(UnavailableError):
    """More requests are waiting than can be served in time."""

    code = "overloaded"
