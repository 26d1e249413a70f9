"""Types that cross boundaries: standard library and numpy only, no input or output."""
