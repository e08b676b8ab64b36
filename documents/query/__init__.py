"""The filter language: parsed against an allow-list and compiled into what MongoDB is asked. Nothing here waits."""
