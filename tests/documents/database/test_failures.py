"""Replies of MongoDB as errors of ours."""

from documents.database.failures import of_write_error
from documents.errors import DiskFullError


def test_a_full_disk_says_so() -> None:
    error = of_write_error({"code": 14031, "errmsg": "available disk space of 1 bytes is less than required minimum"})
    assert isinstance(error, DiskFullError)
    assert error.detail == "The disk of MongoDB is full."
