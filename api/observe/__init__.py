"""What operators see of the server: its log, its metrics and its traces."""

from typing import Final

SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Variable that names the folder where several processes share their numbers, as prometheus-client has it."""
