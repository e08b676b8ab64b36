"""What operators see of the server: its log, its metrics and its traces."""
