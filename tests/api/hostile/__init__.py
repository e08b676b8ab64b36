"""What a hostile client might send, as tables, and what it takes to see that it came to nothing."""
