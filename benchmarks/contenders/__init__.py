"""What runs in the processes that are measured: one library a file, one task a function."""
