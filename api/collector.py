"""Python's garbage collector, told to keep out of the way of who makes many short-lived objects."""

import gc


def spare_the_collector() -> None:
    """Keep what was imported out of garbage collection, and collect less often: it took a sixth of the time.

    Requests and records leave few cycles behind, and those that are young are still collected, ten thousand objects at
    a time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 50)
