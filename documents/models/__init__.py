"""What projects declare models with, and how those are found and read."""
