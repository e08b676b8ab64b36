from pathlib import Path

import pytest

from documents.settings import SettingsError, load_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where there is no .env


def test_a_file_holds_the_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "uri"
    secret.write_text("mongodb://user:secret@db/\n", "utf-8")
    monkeypatch.setenv("SHEAF_MONGODB_URI_FILE", str(secret))
    uri = load_settings().mongodb_uri
    assert uri is not None
    assert uri.get_secret_value() == "mongodb://user:secret@db/"


def test_an_override_wins_over_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "port").write_text("9000", "utf-8")
    monkeypatch.setenv("SHEAF_PORT_FILE", str(tmp_path / "port"))
    assert load_settings().port == 9000
    assert load_settings(port=9001).port == 9001


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEAF_MONGODB_URI_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match=r"SHEAF_MONGODB_URI_FILE: .*none cannot be read: No such file"):
        load_settings()


def test_both_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEAF_PORT", "1")
    monkeypatch.setenv("SHEAF_PORT_FILE", "/x")
    with pytest.raises(SettingsError, match="are both set"):
        load_settings()


def test_a_file_for_no_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEAF_PROT_FILE", "/x")
    with pytest.raises(SettingsError, match="No such setting: SHEAF_PROT_FILE"):
        load_settings()
