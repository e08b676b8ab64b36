"""Options of a load that cannot be meant, refused before a job is made."""

from dataclasses import replace
from typing import Final

from documents.codec.formats import formats_with, make_reader
from documents.contracts.expectations import Expectations
from documents.errors import Fault, InvalidParameterError
from documents.ingest.jobs import Load
from documents.ingest.limit import Limit
from documents.query.paths import is_field_path

MAX_KEYS: Final = 8


def check_load(load: Load) -> None:
    """Refuse what could only fail later, for each record.

    Raises:
        InvalidParameterError: An option cannot be meant.
    """
    for name, limit in (("max_bad", load.max_bad), ("max_drift", load.max_drift)):
        if limit is not None:
            Limit.parse(name, limit)
    if load.expect is not None:
        Expectations.parse(load.expect)
    for name in load.options.said():
        formats = formats_with(name)
        if load.form not in formats:
            detail = f"{name} is for {' and '.join(formats)}, and this is {load.form}."
            raise InvalidParameterError(detail, [Fault(f"?{name}", "not-allowed", detail)])
    if not 1 <= len(load.on) <= MAX_KEYS or not all(map(is_field_path, load.on)):
        detail = f"on names 1 to {MAX_KEYS} fields."
        raise InvalidParameterError(detail, [Fault("?on", "invalid", detail)])
    if load.cursor is not None and not is_field_path(load.cursor.field):
        detail = "since names a field."
        raise InvalidParameterError(detail, [Fault("?since", "invalid", detail)])
    try:
        make_reader(load.form, replace(load.options, any_keys=load.mapping is not None))
    except (ValueError, RuntimeError) as error:  # a header, a column's type, or pyarrow, as it says
        raise InvalidParameterError(str(error), [Fault("?format", "invalid", str(error))]) from error
